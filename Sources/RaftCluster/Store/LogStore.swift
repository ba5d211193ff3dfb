import Glibc
import LMDB
import RaftCore
import RaftFormat
import Synchronization

/// Entries of the log, term and vote of one node in an LMDB file; every write is one durable transaction.
///
/// | Table | Key | Value |
/// | --- | --- | --- |
/// | `log` | index u64, big-endian | ``StoredEntry`` |
/// | `stable` | `hard` | ``CheckedRecord``: term u64, then the id voted for |
/// | `stable` | `base` | ``CheckedRecord``: index u64, term u64, then the membership in force there as msgpack |
/// | `stable` | `state` | ``CheckedRecord``: name of the state machine's file |
/// | `stable` | `clean` | there while the node is stopped in good order |
final class LogStore: Sendable {
    static let maximumBytes = 256 << 30

    private let environment: LMDBEnvironment
    private let log: LMDBTable
    private let stable: LMDBTable
    private let heldBytes = Mutex(0)
    /// Bytes written since the memory of the pages was given back.
    private let written = Mutex(0)
    let path: String

    /// What a node was when it was stopped or killed.
    struct Found {
        var hard = HardState()
        var outline = LogOutline()
        var stateName: String?
        /// Whether it was stopped in good order.
        var isClean = false
    }

    /// Opens the file, or makes it; one that is there is checked before the library sees it.
    init(path: String) throws(ClusterError) {
        self.path = path
        try LogStore.check(path)
        environment = try lmdb { () throws(LMDBError) in
            try LMDBEnvironment(
                path: path, maximumBytes: Self.maximumBytes, isDurable: true, readsBesideWrites: true,
                tables: ["log", "stable"])
        }
        (log, stable) = (environment.tables[0], environment.tables[1])
    }

