import Glibc
import Storage
import StorageTestKit
import Testing

@testable import SQLiteBackend

@Suite struct SQLiteDestinationTests {
    private let folder: TemporaryFolder
    private var path: String { "\(folder.path)/store.db" }

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test func leavesOnePlainFileThatTheToolReads() throws {
        let store = try SQLiteBackend(path: path, mustExist: false)
        try store.put(.migrationMarker, [1])
        try store.fill((0..<5000).map { TestEntry(StorageKey("k/\(10_000 + $0)"), Array("v\($0)".utf8)) })
        try store.delete(.migrationMarker)
        var info = stat()
        #expect(stat(path, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600)
        for suffix in ["-journal", "-wal", "-shm"] { #expect(access(path + suffix, F_OK) != 0) }
        #expect(
            try sqliteTool(path, "PRAGMA page_size; PRAGMA journal_mode; PRAGMA integrity_check") == "16384\ndelete\nok"
        )
        #expect(
            try sqliteTool(
                path,
                "SELECT typeof(key), CAST(value AS TEXT), count(*) OVER () FROM vault_kv_store ORDER BY key LIMIT 1"
            ) == "blob|v0|5000")
        #expect(store.estimatedBytes().map { $0 > 100_000 && $0 < 1_000_000 } == true)
    }

    @Test(arguments: ["plain", "we\"ird; DROP TABLE x --", "mixed Case", "é", "select"])
    func quotesAnyTableName(_ name: String) throws {
        let store = try SQLiteBackend(path: path, table: name, mustExist: false)
        try store.fill([TestEntry("a", [1])])
        try store.put("b", [2])
        let again = try SQLiteBackend(path: path, table: name, mustExist: true, writable: false)
        #expect(try again.contents() == [TestEntry("a", [1]), TestEntry("b", [2])])
        try expectError(.missingStore, ["other", StorageKey(name).description]) {
            _ = try SQLiteBackend(path: path, table: "other", mustExist: true)
        }
    }

    @Test func namesAnEntryThatIsThereAlready() throws {
        let store = try SQLiteBackend(path: path, mustExist: false)
        try store.put("a/b", [1])
        try expectError(.notEmpty, ["a/b", "vault_kv_store"]) { try store.fill([TestEntry("a/b", [2])]) }
        #expect(try store.get("a/b") == [1])
    }

    @Test func writesBackToOneFileFromWriteAheadLogging() throws {
        _ = try sqliteTool(path, "PRAGMA journal_mode = WAL; CREATE TABLE other (x)")
        let store = try SQLiteBackend(path: path, mustExist: false)
        try store.fill([TestEntry("a", [1])])
        #expect(access(path + "-wal", F_OK) != 0)
        #expect(try sqliteTool(path, "PRAGMA journal_mode; SELECT count(*) FROM vault_kv_store") == "delete\n1")
    }

    @Test(arguments: [0, 40, 70, 160])
    func opensAfterAKillAndStartsOver(batches: Int) async throws {
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, batches = batches as Int] in
            let store = try SQLiteBackend(path: path, mustExist: false)
            let loader = try store.bulkLoader(LoadPlan())
            for number in 0..<batches { try loader.load(killBatch(number)) }
            kill(getpid(), SIGKILL)
        }
        let store = try SQLiteBackend(path: path, mustExist: false)
        let found = try store.contents(ScanRequest(content: .keys)).count
        #expect(found <= batches * 1000 && found % 1000 == 0)
        let loader = try store.bulkLoader(LoadPlan(replacesEntries: true))
        for number in 0..<batches { try loader.load(killBatch(number)) }
        try loader.finish()
        #expect(try store.contents(ScanRequest(content: .keys)).count == batches * 1000)
        #expect(try sqliteTool(path, "PRAGMA integrity_check") == "ok")
    }

    @Test func looksForObstacles() throws {
        let store = try SQLiteBackend(path: "\(folder.path)/none/store.db", mustExist: false)
        #expect(try store.destinationFindings().map(\.kind) == [.obstacle(.missingStore)])
        _ = try sqliteTool(path, "CREATE TABLE vault_kv_store (key BLOB, value BLOB)")
        let foreign = try SQLiteBackend(path: path, mustExist: false)
        #expect(try foreign.destinationFindings().map(\.kind) == [.obstacle(.unsupported)])
        try expectError(.unsupported, ["unique"]) { _ = try foreign.bulkLoader(LoadPlan()) }
    }

    @Test func givesItsFileToTheOwnerWanted() throws {
        // Only root may give files away; anybody may give them to themselves.
        let owner = geteuid() == 0 ? FileOwner(user: 4321, group: 4322) : FileOwner(user: geteuid(), group: getegid())
        let store = try SQLiteBackend(path: path, mustExist: false)
        try store.put(.migrationMarker, [1])
        try store.fill([TestEntry("a", [1])], plan: LoadPlan(owner: owner))
        var info = stat()
        #expect(stat(path, &info) == 0)
        #expect(info.st_uid == owner.user && info.st_gid == owner.group)
    }
}

/// A thousand entries of 1 KiB.
private func killBatch(_ number: Int) -> EntryBatch {
    let batch = EntryBatch()
    let value = [UInt8](repeating: UInt8(number & 255), count: 1024)
    for index in 0..<1000 { batch.append(key: StorageKey("k/\(1_000_000 + number * 1000 + index)"), value: value) }
    return batch
}
