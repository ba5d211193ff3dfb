import Glibc
import Storage
import StorageTestKit
import TestSupport
import Testing

@testable import SQLiteBackend

@Suite struct SQLiteSourceTests {
    private let folder: TemporaryFolder
    private var path: String { "\(folder.path)/store.db" }

    init() throws {
        folder = try TemporaryFolder()
    }

    private func open(busyMilliseconds: Int32 = 50, writable: Bool = false) throws -> SQLiteBackend {
        try SQLiteBackend(
            path: path, table: SQLiteTable("vault_kv_store"), mustExist: true, writable: writable,
            busyMilliseconds: busyMilliseconds)
    }

    @Test func neverCreatesOrChangesASource() throws {
        try expectError(.missingStore, ["store.db", "no such file"]) { _ = try open() }
        #expect(access(path, F_OK) != 0)
        try SQLiteBackend(path: path, mustExist: false).fill([TestEntry("a", [1])])
        let before = try readFile(path)
        let store = try open()
        _ = try store.contents()
        try expectError(.unsupported, ["reading only"]) { try store.put("b", [1]) }
        try expectError(.unsupported, ["reading only"]) { try store.delete("a") }
        #expect(try readFile(path) == before)
    }

    /// The index of a write-ahead log is mapped by the library: a hole in it is an error, never a signal.
    @Test func anIndexThatIsCutWhileItIsInUseIsAnError() throws {
        try SQLiteFile.create(path)
        let other = try SQLiteConnection(path: path, mode: .readWrite, busyMilliseconds: 50, cacheKiB: 100)
        _ = try other.texts("PRAGMA journal_mode = WAL")
        try other.run("CREATE TABLE vault_kv_store (key BLOB NOT NULL UNIQUE, value BLOB NOT NULL)")
        try other.run("INSERT INTO vault_kv_store VALUES (x'61', x'01')")
        let store = try open(writable: true)
        #expect(try store.contents() == [TestEntry("a", [1])])
        #expect(truncate("\(path)-shm", 0) == 0)
        try expectError(.io, ["store.db-shm", "at byte "]) { _ = try store.contents() }
        try expectError(.io, ["store.db-shm"]) { _ = try store.get("a") }
    }

    /// A log that is settled is not looked for; one that somebody begins meanwhile is noticed all the same.
    @Test func aLogThatIsBegunWhileTheDatabaseIsOpenEndsTheNextRead() throws {
        try SQLiteBackend(path: path, mustExist: false).fill([TestEntry("a", [1])])
        _ = try sqliteTool(path, "PRAGMA journal_mode = WAL")
        let store = try open()
        #expect(try store.get("a") == [1])
        let other = try SQLiteConnection(path: path, mode: .readWrite, busyMilliseconds: 50, cacheKiB: 100)
        try other.run("INSERT INTO vault_kv_store (key, value) VALUES (x'62', x'02')")
        try expectError(.inUse, ["store.db was written to while it was read"]) { _ = try store.get("a") }
        #expect(try store.get("b") == [2])
    }

    /// A database is read with plain reads.
    @Test(arguments: [0, 16384, 20000])
    func aDatabaseThatIsCutWhileItIsReadIsAnError(size: Int) throws {
        try SQLiteBackend(path: path, mustExist: false).fill(
            (0..<600).map { TestEntry(StorageKey("k/\(1000 + $0)"), Array(repeating: 7, count: 2000)) })
        let store = try open()
        try expectError(nil, ["store.db"]) {
            try store.scan(ScanRequest()) { _ throws(StorageError) in
                truncate(path, off_t(size))
                return true
            }
            _ = try store.contents()
        }
    }

    @Test func refusesWhatIsNoDatabase() throws {
        for content in ["x", "not a database at all", String(repeating: "{\"Value\":\"\"}\n", count: 500)] {
            try writeFile(path, Array(content.utf8))
            try expectError(.damagedStore, ["store.db", "not an SQLite database"]) { _ = try open() }
        }
        try writeFile(path, [])
        try expectError(.missingStore, ["vault_kv_store", "none at all"]) { _ = try open() }
        try expectError(.configuration, ["regular file"]) {
            _ = try SQLiteBackend(path: folder.path, mustExist: true)
        }
    }

