import Foundation
import Storage
import TestSupport

@testable import Barrier

extension StructureTally {
    /// Counts entries as they come.
    mutating func count(_ entries: some Sequence<Entry>) {
        for entry in entries {
            entry.key.bytes.withUnsafeBytes { key in entry.value.withUnsafeBytes { count(key: key, value: $0) } }
        }
    }
}

/// What a look at entries says.
func report(_ entries: some Sequence<Entry>) -> StructureReport {
    var tally = StructureTally()
    tally.count(entries)
    return tally.finish()
}

/// A store as a server leaves it, with random bytes for ciphertext.
struct SoundStore {
    var entries: [Entry] = []
    private var random: SeededRandom

    /// - Parameters:
    ///   - term: The active term.
    ///   - secrets: Entries of mounts, each of `sizes` bytes of plaintext.
    init(seed: Int, term: UInt32 = 3, secrets: Int = 200, sizes: ClosedRange<Int> = 0...300) {
        random = SeededRandom(seed)
        let configuration =
            #"{"type":"shamir","secret_shares":5,"secret_threshold":3,"pgp_keys":null,"nonce":"","backup":false,"stored_shares":1}"#
        add("core/seal-config", Array(configuration.utf8))
        add("core/hsm/barrier-unseal-keys", [0x0a, 0x4c] + random.bytes(76) + [0x2a, 0])
        add("core/keyring", envelope(1, 700))
        add("core/master", envelope(term, 114))
        add("core/shamir-kek", envelope(1, 32))
        for name in ["core/mounts", "core/auth", "core/audit", "core/cluster/local/info", "core/wrapping/jwtkey"] {
            add(name, envelope(1, 150))
        }
        for name in ["default", "root"] { add("sys/policy/\(name)", envelope(1, 80)) }
        for number in 0..<secrets {
            let mount = number % 3
            let size = sizes.lowerBound + random.below(sizes.count)
            add(
                "logical/\(mount)c1b7c2e-0000-4000-8000-00000000000\(mount)/secret-\(number)",
                envelope(1 + UInt32(random.below(Int(term))), size))
        }
    }

    mutating func add(_ key: String, _ value: [UInt8]) { entries.append(Entry(StorageKey(key), value)) }

    /// A value that the barrier might have written.
    mutating func envelope(_ term: UInt32, _ plaintextBytes: Int, version: UInt8 = 2) -> [UInt8] {
        header(term, version) + random.bytes(28 + plaintextBytes)
    }

    /// Changes the value of an entry.
    mutating func change(_ key: StorageKey, _ change: ([UInt8]) -> [UInt8]) {
        for index in entries.indices where entries[index].key == key {
            entries[index].value = change(entries[index].value)
        }
    }

    mutating func remove(_ key: StorageKey) { entries.removeAll { $0.key == key } }
}

/// The first five bytes of an envelope.
func header(_ term: UInt32, _ version: UInt8 = 2) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: term >> UInt32(24 - 8 * $0)) } + [version]
}

/// Entries of a real server's store that stand in `Tests/Fixtures` in the form of a service's own export.
func exported(_ fixture: String) throws -> [Entry] {
    let folder = Fixture(fixture)
    let isSQL = FileManager.default.fileExists(atPath: folder.path("dump.sql.gz"))
    let text = try runProgram("/usr/bin/env", ["gzip", "-dc", folder.path(isSQL ? "dump.sql.gz" : "items.jsonl.gz")])
    let lines = text.utf8.split(separator: UInt8(ascii: "\n")).map { Data($0) }
    switch fixture {
    case "mysql-vault":
        // There is a table of locks besides.
        let start = Data("INSERT INTO `vault` ".utf8)
        return lines.drop { !$0.starts(with: start) }.dropFirst().prefix { $0.starts(with: Data("(".utf8)) }
            .compactMap { rowOfMySQL($0) }
    case "postgresql-vault", "postgresql-openbao": return lines.compactMap { rowOfPostgreSQL($0) }
    default: return try lines.map { try object($0) }
    }
}

private struct Item: Decodable {
    var key: String
    var value: Data?
    var body: Data?
}

/// An object of S3, or a key of etcd with its prefix.
private func object(_ line: Data) throws -> Entry {
    let item = try JSONDecoder().decode(Item.self, from: line)
    if let body = item.body { return Entry(StorageKey(item.key), Array(body)) }
    let key = Array(Data(base64Encoded: item.key) ?? Data())
    return Entry(StorageKey(Array(key.dropFirst("/vault/".utf8.count))), Array(item.value ?? Data()))
}

/// `(0x…,0x…),`
private func rowOfMySQL(_ line: Data) -> Entry? {
    guard line.starts(with: Data("(0x".utf8)) else { return nil }
    let parts = line.split(separator: UInt8(ascii: ","))
    guard parts.count >= 2, let key = digits(parts[0].dropFirst(3)), let value = digits(parts[1].dropFirst(2)) else {
        return nil
    }
    return Entry(StorageKey(key), value)
}

/// `<parent>⇥/<path>⇥<name>⇥\\x…`
private func rowOfPostgreSQL(_ line: Data) -> Entry? {
    let parts = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
    guard parts.count == 4, parts[3].starts(with: Data("\\\\x".utf8)), let value = digits(parts[3].dropFirst(3)) else {
        return nil
    }
    return Entry(StorageKey(Array(parts[1].dropFirst()) + Array(parts[2])), value)
}

/// What hexadecimal digits stand for, up to whatever is none.
private func digits(_ text: Data) -> [UInt8]? {
    let digits = text.prefix { hexDigitValue($0) != nil }.compactMap { hexDigitValue($0) }
    guard digits.count % 2 == 0 else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}
