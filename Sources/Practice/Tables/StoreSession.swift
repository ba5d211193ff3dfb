import SQLiteBackend
import Storage

/// One connection to the tables' database, with the statements it has prepared. For one thread at a time.
// Unchecked: owned by whoever took it out of the pool, or by the thread that writes.
final class StoreSession: @unchecked Sendable {
    /// How a table's counts change with a transaction.
    struct Change {
        var items = 0
        var bytes = 0
    }

    private enum Purpose: Hashable {
        case get, size, insert, update, delete, forward, backward
    }

    private struct StatementKey: Hashable {
        let table: Int
        let purpose: Purpose
    }

    private var connection: SQLiteConnection?
    private var statements: [StatementKey: SQLiteStatement] = [:]
    private var changes: [String: Change] = [:]
    private var countStatement: SQLiteStatement?
    /// The first failure of the transaction under way: none of it may be kept.
    private var failure: StorageError?

    init(_ connection: SQLiteConnection) {
        self.connection = connection
    }

    // MARK: Transactions, for the store

    func begin() throws(StorageError) {
        failure = nil
        changes = [:]
        try open().run("BEGIN IMMEDIATE")
    }

    /// Commits and gives back what changed.
    func commit() throws(StorageError) -> [String: Change] {
        if let failure { throw failure }
        for (name, change) in changes { try count(change, name) }
        try open().run("COMMIT")
        defer { changes = [:] }
        return changes
    }

    private func count(_ change: Change, _ name: String) throws(StorageError) {
        let statement: SQLiteStatement
        if let countStatement {
            statement = countStatement
        } else {
            statement = try open().statement(
                "UPDATE practice_tables SET items = items + ?1, bytes = bytes + ?2 WHERE name = ?3")
            countStatement = statement
        }
        try statement.bind(1, number: change.items)
        try statement.bind(2, number: change.bytes)
        try statement.bind(3, text: name)
        _ = try statement.runOnce()
    }

    func rollBack() {
        changes = [:]
        connection?.rollBack()
    }

    func close(checkpoints: Bool) {
        statements = [:]
        countStatement = nil
        if checkpoints { _ = try? connection?.texts("PRAGMA wal_checkpoint(TRUNCATE)") }
        connection = nil
    }

    private func open() throws(StorageError) -> SQLiteConnection {
        guard let connection else { throw StorageError(.io, "the practice table was closed") }
        return connection
    }

    /// Forgets a table's statements, which would keep it from being dropped.
    func forget(table number: Int) {
        statements = statements.filter { $0.key.table != number }
    }

    // MARK: Items

    /// Calls `body` with the bytes of an item, borrowed; `nil` if there is none.
    func withItem<Result>(
        _ table: TableDefinition, _ key: ItemPosition,
        _ body: (UnsafeRawBufferPointer?) throws(ServiceError) -> Result
    ) throws(ServiceError) -> Result {
        try key.bytes.withBytes { key throws(ServiceError) in
            let query = try query(table, .get, key)
            defer { query.reset() }
            return try body(try step(query) ? try bytes(query, 0) : nil)
        }
    }

    /// The size of an item, `nil` if there is none.
    func size(_ table: TableDefinition, _ key: ItemPosition) throws(ServiceError) -> Int? {
        try key.bytes.withBytes { key throws(ServiceError) in
            let query = try query(table, .size, key)
            defer { query.reset() }
            return try step(query) ? query.number(0) : nil
        }
    }

    /// Writes an item in place of the one there, if any.
    ///
    /// - Parameter oldSize: The size of that one, as ``size(_:_:)`` gave it.
    func put(_ table: TableDefinition, _ key: ItemPosition, _ item: StoredItem, oldSize: Int?) throws(ServiceError) {
        try attempt { () throws(StorageError) in
            let statement = try statement(table, oldSize == nil ? .insert : .update)
            try key.bytes.withBytes { key throws(StorageError) in
                try item.bytes.withBytes { bytes throws(StorageError) in
                    try statement.bind(1, borrowing: key)
                    try statement.bind(2, number: item.size)
                    try statement.bind(3, borrowing: bytes)
                    _ = try statement.runOnce()
                }
            }
        }
        changes[table.name, default: Change()].items += oldSize == nil ? 1 : 0
        changes[table.name, default: Change()].bytes += item.size - (oldSize ?? 0)
    }

    /// Removes an item that is there.
    func delete(_ table: TableDefinition, _ key: ItemPosition, oldSize: Int) throws(ServiceError) {
        try attempt { () throws(StorageError) in
            let statement = try statement(table, .delete)
            try key.bytes.withBytes { key throws(StorageError) in
                try statement.bind(1, borrowing: key)
                _ = try statement.runOnce()
            }
        }
        changes[table.name, default: Change()].items -= 1
        changes[table.name, default: Change()].bytes -= oldSize
    }