    @Test func namesTheTablesThatAreThere() throws {
        _ = try sqliteTool(path, "CREATE TABLE one (x); CREATE TABLE vault_store (key BLOB, value BLOB)")
        try expectError(.missingStore, ["one, vault_store"]) { _ = try open() }
        try expectError(.damagedStore, ["\"one\"", "\"key\""]) {
            _ = try SQLiteBackend(path: path, table: "one", mustExist: true)
        }
    }

    @Test func saysThatItIsLocked() throws {
        try SQLiteBackend(path: path, mustExist: false).fill([TestEntry("a", [1])])
        let store = try open(writable: true)
        let other = try SQLiteConnection(path: path, mode: .readWrite, busyMilliseconds: 0, cacheKiB: 100)
        try other.run("BEGIN EXCLUSIVE")
        try expectError(.inUse, ["locked"]) { _ = try open() }
        try expectError(.inUse, ["locked"]) { try store.put("b", [1]) }
        try expectError(.inUse, ["locked"]) { _ = try store.contents() }
        #expect(try store.destinationFindings().map(\.kind) == [.obstacle(.inUse)])
        other.rollBack()
        #expect(try store.contents() == [TestEntry("a", [1])])
    }

    @Test func readsTextKeysAsTheirBytes() throws {
        _ = try sqliteTool(
            path,
            "CREATE TABLE vault_kv_store (key TEXT COLLATE NOCASE, value BLOB); INSERT INTO vault_kv_store VALUES "
                + "('b', 'text'), (x'61', x'00ff'), ('a/x', NULL), ('B', x'02'), (x'ff', x'03'), ('a/y/z', x'04')")
        let store = try open(writable: true)
        let wanted = [
            TestEntry("B", [2]), TestEntry("a", [0, 255]), TestEntry("a/x", []), TestEntry("a/y/z", [4]),
            TestEntry("b", Array("text".utf8)), TestEntry(StorageKey([0xff]), [3]),
        ]
        #expect(try store.contents() == wanted)
        #expect(try store.list("") == ["B", "a", "a/", "b", StorageKey([0xff])])
        #expect(try store.list("a/") == ["x", "y/"])
        for entry in wanted { #expect(try store.get(entry.key) == entry.value) }
        var parts: [TestEntry] = []
        for partition in try store.partitions(4) {
            var request = ScanRequest()
            request.partition = partition
            try store.scan(request) { batch in
                parts.append(contentsOf: batch.testEntries)
                return true
            }
        }
        #expect(parts == wanted)
        try store.put("b", [9])
        #expect(try store.get("b") == [9])
        try store.delete("a")
        #expect(try store.contents().map(\.key) == ["B", "a/x", "a/y/z", "b", StorageKey([0xff])])
        #expect(try store.destinationFindings().map(\.kind) == [.obstacle(.unsupported)])
    }

    @Test(
        arguments: [
            ("(7, x'00')", "rowid 3"), ("(NULL, x'00')", "rowid 3"), ("(x'63', 12)", "rowid 3"),
            ("(x'62', x'00')", "twice"), ("('b', x'00')", "twice"),
        ])
    func namesTheRowThatIsNoEntry(_ row: String, _ place: String) throws {
        _ = try sqliteTool(
            path,
            "CREATE TABLE vault_kv_store (key, value); INSERT INTO vault_kv_store VALUES (x'61', x'01'), "
                + "(x'62', x'02'), \(row)")
        let store = try open()
        do {
            _ = try store.contents()
            Issue.record("the row was read")
        } catch let error as StorageError {
            #expect(error.code == .damagedEntry || error.code == .damagedStore)
            #expect(error.message.contains(place) && error.message.contains("store.db"))
        }
    }

    @Test func readsTablesWithoutRowNumbers() throws {
        _ = try sqliteTool(
            path,
            "CREATE TABLE vault_kv_store (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID; "
                + "INSERT INTO vault_kv_store VALUES (x'62', x'02'), (x'61', x'01')")
        let store = try open(writable: true)
        #expect(try store.partitions(8) == [.whole])
        #expect(try store.contents() == [TestEntry("a", [1]), TestEntry("b", [2])])
        try store.fill([TestEntry("b", [3]), TestEntry("c", [4])], plan: LoadPlan(replacesEntries: true))
        #expect(try store.contents() == [TestEntry("a", [1]), TestEntry("b", [3]), TestEntry("c", [4])])
    }

    @Test func noticesARowThatTheIndexHasLost() throws {
        // The index is taken out of the schema while a row is added, and put back.
        _ = try sqliteTool(
            path,
            "CREATE TABLE vault_kv_store (key BLOB NOT NULL, value BLOB NOT NULL); "
                + "CREATE UNIQUE INDEX by_key ON vault_kv_store (key); "
                + "INSERT INTO vault_kv_store VALUES (x'61', x'01'), (x'62', x'02'); "
                + "CREATE TABLE kept AS SELECT * FROM sqlite_master WHERE name = 'by_key'; "
                + "PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = 'by_key'")
        _ = try sqliteTool(
            path,
            "INSERT INTO vault_kv_store VALUES (x'63', x'03'); PRAGMA writable_schema = ON; "
                + "INSERT INTO sqlite_master SELECT * FROM kept")
        try expectError(.damagedStore, ["missing from index by_key"]) { _ = try open() }
    }

    @Test func survivesDamageAnywhere() throws {
        try SQLiteBackend(path: path, mustExist: false).fill(
            (0..<600).map { TestEntry(StorageKey("k/\(1000 + $0)"), Array(repeating: 7, count: $0)) })
        let whole = try readFile(path)
        var random = SeededRandom(11)
        for round in 0..<300 {
            var damaged = whole
            if round % 3 == 0 { damaged.removeLast(Int.random(in: 1..<whole.count, using: &random)) }
            for _ in 0..<(1 << Int.random(in: 0...7, using: &random)) {
                // Half of the hits near a page's head, where its structure is.
                let page = Int.random(in: 0...(damaged.count / 16384), using: &random) * 16384
                let near = page + Int.random(in: 0..<256, using: &random)
                let place = Bool.random(using: &random) ? near : Int.random(in: 0..<damaged.count, using: &random)
                if place < damaged.count { damaged[place] = UInt8(truncatingIfNeeded: random.next()) }
            }
            try writeFile(path, damaged)
            for maximumCheckedBytes in [0, Int.max] {
                do {
                    let store = try SQLiteBackend(
                        path: path, table: SQLiteTable("vault_kv_store"), mustExist: true, writable: false,
                        busyMilliseconds: 0, maximumCheckedBytes: maximumCheckedBytes)
                    #expect(store.remarks.isEmpty == (maximumCheckedBytes > 0))
                    _ = try store.contents()
                    _ = try store.partitions(5)
                    _ = try store.list("k/")
                } catch let error as StorageError {
                    #expect(error.message.contains("store.db"), "round \(round): \(error.message)")
                }
            }
        }
    }

    @Test func settingsAreReadStrictly() throws {
        let driver = SQLiteBackend.driver()
        func settings(_ pairs: [String: String]) -> BackendSettings {
            BackendSettings(
                block: "storage_source", settings: pairs.map { BackendSetting(name: $0.key, value: $0.value) })
        }
        for pairs in [[:], ["path": ""], ["path": path, "table": ""], ["path": path, "table": "a\0b"]] {
            try expectError(.configuration, [pairs["table"] == nil ? "path" : "table"]) {
                _ = try driver.open(settings(pairs), .destination(DestinationContext()))
            }
        }
        let one = try driver.open(settings(["path": path]), .destination(DestinationContext()))
        let same = try driver.open(
            settings(["path": "\(folder.path)/./store.db", "table": "VAULT_kv_store"]),
            .destination(DestinationContext()))
        #expect(one.identity == same.identity)
        #expect(access(path, F_OK) != 0)
    }
}
