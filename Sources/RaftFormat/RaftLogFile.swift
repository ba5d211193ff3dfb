package import Bolt

/// `raft/raft.db`: the log, the term and the vote of a node (raft-boltdb's layout; integers are 8 bytes big-endian).
package enum RaftLogFile {
    package static let configurationBucket = Array("conf".utf8)
    package static let logBucket = Array("logs".utf8)
    package static let currentTerm = Array("CurrentTerm".utf8)

    /// Writes the file of a node that never voted and has an empty log, durably.
    ///
    /// The log stays empty because the loaded data is the node's snapshot: a log that ran on from entry 1 would let a
    /// joining node take the log instead of the snapshot and never get the data.
    package static func create(path: String, term: UInt64) throws(BoltError) {
        let builder = try BoltBuilder(path: path)
        do throws(BoltError) {
            try builder.beginBucket(configurationBucket)
            try bigEndian(term).withUnsafeBufferPointerTyped { value throws(BoltError) in
                try currentTerm.withUnsafeBufferPointerTyped { key throws(BoltError) in
                    try builder.add(key: key, value: value)
                }
            }
            try builder.endBucket()
            try builder.beginBucket(logBucket)
            try builder.endBucket()
            try builder.finish()
        } catch {
            builder.discard()
            throw error
        }
    }

    /// What a log holds behind a position.
    package struct Tail: Sendable, Equatable {
        package var entries = 0
        /// Of them, those that may change data.
        package var commands = 0
        /// Of them, those that could not be decoded.
        package var undecodable = 0
        /// Index of the last one.
        package var lastIndex: UInt64 = 0
        /// Whether the file has the bucket of a log at all; every log of a server has.
        package var hasLog = true

        package init() {}
    }

    /// Counts the log's entries behind `index`.
    ///
    /// - Throws: `BoltError` if the file cannot be read; a damaged entry is only counted.
    package static func tail(of reader: BoltReader, behind index: UInt64) throws -> Tail {
        var tail = Tail()
        guard index < .max else { return tail }
        guard let logs = try reader.bucket(logBucket) else {
            tail.hasLog = false
            return tail
        }
        try logs.visit(from: bigEndian(index + 1), to: nil) { key, value in
            tail.entries += 1
            guard let position = number(key) else {
                tail.undecodable += 1
                return true
            }
            tail.lastIndex = position
            do throws(RaftFormatError) {
                if try LogEntryHeader(decoding: value).kind == .command { tail.commands += 1 }
            } catch {
                tail.undecodable += 1
            }
            return true
        }
        return tail
    }

    /// The highest term the node has seen; `nil` if it never had one.
    package static func currentTerm(of reader: BoltReader) throws -> UInt64? {
        guard let configuration = try reader.bucket(configurationBucket) else { return nil }
        return try currentTerm.withUnsafeBytes { key in
            try configuration.withValue(forKey: key) { number($0) } ?? nil
        }
    }

    static func bigEndian(_ value: UInt64) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    static func number(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard bytes.count == 8 else { return nil }
        return UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
    }
}

extension Array where Element == UInt8 {
    /// The bytes, borrowed for the call, keeping the type of what `body` throws.
    func withUnsafeBufferPointerTyped<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try withUnsafeBufferPointer { bytes throws(Failure) in try body(UnsafeRawBufferPointer(bytes)) }
    }
}
