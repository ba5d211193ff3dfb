import Digest
import LMDB
import RaftFormat
import Storage

extension StateStore {
    /// The value of an entry; `nil` if there is none.
    func get(_ key: [UInt8]) throws(ClusterError) -> [UInt8]? {
        guard !key.isEmpty else { return nil }
        let isLong = key.count > StateKey.longestPlain
        let stored: [UInt8]
        do throws(DigestError) {
            stored = isLong ? try StateKey.stored(long: key) : key
        } catch {
            throw ClusterError(.io, "\(error)")
        }
        let held = try lmdb { () throws(LMDBError) in
            try environment.read { [data] snapshot throws(LMDBError) in try snapshot.value(of: stored, in: data) }
        }
        guard isLong else { return held }
        return held.flatMap { held in held.withUnsafeBytes { StateKey.split($0).map { Array($0.value) } } }
    }

    /// Walks through the entries in ascending order of their keys.
    ///
    /// - Parameters:
    ///   - lower: Begin at this key or the first behind it.
    ///   - body: `false` ends the walk. Bytes are borrowed for the call.
    static func walk(
        _ snapshot: LMDBSnapshot, _ data: LMDBTable, from lower: [UInt8]?,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(LMDBError) -> Bool
    ) throws(LMDBError) {
        let isLong = (lower?.count ?? 0) > StateKey.longestPlain
        let start = isLong ? lower.map { Array($0.prefix(StateKey.prefixBytes)) } : lower
        func isWanted(_ key: UnsafeRawBufferPointer) -> Bool {
            guard let lower else { return true }
            return lower.withUnsafeBytes { compare($0, key) <= 0 }
        }
        var group = KeyGroup()
        var goesOn = true
        try snapshot.forEach(from: group.start(start), in: data) { key, value throws(LMDBError) in
            if group.holds(key) {
                group.add(key, value)
                return true
            }
            goesOn = try group.deliver(isWanted, body)
            guard goesOn else { return false }
            if key.count > StateKey.prefixBytes {
                group.begin(key, value)
            } else if isWanted(key) {
                goesOn = try body(key, value)
            }
            return goesOn
        }
        if goesOn { _ = try group.deliver(isWanted, body) }
    }

    /// Entries of a range as frames, as many as a page holds.
    struct Page: Sendable {
        var frames: [UInt8] = []
        var count = 0
        /// The last key in it.
        var last: [UInt8]?
        /// Whether nothing of the range is left.
        var isEnd = true
        var applied: UInt64 = 0
    }

    /// Reads a page.
    ///
    /// - Parameters:
    ///   - lower: From this key on.
    ///   - after: Only behind this key, if there is one.
    ///   - upper: Up to this key, without it.
    ///   - bytes: After which no further entry is added.
    func page(
        from lower: [UInt8]?, after: [UInt8]?, to upper: [UInt8]?, bytes: Int, entries: Int = .max, keysOnly: Bool
    ) throws(ClusterError) -> Page {
        var page = Page()
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        page.frames.reserveCapacity(min(bytes, 4 << 20) + (64 << 10))
        try lmdb { () throws(LMDBError) in
            try environment.read { [data, meta] snapshot throws(LMDBError) in
                page.applied = try AppliedState(snapshot, meta)?.index ?? 0
                try Self.walk(snapshot, data, from: after ?? lower) { key, value in
                    if let after, after.withUnsafeBytes({ compare($0, key) >= 0 }) { return true }
                    if let upper, upper.withUnsafeBytes({ compare(key, $0) >= 0 }) { return false }
                    guard page.frames.count < bytes, page.count < entries else {
                        page.isEnd = false
                        return false
                    }
                    EntryFrame.append(key, keysOnly ? none : value, to: &page.frames)
                    page.count += 1
                    page.last = Array(key)
                    return true
                }
            }
        }
        noteTouched(page.frames.count)
        return page
    }

