import Bolt
import Digest

/// The SHA-256 of everything a bbolt file holds, however its pages lie: two files have the same one exactly if they hold
/// the same buckets with the same entries.
///
/// | Record | Bytes |
/// | --- | --- |
/// | bucket | `b`, length of the name (8 bytes, little-endian), name, sequence (8 bytes) |
/// | entry | `e`, length of the key, length of the value, key, value |
/// | end of a bucket | `x` |
final class ContentDigest {
    /// Small records are gathered: a call of the library costs more than their digest.
    private static let gatheredBytes = 64 << 10

    private let hasher: SHA256Hasher
    private var gathered: [UInt8] = []

    init() throws(DigestError) {
        hasher = try SHA256Hasher()
        gathered.reserveCapacity(Self.gatheredBytes + 1024)
    }

    func beginBucket(_ name: [UInt8], sequence: UInt64) throws(DigestError) {
        gathered.append(UInt8(ascii: "b"))
        append(UInt64(name.count))
        gathered += name
        append(sequence)
        try pass()
    }

    func entry(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(DigestError) {
        gathered.append(UInt8(ascii: "e"))
        append(UInt64(key.count))
        append(UInt64(value.count))
        gathered.append(contentsOf: key)
        if value.count < Self.gatheredBytes {
            gathered.append(contentsOf: value)
            try pass()
        } else {
            try pass(all: true)
            try hasher.update(value)
        }
    }

    func endBucket() throws(DigestError) {
        gathered.append(UInt8(ascii: "x"))
        try pass()
    }

    func finish() throws(DigestError) -> SHA256Digest {
        try pass(all: true)
        return try hasher.finish()
    }

    private func append(_ number: UInt64) {
        withUnsafeBytes(of: number.littleEndian) { gathered.append(contentsOf: $0) }
    }

    private func pass(all: Bool = false) throws(DigestError) {
        guard all || gathered.count >= Self.gatheredBytes else { return }
        let failure = gathered.withUnsafeBytes { bytes -> DigestError? in
            do throws(DigestError) {
                try hasher.update(bytes)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        gathered.removeAll(keepingCapacity: true)
    }
}

/// Passes over a file: counts and digests its content, and lets a builder write it anew.
final class ContentPass: BoltVisitor {
    private static let askEvery = 4096

    /// An entry directly in a bucket at the top level, which is not digested with the rest.
    struct Exception {
        var bucket: [UInt8]
        var key: [UInt8]
        /// What the new file holds in its place.
        var newValue: [UInt8]
    }

    private(set) var entries = 0
    /// What stood at the exception; `nil` if nothing did.
    private(set) var exceptionValue: [UInt8]?
    private let digest: ContentDigest
    private let builder: BoltBuilder?
    private let exception: Exception?
    private let isCancelled: () -> Bool
    private var path: [[UInt8]] = []
    private var isExceptionWritten = false

    /// - Parameter builder: Takes everything, the exception with its new value; `nil` for a pass that only reads.
    init(_ builder: BoltBuilder?, exception: Exception?, isCancelled: @escaping () -> Bool) throws {
        digest = try ContentDigest()
        self.builder = builder
        self.exception = exception
        self.isCancelled = isCancelled
    }

    /// Digest and number of the entries, the exception aside.
    func finish() throws -> SHA256Digest { try digest.finish() }

    func beginBucket(_ name: [UInt8], sequence: UInt64) throws {
        path.append(name)
        try digest.beginBucket(name, sequence: sequence)
        try builder?.beginBucket(name, sequence: sequence)
    }

    func entry(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws {
        entries += 1
        if entries.isMultiple(of: Self.askEvery), isCancelled() { throw CancelledPass() }
        if let exception, path == [exception.bucket] {
            if key.elementsEqual(exception.key) {
                exceptionValue = Array(value)
                entries -= 1
                return try writeException()
            }
            if exception.key.lexicographicallyPrecedes(key) { try writeException() }
        }
        try digest.entry(key, value)
        try builder?.add(key: key, value: value)
    }

    func endBucket() throws {
        if let exception, path == [exception.bucket] { try writeException() }
        path.removeLast()
        try digest.endBucket()
        try builder?.endBucket()
    }

    /// Puts the exception where the order of keys wants it.
    private func writeException() throws {
        guard !isExceptionWritten, let exception, let builder else { return }
        isExceptionWritten = true
        try exception.key.withUnsafeBytes { key in
            try exception.newValue.withUnsafeBytes { value in try builder.add(key: key, value: value) }
        }
    }
}

/// A pass was ended because it was asked for.
struct CancelledPass: Error {}
