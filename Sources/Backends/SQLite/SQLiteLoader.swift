import Files
import Storage
import Synchronization

/// Fills a table by one prepared statement in large transactions.
///
/// Every transaction is synced and guarded by a rollback journal, which stays small: new pages are only appended, and
/// SQLite keeps the former content of changed pages alone. So a run that is killed, or whose machine loses power,
/// leaves a database that opens and holds whole transactions; the next run replaces them.
final class SQLiteLoader: BulkLoader {
    /// Bytes of keys and values in a transaction. Its pages stay in memory until it ends.
    private static let transactionBytes = 20 << 20
    /// Entries in a transaction, for tiny values.
    private static let transactionEntries = 200_000
    /// Page memory: a transaction's pages, table and index, with their books.
    private static let cacheKiB = 38 << 10

    private struct State {
        var connection: SQLiteConnection?
        var insertion: Insertion?
        var bytes = 0
        var entries = 0
        var origin = ReadBackOrigin.cache
    }

    /// The statement, used by the thread that holds the state's lock.
    // Unchecked: it never leaves the state.
    private struct Insertion: @unchecked Sendable {
        let statement: SQLiteStatement
    }

    private let store: SQLiteBackend
    private let pool: BatchPool
    private let state: Mutex<State>

    init(_ store: SQLiteBackend, _ plan: LoadPlan) throws(StorageError) {
        try store.makeTable(owner: plan.owner)
        let connection = try store.pool.open(cacheKiB: Self.cacheKiB)
        guard try store.table.hasUniqueKey(connection), try store.table.keyForm(connection) == .bytes else {
            throw StorageError(
                .unsupported,
                "\(store.location): table \(store.table.shown) was made elsewhere, with TEXT keys or without a unique "
                    + "index on key. Name another table with \"table\".")
        }
        // From write-ahead logging back to a rollback journal: at the end one file holds everything. Refused while
        // another program has the database open; then the end of the load empties the log instead.
        store.pool.closeIdle()
        _ = try? connection.texts("PRAGMA journal_mode = DELETE")
        let conflict = plan.replacesEntries ? "ON CONFLICT (key) DO UPDATE SET value = excluded.value" : ""
        let statement = try connection.statement(
            "INSERT INTO \(store.table.quoted) (key, value) VALUES (?1, ?2) \(conflict)")
        self.store = store
        self.pool = plan.pool
        self.state = Mutex(State(connection: connection, insertion: Insertion(statement: statement)))
    }

    let needsAscendingKeys = false

    func load(_ batch: EntryBatch) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            guard let connection = state.connection, let statement = state.insertion?.statement else {
                throw StorageError(.io, "\(store.location): the load has ended already.")
            }
            if state.entries == 0 { try connection.run("BEGIN IMMEDIATE") }
            for index in 0..<batch.count {
                try statement.bind(1, borrowing: batch.key(index))
                try statement.bind(2, borrowing: batch.value(index))
                guard try statement.runOnce() else { throw duplicate(batch.key(index)) }
            }
            // An empty batch has begun a transaction as well, hence at least one.
            state.entries += max(batch.count, 1)
            state.bytes += batch.byteCount
            if state.bytes >= Self.transactionBytes || state.entries >= Self.transactionEntries {
                try Self.commit(&state)
            }
        }
        pool.recycle(batch)
    }

    private func duplicate(_ key: UnsafeRawBufferPointer) -> StorageError {
        StorageError(
            .notEmpty,
            "\(store.location), table \(store.table.shown): the entry \(escapedKey(key)) is there already. "
                + "Start with an empty table.", key: StorageKey(copying: key))
    }

    private static func commit(_ state: inout State) throws(StorageError) {
        guard state.entries > 0 else { return }
        try state.connection?.run("COMMIT")
        state.entries = 0
        state.bytes = 0
    }

    func finish() throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            guard let connection = state.connection else { return }
            try Self.commit(&state)
            _ = try connection.texts("PRAGMA wal_checkpoint(TRUNCATE)")
            state.insertion = nil
            state.connection = nil
        }
    }

    func sync() throws(StorageError) {
        try syncFolder(at: parentFolder(of: store.location))
    }

    func readFromDisk() {
        // Idle connections have pages in a memory of their own.
        store.pool.closeIdle()
        let isDropped = try? store.pool.withConnection { connection throws(StorageError) in
            // Until the first question the file is not open.
            _ = try connection.number("PRAGMA page_count")
            return SQLiteFile.dropCache(store.location)
        }
        store.pool.closeIdle()
        if isDropped == true { state.withLock { $0.origin = .disk } }
    }

    var readBackOrigin: ReadBackOrigin { state.withLock { $0.origin } }

    func written() throws(StorageError) -> any StorageSource { store }

    func publish() throws(StorageError) {}

    func abandon() {
        state.withLock { state in
            state.insertion = nil
            state.connection?.rollBack()
            state.connection = nil
        }
    }
}