    /// The direct children of a directory, as ``StorageSource/list(_:)`` has them.
    func list(_ prefix: [UInt8]) throws(ClusterError) -> [[UInt8]] {
        var names: [[UInt8]] = []
        var from: [UInt8]? = prefix
        // A walk for every sub-directory, so that what lies in them is not read.
        while let start = from {
            from = nil
            try lmdb { () throws(LMDBError) in
                try environment.read { [data] snapshot throws(LMDBError) in
                    try Self.walk(snapshot, data, from: start.isEmpty ? nil : start) { key, _ in
                        guard key.starts(with: prefix) else { return false }
                        let rest = key[prefix.count...]
                        guard !rest.isEmpty else { return true }
                        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else {
                            names.append(Array(rest))
                            return true
                        }
                        names.append(Array(rest[...slash]))
                        // The first key behind everything that begins with the sub-directory's path.
                        from = Array(key[..<slash]) + [UInt8(ascii: "/") + 1]
                        return false
                    }
                }
            }
        }
        // An entry between a directory's name and what lies in it ("a-b" between "a" and "a/") keeps the order of bytes.
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The digest of everything that is held, durably, at one moment, but for the marker of a migration, which is no entry of
    /// the source.
    ///
    /// - Parameters:
    ///   - isCancelled: Asked now and then; `true` ends the work with an error.
    ///   - begun: Called once what is looked at is fixed.
    func digest(
        isCancelled: () -> Bool, begun: () -> Void = {}
    ) throws(ClusterError) -> KeyspaceProof {
        let digester: KeyspaceDigester
        do throws(DigestError) { digester = try KeyspaceDigester() } catch { throw ClusterError(.io, "\(error)") }
        // What is looked at is what this brings to the disk, or older than the next such wait.
        try sync()
        var applied = AppliedState()
        var isStopped = false
        var window = 0
        var markers: UInt64 = 0
        try lmdb { () throws(LMDBError) in
            try environment.read { [data, meta] snapshot throws(LMDBError) in
                begun()
                applied = try AppliedState(snapshot, meta) ?? applied
                try Self.walk(snapshot, data, from: nil) { key, value in
                    if key.elementsEqual(StorageKey.migrationMarker.bytes) {
                        markers += 1
                    } else {
                        digester.add(key, value)
                    }
                    window += key.count + value.count
                    if window > Self.readWindow {
                        environment.letPagesGo()
                        window = 0
                        isStopped = isCancelled()
                    }
                    return !isStopped
                }
            }
        }
        environment.letPagesGo()
        guard !isStopped else { throw ClusterError(.unavailable, "The digest was not finished.") }
        let count = digester.count
        guard count + markers == applied.entries else {
            throw .damaged(path, "it holds \(count + markers) entries and counts \(applied.entries)")
        }
        do throws(DigestError) {
            return KeyspaceProof(index: applied.index, entries: count, digest: try digester.finish())
        } catch {
            throw ClusterError(.io, "\(error)")
        }
    }
}

/// Computes the keyspace digest of entries that come in ascending order of their keys.
private final class KeyspaceDigester {
    private let values: SHA256Hasher
    private let whole: SHA256Hasher
    private var lines = ManifestLines(capacity: 1 << 20)
    private var failure: DigestError?
    private(set) var count: UInt64 = 0

    init() throws(DigestError) {
        values = try SHA256Hasher()
        whole = try SHA256Hasher()
    }

    /// Adds an entry; a failure is told at the end.
    func add(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        count += 1
        withUnsafeTemporaryAllocation(byteCount: SHA256Digest.byteCount, alignment: 8) { room in
            guard let base = room.baseAddress else { return }
            do throws(DigestError) {
                try values.digest(of: value, into: base)
            } catch {
                failure = error
            }
            lines.append(key, digest: UnsafeRawBufferPointer(room))
        }
        if lines.bytes.count > 1 << 20 { flush() }
    }

    private func flush() {
        lines.bytes.withUnsafeBytes { bytes in
            do throws(DigestError) {
                try whole.update(bytes)
            } catch {
                failure = error
            }
        }
        lines.removeAll()
    }

    func finish() throws(DigestError) -> String {
        flush()
        if let failure { throw failure }
        return try whole.finish().hexadecimal
    }
}

/// What a node says of the entries that it holds durably.
package struct KeyspaceProof: Hashable, Sendable {
    /// The last command in it.
    package let index: UInt64
    package let entries: UInt64
    /// The keyspace digest, 64 hexadecimal digits.
    package let digest: String

    package init(index: UInt64, entries: UInt64, digest: String) {
        self.index = index
        self.entries = entries
        self.digest = digest
    }
}

/// Entries whose stored keys share the bytes that a long key keeps: their order is that of their whole keys.
private struct KeyGroup {
    private var prefix: [UInt8] = []
    private var members: [(key: [UInt8], value: UnsafeRawBufferPointer)] = []
    private var hasLong = false

    /// Where a walk must begin that is to begin at a key.
    func start(_ lower: [UInt8]?) -> [UInt8]? {
        guard let lower, lower.count > StateKey.prefixBytes else { return lower }
        return Array(lower.prefix(StateKey.prefixBytes))
    }

    func holds(_ key: UnsafeRawBufferPointer) -> Bool {
        !members.isEmpty && key.count > StateKey.prefixBytes && key.starts(with: prefix)
    }

    mutating func begin(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        prefix = Array(key.prefix(StateKey.prefixBytes))
        members = []
        hasLong = false
        add(key, value)
    }

    mutating func add(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        guard key.count > StateKey.longestPlain, let (rest, value) = StateKey.split(value) else {
            return members.append((Array(key), value))
        }
        hasLong = true
        members.append((prefix + Array(rest), value))
    }

    /// Hands out what was gathered, and forgets it.
    mutating func deliver(
        _ isWanted: (UnsafeRawBufferPointer) -> Bool,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(LMDBError) -> Bool
    ) throws(LMDBError) -> Bool {
        guard !members.isEmpty else { return true }
        var all = members
        members = []
        if hasLong { all.sort { $0.key.lexicographicallyPrecedes($1.key) } }
        for (key, value) in all {
            let goesOn = try key.withUnsafeBufferPointer { key throws(LMDBError) in
                let key = UnsafeRawBufferPointer(key)
                return isWanted(key) ? try body(key, value) : true
            }
            guard goesOn else { return false }
        }
        return true
    }
}
