import Bolt
import Digest
import Foundation
import RaftDirectoryBackend
import RaftFormat
import Storage
import TestSupport

/// A log as a server keeps it in `raft/raft.db`, and the operations of its commands, written byte by byte.
struct TestLog {
    struct Item {
        var index: UInt64
        var term: UInt64 = 1
        var type: UInt8 = 0
        var data: [UInt8]?
        var extensions: [UInt8]?
        /// What stands there in place of an entry.
        var raw: [UInt8]?
        /// What stands in place of its index.
        var rawKey: [UInt8]?

        var key: [UInt8] { rawKey ?? withUnsafeBytes(of: index.bigEndian) { Array($0) } }
    }

    private(set) var items: [Item] = []
    private var next: UInt64
    var term: UInt64 = 1

    init(from index: UInt64) { next = index }

    /// The same entries from another index on.
    func moved(to index: UInt64) -> TestLog {
        var log = TestLog(from: index)
        for item in items { log.add(type: item.type, item.data, extensions: item.extensions) }
        return log
    }

    mutating func skip(_ count: UInt64) { next += count }

    mutating func add(type: UInt8 = 0, _ data: [UInt8]?, extensions: [UInt8]? = nil) {
        items.append(Item(index: next, term: term, type: type, data: data, extensions: extensions))
        next &+= 1
    }

    mutating func addRaw(_ bytes: [UInt8]) {
        items.append(Item(index: next, raw: bytes))
        next &+= 1
    }

    /// A record whose key is no entry's.
    mutating func addKey(_ key: [UInt8]) { items.append(Item(index: 0, rawKey: key)) }

    mutating func noop() { add(type: 1, nil) }

    mutating func membership(_ voters: Int) {
        let servers = (0..<voters).map { ClusterServer(id: "n\($0)", address: "10.0.0.\($0):8201") }
        add(type: 5, ClusterConfiguration(index: 0, servers: servers).packedServers)
    }

    mutating func put(_ key: StorageKey, _ value: [UInt8]) {
        var writer = LogCommandWriter()
        key.bytes.withUnsafeBytes { key in value.withUnsafeBytes { writer.put(key, $0) } }
        add(writer.bytes)
    }

    mutating func delete(_ key: StorageKey) {
        var writer = LogCommandWriter()
        key.bytes.withUnsafeBytes { writer.delete($0) }
        add(writer.bytes)
    }

    /// Cuts a command into pieces of `size`.
    mutating func chunks(_ command: [UInt8], operation: UInt64, size: Int, between: (inout TestLog) -> Void = { _ in })
    {
        let count = (command.count + size - 1) / size
        for number in 0..<count {
            let piece = Array(command[(number * size)..<min((number + 1) * size, command.count)])
            add(piece, extensions: Self.chunkInfo(operation, UInt64(number), UInt64(count)))
            if number + 1 < count { between(&self) }
        }
    }

    static func chunkInfo(_ operation: UInt64, _ sequence: UInt64, _ count: UInt64) -> [UInt8] {
        [0x08] + varint(operation) + [0x10] + varint(sequence) + [0x18] + varint(count)
    }