    /// Checks the structure of a file, if there is one.
    static func check(_ path: String) throws(ClusterError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return }
            throw ClusterError(.io, "open \(path): \(String(cString: strerror(errno)))")
        }
        defer { Glibc.close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_size > 0 else { return }
        try lmdb { () throws(LMDBError) in try LMDBContents.check(tablesOf: descriptor, path: path) }
    }

    func close() { environment.close() }

    /// Everything that is durable, with every entry's checksum looked at.
    func load() throws(ClusterError) -> Found {
        var found = Found()
        var problem: String?
        var bytes = 0
        try lmdb { () throws(LMDBError) in
            try environment.read { snapshot throws(LMDBError) in
                /// - Returns: `nil` if there is no such record, or a damaged one, which is noted.
                func stable<Value>(
                    _ name: String, _ what: String, _ decode: ([UInt8]) -> Value?
                ) throws(LMDBError) -> Value? {
                    guard let record = try snapshot.value(of: Array(name.utf8), in: self.stable) else { return nil }
                    let value = CheckedRecord.open(record).flatMap(decode)
                    if value == nil { problem = "\(what) is damaged" }
                    return value
                }
                // Without its vote, a node would vote again.
                found.hard = try stable("hard", "its record of term and vote", Self.hard) ?? found.hard
                found.outline = try stable("base", "the base of its log", Self.outline) ?? found.outline
                found.stateName = try stable("state", "the name of the state machine's file") { bytes in
                    String(decoding: bytes, as: UTF8.self)
                }
                guard problem == nil else { return }
                found.isClean = try snapshot.value(of: Array("clean".utf8), in: self.stable) != nil
                try snapshot.forEach(in: log) { key, value in
                    let index = Self.index(key)
                    guard index == found.outline.lastIndex + 1,
                        let head = try? StoredEntry.decode(value, index: index)?.head()
                    else {
                        problem = "entry \(index) of its log is damaged or out of place"
                        return false
                    }
                    found.outline.append(head)
                    bytes += value.count
                    return true
                }
            }
        }
        environment.letPagesGo()
        if let problem { throw .damaged(path, problem) }
        heldBytes.withLock { [bytes] in $0 = bytes }
        return found
    }

    /// Bytes of all entries, about.
    var byteCount: Int { heldBytes.withLock { $0 } }

    /// What one transaction is to do, in this order.
    struct Write {
        var hard: HardState?
        /// The log is to end before this index first.
        var truncateFrom: UInt64?
        var entries: [WireEntry] = []
    }

    /// Writes in order, all or nothing; durable on return.
    func write(_ writes: [Write]) throws(ClusterError) {
        var change = 0
        try lmdb { () throws(LMDBError) in
            try environment.write { transaction throws(LMDBError) in
                for write in writes {
                    if let hard = write.hard {
                        try transaction.put(Array("hard".utf8), Self.bytes(of: hard), in: stable)
                    }
                    if let index = write.truncateFrom {
                        change -= try bytes(in: transaction, from: index, to: nil)
                        try transaction.delete(from: Self.key(index), to: nil, in: log)
                    }
                    for entry in write.entries {
                        let count = StoredEntry.byteCount(entry)
                        try transaction.append(Self.key(entry.index), count: count, in: log) { room in
                            StoredEntry.encode(entry, into: room)
                        }
                        change += count
                    }
                }
            }
        }
        heldBytes.withLock { [change] in $0 += change }
        let isDue = written.withLock { [change] written in
            written += max(change, 0)
            defer { if written > StateStore.readWindow { written = 0 } }
            return written > StateStore.readWindow
        }
        if isDue { environment.letPagesGo() }
    }

    private func bytes(
        in transaction: LMDBTransaction, from lower: UInt64?, to upper: UInt64?
    ) throws(LMDBError) -> Int {
        var total = 0
        let bound = upper.map(Self.key)
        try transaction.snapshot.forEach(from: lower.map(Self.key), in: log) { key, value in
            if let bound, !key.lexicographicallyPrecedes(bound) { return false }
            total += value.count
            return true
        }
        return total
    }

    /// Entries from an index on, as far as they are held one behind the other.
    ///
    /// - Parameter bytes: After which no further entry is added.
    func entries(from first: UInt64, to last: UInt64, bytes: Int) throws(ClusterError) -> [WireEntry] {
        var entries: [WireEntry] = []
        var held = 0
        var problem: UInt64?
        try lmdb { () throws(LMDBError) in
            try environment.read { snapshot throws(LMDBError) in
                try snapshot.forEach(from: Self.key(first), in: log) { key, value in
                    let index = Self.index(key)
                    guard index <= last, index == first + UInt64(entries.count), held < bytes else { return false }
                    guard let entry = StoredEntry.decode(value, index: index) else {
                        problem = index
                        return false
                    }
                    entries.append(entry)
                    held += value.count
                    return true
                }
            }
        }
        if let problem { throw .damaged(path, "entry \(problem) of its log is damaged") }
        return entries
    }

    /// Forgets entries up to an index, for which the state machine stands.
    func compact(to outline: LogOutline) throws(ClusterError) {
        var change = 0
        let next = Self.key(outline.base.index + 1)
        try lmdb { () throws(LMDBError) in
            try environment.write { transaction throws(LMDBError) in
                change = try bytes(in: transaction, from: nil, to: outline.base.index + 1)
                try transaction.delete(from: nil, to: next, in: log)
                try transaction.put(Array("base".utf8), Self.bytes(of: outline), in: stable)
            }
        }
        environment.letPagesGo()
        heldBytes.withLock { [change] in $0 -= change }
    }

    /// Puts a state machine's file in the place of the log, in one transaction.
    func install(_ outline: LogOutline, stateName: String, hard: HardState? = nil) throws(ClusterError) {
        try lmdb { () throws(LMDBError) in
            try environment.write { transaction throws(LMDBError) in
                try transaction.delete(from: nil, to: nil, in: log)
                try transaction.put(Array("base".utf8), Self.bytes(of: outline), in: stable)
                try transaction.put(
                    Array("state".utf8), CheckedRecord.seal(Array(stateName.utf8)), in: stable)
                if let hard { try transaction.put(Array("hard".utf8), Self.bytes(of: hard), in: stable) }
            }
        }
        heldBytes.withLock { $0 = 0 }
    }

    /// Notes whether the node is stopped in good order.
    func setClean(_ isClean: Bool) throws(ClusterError) {
        try lmdb { () throws(LMDBError) in
            try environment.write { transaction throws(LMDBError) in
                if isClean {
                    try transaction.put(Array("clean".utf8), [1], in: stable)
                } else {
                    try transaction.delete(Array("clean".utf8), in: stable)
                }
            }
        }
    }

    // MARK: Values

    private static func key(_ index: UInt64) -> [UInt8] { withUnsafeBytes(of: index.bigEndian) { Array($0) } }

    private static func index(_ key: UnsafeRawBufferPointer) -> UInt64 {
        key.count == 8 ? UInt64(bigEndian: key.loadUnaligned(as: UInt64.self)) : 0
    }

    private static func number(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
        bytes[offset..<(offset + 8)].reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func bytes(of hard: HardState) -> [UInt8] {
        CheckedRecord.seal(key(hard.term) + (hard.vote?.bytes ?? []))
    }

    private static func hard(_ bytes: [UInt8]) -> HardState? {
        guard bytes.count >= 8 else { return nil }
        return HardState(term: number(bytes, 0), vote: bytes.count > 8 ? NodeID(Array(bytes[8...])) : nil)
    }

    private static func bytes(of outline: LogOutline) -> [UInt8] {
        let servers = ClusterConfiguration(outline.membership(at: outline.base.index), index: 0).packedServers
        return CheckedRecord.seal(key(outline.base.index) + key(outline.base.term) + servers)
    }

    private static func outline(_ bytes: [UInt8]) -> LogOutline? {
        guard bytes.count > 16, let servers = try? ClusterConfiguration(packedServers: Array(bytes[16...]), index: 0)
        else { return nil }
        return LogOutline(
            base: EntryPosition(index: number(bytes, 0), term: number(bytes, 8)), membership: Membership(servers))
    }
}
