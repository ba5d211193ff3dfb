import Glibc
import Storage
import StorageTestKit
import Synchronization
import TestSupport
import Testing

@testable import SQLiteBackend

/// Ranges of one table that are read side by side.
@Suite struct SQLiteScanTests {
    private let folder: TemporaryFolder
    private var path: String { "\(folder.path)/store.db" }

    /// In key order.
    private static let entries: [TestEntry] = {
        var random = SeededRandom(17)
        return (0..<12_000).map { index in
            TestEntry(StorageKey("logical/\(100_000 + index)"), random.bytes(random.below(200)))
        }
    }()

    init() throws {
        folder = try TemporaryFolder()
        // Rows in another order than their keys.
        var random = SeededRandom(18)
        let connection = try made()
        try connection.run("BEGIN")
        let insertion = try connection.statement("INSERT INTO vault_kv_store VALUES (?1, ?2)")
        for entry in Self.entries.shuffled(using: &random) {
            try insertion.bind(1, copying: entry.key.bytes)
            try insertion.bind(2, copying: entry.value)
            _ = try insertion.runOnce()
        }
        try connection.run("COMMIT")
    }

    private func made() throws -> SQLiteConnection {
        try SQLiteFile.create(path)
        let connection = try SQLiteConnection(path: path, mode: .readWrite, busyMilliseconds: 50, cacheKiB: 1000)
        _ = try connection.texts("PRAGMA journal_mode = WAL")
        try connection.run("CREATE TABLE vault_kv_store (key BLOB NOT NULL UNIQUE, value BLOB NOT NULL)")
        return connection
    }

    private func open() throws -> SQLiteBackend { try SQLiteBackend(path: path, mustExist: true) }

    /// Scans in ranges of 32 KiB, about fifty of them.
    private func scanned(
        _ store: SQLiteBackend, _ request: ScanRequest = ScanRequest(readers: 3),
        onBatch: (EntryBatch) throws -> Bool = { _ in true }
    ) throws -> [TestEntry] {
        var found: [TestEntry] = []
        try SQLiteScan(store: store, request: request, rangeBytes: 32 << 10).run { batch throws(StorageError) in
            found += batch.testEntries
            do {
                return try onBatch(batch)
            } catch {
                throw StorageError(.io, "\(error)")
            }
        }
        return found
    }

    @Test func everyEntryComesOnceAndInOrder() throws {
        let store = try open()
        defer { store.close() }
        var request = ScanRequest(readers: 3)
        let threads = Mutex<Set<UInt>>([])
        request.isCancelled = {
            threads.withLock { _ = $0.insert(UInt(pthread_self())) }
            return false
        }
        #expect(try scanned(store, request) == Self.entries)
        // Not only on the caller's own.
        #expect(threads.withLock { $0.count } > 1)
        #expect(try scanned(store, ScanRequest(readers: 1)) == Self.entries)
        var keys = ScanRequest(content: .keys, readers: 3)
        keys.partition = .whole
        #expect(try scanned(store, keys).map(\.key) == Self.entries.map(\.key))
    }

    @Test func boundsAndCursorsAreKeptTo() throws {
        let store = try open()
        defer { store.close() }
        for (lower, upper, after) in [(0, 12_000, 5), (700, 11_000, nil), (0, 9_000, 8_000), (5_000, 5_001, nil)] {
            var request = ScanRequest(readers: 3)
            request.partition = StoragePartition(
                from: lower == 0 ? nil : Self.entries[lower].key,
                to: upper == Self.entries.count ? nil : Self.entries[upper].key)
            request.cursor = after.map { ScanCursor(Self.entries[$0].key.bytes) }
            let first = max(lower, after.map { $0 + 1 } ?? 0)
            #expect(try scanned(store, request) == Array(Self.entries[first..<upper]), "\(lower) \(upper)")
        }
        // Every batch says where to go on.
        var cursors: [(cursor: ScanCursor?, read: Int)] = []
        var read = 0
        _ = try scanned(store) { batch in
            read += batch.count
            cursors.append((batch.cursor, read))
            return true
        }
        for (cursor, read) in cursors {
            #expect(cursor != nil)
            var request = ScanRequest(readers: 3)
            request.cursor = cursor
            #expect(try scanned(store, request) == Array(Self.entries[read...]))
        }
    }

    /// What is written while the scan goes on is in none of its ranges.
    @Test func allRangesAreOfOneState() throws {
        let store = try open()
        defer { store.close() }
        var hasWritten = false
        let found = try scanned(store) { _ in
            guard !hasWritten else { return true }
            hasWritten = true
            let other = try SQLiteConnection(path: path, mode: .readWrite, busyMilliseconds: 50, cacheKiB: 100)
            try other.run("UPDATE vault_kv_store SET value = x'00'")
            try other.run("INSERT INTO vault_kv_store VALUES (CAST('z' AS BLOB), x'01')")
            return true
        }
        #expect(hasWritten && found == Self.entries)
        #expect(try scanned(store).count == Self.entries.count + 1)
    }

    @Test func itEndsWithTheCallerAndWithAnError() throws {
        let store = try open()
        defer { store.close() }
        var batches = 0
        _ = try scanned(store) { _ in
            batches += 1
            return batches < 3
        }
        #expect(batches == 3)
        try expectError(.io, ["enough"]) {
            _ = try scanned(store) { _ in throw StorageError(.unsupported, "enough") }
        }
        let other = try SQLiteConnection(path: path, mode: .readWrite, busyMilliseconds: 50, cacheKiB: 100)
        try other.run("UPDATE vault_kv_store SET value = 7 WHERE key = CAST('logical/109000' AS BLOB)")
        var given = 0
        try expectError(.damagedEntry, ["rowid"]) {
            _ = try scanned(store) { batch in
                given += batch.count
                return true
            }
        }
        // Everything of the ranges before it came first, nothing behind it.
        #expect(given > 0 && given <= 9_000)
    }
}