    static func varint(_ number: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// One operation of a command.
    static func operation(_ kind: UInt64, _ key: [UInt8] = [], _ value: [UInt8] = []) -> [UInt8] {
        var content = [0x08] + varint(kind)
        if !key.isEmpty { content += [0x1a] + varint(UInt64(key.count)) + key }
        if !value.isEmpty { content += [0x22] + varint(UInt64(value.count)) + value }
        return [0x0a] + varint(UInt64(content.count)) + content
    }

    static func put(_ key: String, _ value: [UInt8]) -> [UInt8] { operation(2, Array(key.utf8), value) }

    static func delete(_ key: String) -> [UInt8] { operation(1, Array(key.utf8)) }

    /// A transaction of OpenBao that began when the leader had applied `start`.
    static func transaction(_ start: UInt64, _ operations: [UInt8]...) -> [UInt8] {
        operation(64, [], Array("{\"i\":\(start)}".utf8)) + operations.flatMap { $0 } + operation(128)
    }

    static func verifyRead(_ key: String, _ value: [UInt8]) throws -> [UInt8] {
        operation(16, Array(key.utf8), try digest(key, value))
    }

    static func verifyList(_ prefix: String, after: String = "", limit: Int, _ names: [String]) throws -> [UInt8] {
        let question = "{\"p\":\"\(prefix)\",\"a\":\"\(after)\",\"l\":\(limit)}"
        return operation(32, Array(question.utf8), try digest(question, Array(names.joined(separator: "\n").utf8)))
    }

    private static func digest(_ name: String, _ value: [UInt8]) throws -> [UInt8] {
        let hasher = try SHA384Hasher()
        try (Array("{\(name)}".utf8) + value).withUnsafeBytes { try hasher.update($0) }
        return [1] + (try hasher.finish())
    }

    /// Writes the log.
    func write(to path: String) throws {
        try FileManager.default.createDirectory(
            atPath: URL(filePath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
        try? FileManager.default.removeItem(atPath: path)
        let builder = try BoltBuilder(path: path)
        try builder.beginBucket(RaftLogFile.configurationBucket)
        try builder.endBucket()
        try builder.beginBucket(RaftLogFile.logBucket)
        for item in items.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            try item.key.withUnsafeBytes { key in
                try (item.raw ?? Self.packed(item)).withUnsafeBytes { try builder.add(key: key, value: $0) }
            }
        }
        try builder.endBucket()
        try builder.finish()
    }

    /// An entry as msgpack, as raft-boltdb writes it.
    static func packed(_ item: Item) -> [UInt8] {
        func text(_ name: String) -> [UInt8] { [0xa0 | UInt8(name.utf8.count)] + Array(name.utf8) }
        func bytes(_ content: [UInt8]?) -> [UInt8] {
            guard let content else { return [0xc0] }
            let head: [UInt8] =
                switch content.count {
                case 0..<32: [0xa0 | UInt8(content.count)]
                case 0..<65_536: [0xda] + withUnsafeBytes(of: UInt16(content.count).bigEndian) { Array($0) }
                default: [0xdb] + withUnsafeBytes(of: UInt32(content.count).bigEndian) { Array($0) }
                }
            return head + content
        }
        func number(_ number: UInt64) -> [UInt8] { [0xcf] + withUnsafeBytes(of: number.bigEndian) { Array($0) } }
        return [0x86] + text("AppendedAt") + [0xc0] + text("Data") + bytes(item.data) + text("Extensions")
            + bytes(item.extensions) + text("Index") + number(item.index) + text("Term") + number(item.term)
            + text("Type") + [item.type]
    }
}

/// Directories whose log runs on behind the data.
enum TestNode {
    /// Writes `vault.db` with data that stands at a position, and the log.
    ///
    /// - Parameters:
    ///   - voters: Of the cluster; `nil` for no record of them.
    ///   - membershipIndex: The entry that set it.
    ///   - rawMembership: What stands in place of its record.
    static func write(
        _ path: String, _ data: [Entry], at index: UInt64, term: UInt64 = 1, voters: Int? = 1,
        membershipIndex: UInt64 = 1, rawMembership: [UInt8]? = nil, _ log: TestLog?
    ) throws {
        try FileManager.default.createDirectory(atPath: "\(path)/raft", withIntermediateDirectories: true)
        try? FileManager.default.removeItem(atPath: "\(path)/vault.db")
        let builder = try BoltBuilder(path: "\(path)/vault.db")
        func add(_ key: [UInt8], _ value: [UInt8]) throws {
            try key.withUnsafeBytes { key in try value.withUnsafeBytes { try builder.add(key: key, value: $0) } }
        }
        try builder.beginBucket(StateMachineNames.config)
        if let voters {
            let servers = (0..<voters).map { ClusterServer(id: "n\($0)", address: "10.0.0.\($0):8201") }
            try add(
                StateMachineNames.latestConfiguration,
                rawMembership ?? ClusterConfiguration(index: membershipIndex, servers: servers).encoded)
        }
        try add(StateMachineNames.latestIndexes, LogPosition(term: term, index: index).encoded)
        try builder.endBucket()
        try builder.beginBucket(StateMachineNames.data)
        for entry in data.sorted() { try add(entry.key.bytes, entry.value) }
        try builder.endBucket()
        try builder.finish()
        try log?.write(to: "\(path)/raft/raft.db")
    }

    /// The data with what is put and deleted, in order.
    static func data(_ entries: [Entry], changed: [(StorageKey, [UInt8]?)]) -> [Entry] {
        var found = Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.value) })
        for (key, value) in changed { found[key] = value }
        return found.map { Entry($0.key, $0.value) }.sorted()
    }
}