    /// A range of places in a table and the direction to go through it.
    struct Range {
        /// Places from here on, this one included unless `excludesLower`.
        var lower: [UInt8] = []
        var excludesLower = false
        /// Places before this one; `nil` for the end of the table.
        var upper: [UInt8]?
        var isBackward = false
    }

    /// Calls `body` with each item of a range, bytes borrowed; `false` ends the walk.
    func walk(
        _ table: TableDefinition, _ range: Range,
        _ body: (UnsafeRawBufferPointer) throws(ServiceError) -> Bool
    ) throws(ServiceError) {
        // Nothing sorts between a key and the same key with a zero byte.
        let lower = range.excludesLower ? range.lower + [0] : range.lower
        let upper = range.upper ?? [UInt8](repeating: 0xff, count: 16)
        try lower.withBytes { lower throws(ServiceError) in
            try upper.withBytes { upper throws(ServiceError) in
                let query = try query(table, range.isBackward ? .backward : .forward, lower)
                defer { query.reset() }
                try attempt { () throws(StorageError) in try query.bind(2, borrowing: upper) }
                while try step(query) {
                    guard try body(try bytes(query, 0)) else { return }
                }
            }
        }
    }

    private func query(
        _ table: TableDefinition, _ purpose: Purpose, _ key: UnsafeRawBufferPointer
    ) throws(ServiceError) -> SQLiteStatement {
        try attempt { () throws(StorageError) in
            let statement = try statement(table, purpose)
            try statement.bind(1, borrowing: key)
            return statement
        }
    }

    private func statement(_ table: TableDefinition, _ purpose: Purpose) throws(StorageError) -> SQLiteStatement {
        let name = StatementKey(table: table.number, purpose: purpose)
        if let known = statements[name] { return known }
        let rows = "practice_items_\(table.number)"
        let sql =
            switch purpose {
            case .get: "SELECT item FROM \(rows) WHERE key = ?1"
            case .size: "SELECT size FROM \(rows) WHERE key = ?1"
            case .insert: "INSERT INTO \(rows) (key, size, item) VALUES (?1, ?2, ?3)"
            case .update: "UPDATE \(rows) SET size = ?2, item = ?3 WHERE key = ?1"
            case .delete: "DELETE FROM \(rows) WHERE key = ?1"
            case .forward: "SELECT item FROM \(rows) WHERE key >= ?1 AND key < ?2 ORDER BY key"
            case .backward: "SELECT item FROM \(rows) WHERE key >= ?1 AND key < ?2 ORDER BY key DESC"
            }
        let made = try open().statement(sql)
        statements[name] = made
        return made
    }

    private func step(_ query: SQLiteStatement) throws(ServiceError) -> Bool {
        try attempt { () throws(StorageError) in try query.step() }
    }

    private func bytes(_ query: SQLiteStatement, _ column: Int32) throws(ServiceError) -> UnsafeRawBufferPointer {
        try attempt { () throws(StorageError) in
            guard case .bytes(let bytes) = try query.cell(column) else {
                throw StorageError(.damagedStore, "an item is no BLOB")
            }
            return bytes
        }
    }

    /// Runs a statement without a result.
    func run(_ sql: String) throws(ServiceError) {
        try attempt { () throws(StorageError) in try open().run(sql) }
    }

    /// The first column of the first row as a number.
    func number(_ sql: String) throws(ServiceError) -> Int {
        try attempt { () throws(StorageError) in
            guard let number = try open().number(sql) else { throw StorageError(.damagedStore, "a row is missing") }
            return number
        }
    }

    /// Calls `body` for each row of a query.
    func rows(_ sql: String, _ body: (SQLiteStatement) -> Void) throws(ServiceError) {
        try attempt { () throws(StorageError) in
            let query = try open().statement(sql)
            while try query.step() { body(query) }
        }
    }

    /// Calls `body` with the first column of each row, bytes borrowed.
    func blobs(
        _ sql: String, _ body: (UnsafeRawBufferPointer) throws(ServiceError) -> Void
    ) throws(ServiceError) {
        let query = try attempt { () throws(StorageError) in try open().statement(sql) }
        while try step(query) { try body(try bytes(query, 0)) }
    }

    /// Runs a statement with values for its parameters, texts before numbers.
    func run(_ sql: String, texts: [String], numbers: [Int]) throws(ServiceError) {
        try attempt { () throws(StorageError) in
            let statement = try open().statement(sql)
            for (index, text) in texts.enumerated() { try statement.bind(Int32(index + 1), text: text) }
            for (index, number) in numbers.enumerated() {
                try statement.bind(Int32(texts.count + index + 1), number: number)
            }
            _ = try statement.runOnce()
        }
    }

    /// A failure of the database is the service's internal error; the transaction under way is given up.
    private func attempt<Result>(_ body: () throws(StorageError) -> Result) throws(ServiceError) -> Result {
        do throws(StorageError) {
            return try body()
        } catch {
            if failure == nil { failure = error }
            throw .database(error)
        }
    }
}
