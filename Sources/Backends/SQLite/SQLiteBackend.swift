import Files
import Glibc
package import Storage
import Synchronization

/// A store in one table of an SQLite database: a `key` and a `value` column, both BLOB, a row per entry.
///
/// Keys are compared bytewise. Tables made elsewhere may have TEXT keys, which stand for their bytes.
package final class SQLiteBackend: KeyValueStore, StorageDestination {
    /// Page size of databases made here; larger pages than usual keep values of about 1 KiB out of overflow pages.
    static let pageBytes = 16 << 10
    /// How long a lock of another program is waited for.
    static let busyMilliseconds: Int32 = 5000
    /// Largest database that is checked from end to end on opening; a check reads the file once.
    static let maximumCheckedBytes = 4 << 30

    /// The smallest database is one page of the smallest size (https://www.sqlite.org/fileformat2.html).
    private static let minimumBytes = 512

    package let kind = "sqlite"
    package let location: String
    package let remarks: [String]
    let table: SQLiteTable
    let pool: SQLitePool
    let isWritable: Bool
    private let hasTable: Mutex<Bool>
    /// Held by those who write single entries: waiting here costs less than SQLite's own polling for its lock.
    private let writing = Mutex(())

    /// Opens a store.
    ///
    /// - Parameters:
    ///   - path: The database file.
    ///   - table: The table's name.
    ///   - mustExist: Whether a missing file or table is an error; else the first write makes it.
    ///   - writable: Whether `put` and `delete` work; else the file is opened for reading only.
    ///   - busyMilliseconds: How long a lock of another program is waited for.
    /// - Throws: `.missingStore`, `.inUse` if another program holds the lock, `.damagedStore` for a file that is no
    ///   database or fails SQLite's own check.
    package convenience init(
        path: String, table: String = "vault_kv_store", mustExist: Bool, writable: Bool = true
    ) throws(StorageError) {
        try self.init(
            path: path, table: SQLiteTable(table), mustExist: mustExist, writable: writable,
            busyMilliseconds: Self.busyMilliseconds)
    }

    init(
        path: String, table: SQLiteTable, mustExist: Bool, writable: Bool, busyMilliseconds: Int32,
        maximumCheckedBytes: Int = SQLiteBackend.maximumCheckedBytes
    ) throws(StorageError) {
        self.location = path
        self.table = table
        self.isWritable = writable
        self.pool = SQLitePool(
            path: path, mode: writable ? .readWrite : .readOnly, busyMilliseconds: busyMilliseconds)
        var info = stat()
        guard stat(path, &info) == 0 else {
            guard !mustExist, errno == ENOENT else {
                throw errno == ENOENT
                    ? StorageError(
                        .missingStore,
                        "stat \(path): no such file or directory. A source is never created: correct its path.")
                    : StorageError.system("stat", path, errno: errno)
            }
            self.remarks = []
            self.hasTable = Mutex(false)
            return
        }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw StorageError(.configuration, "\(path) is no regular file. Set path to an SQLite database file.")
        }
        // SQLite takes a shorter file for an empty database, and would write over it.
        guard info.st_size == 0 || info.st_size >= Self.minimumBytes else {
            throw StorageError(.damagedStore, "\(path) is not an SQLite database. Correct the path.")
        }
        let isChecked = Int(info.st_size) <= maximumCheckedBytes
        self.remarks = isChecked ? [] : [Self.uncheckedRemark(path, bytes: Int(info.st_size))]
        let exists = try pool.withConnection { connection throws(StorageError) in
            if isChecked { try Self.checkIntegrity(connection) }
            if try table.exists(connection) { return true }
            if mustExist { throw try table.missing(connection) }
            return false
        }
        self.hasTable = Mutex(exists)
    }

    private static func uncheckedRemark(_ path: String, bytes: Int) -> String {
        "\(path) has \(bytes >> 30) GiB and was not checked from end to end on opening. "
            + "sqlite3 \(path) 'PRAGMA integrity_check' does that."
    }

    /// Not only the faster `quick_check`: a row that the key's index has lost would be missing from every scan.
    private static func checkIntegrity(_ connection: SQLiteConnection) throws(StorageError) {
        let findings = try connection.texts("PRAGMA integrity_check(1)")
        guard let finding = findings.first, finding != "ok" else { return }
        throw StorageError(
            .damagedStore,
            "\(connection.path): the database is damaged (\(StorageKey(String(finding.prefix(200))))). "
                + "Restore it from a backup, or recover it with sqlite3's .recover.")
    }

    package var identity: StoreIdentity {
        let resolved = resolvedPath(location)
        return StoreIdentity("sqlite:\(resolved)#\(table.folded)", path: resolved)
    }

    package var traits: SourceTraits { SourceTraits(isAscending: true) }

    package var serverUse: ServerUse? { nil }

    package var rules: EntryRules {
        // SQLITE_MAX_LENGTH is 1,000,000,000 bytes for a whole row: value, key and a few bytes for their lengths.
        [.longerKey(than: 1 << 20), .largerValue(than: 1_000_000_000 - (1 << 20) - 64)]
    }

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        try read { connection throws(StorageError) in try value(of: key, connection) } ?? nil
    }

    private func value(of key: StorageKey, _ connection: SQLiteConnection) throws(StorageError) -> [UInt8]? {
        let query = try connection.statement("SELECT value FROM \(table.quoted) WHERE \(Self.isKey)")
        try query.bind(1, copying: key.bytes)
        guard try query.step() else { return nil }
        switch try query.cell(0) {
        case .bytes(let bytes), .text(let bytes): return Array(bytes)
        case .null: return []
        case .number: throw table.wrongType("value", connection)
        }
    }

    /// The condition that finds a key kept as BLOB or as TEXT by the column's index, whatever its collation.
    private static let isKey = "key IN (?1, CAST(?1 AS TEXT)) AND CAST(key AS BLOB) = ?1"

    package func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) {
        try checkWritable()
        if let objection = key.bytes.withUnsafeBytes({ rules.objection(to: $0, valueCount: value.count) }) {
            throw StorageError(.limit, "\(location): the entry \(key) cannot be kept: \(objection).", key: key)
        }
        try makeTable(owner: nil)
        try write { connection throws(StorageError) in try put(key, value, connection) }
    }

    package func replace(
        _ key: StorageKey, _ expected: [UInt8]?, with value: [UInt8]
    ) throws(StorageError) -> Bool {
        try checkWritable()
        try makeTable(owner: nil)
        var isWritten = false
        // One transaction, which holds the writer's lock from its beginning.
        try write { connection throws(StorageError) in
            guard try self.value(of: key, connection) == expected else { return }
            try put(key, value, connection)
            isWritten = true
        }
        return isWritten
    }

    private func put(
        _ key: StorageKey, _ value: [UInt8], _ connection: SQLiteConnection
    ) throws(StorageError) {
        let removal = try connection.statement("DELETE FROM \(table.quoted) WHERE \(Self.isKey)")
        try removal.bind(1, copying: key.bytes)
        _ = try removal.step()
        let insertion = try connection.statement("INSERT INTO \(table.quoted) (key, value) VALUES (?1, ?2)")
        try insertion.bind(1, copying: key.bytes)
        try insertion.bind(2, copying: value)
        _ = try insertion.step()
    }

    package func delete(_ key: StorageKey) throws(StorageError) {
        try delete([key])
    }

    package func delete(_ keys: [StorageKey]) throws(StorageError) {
        try checkWritable()
        guard hasTable.withLock({ $0 }), !keys.isEmpty else { return }
        // One transaction, which is synced once.
        try write { connection throws(StorageError) in
            for key in keys {
                let removal = try connection.statement("DELETE FROM \(table.quoted) WHERE \(Self.isKey)")
                try removal.bind(1, copying: key.bytes)
                _ = try removal.step()
            }
        }
    }

    private func checkWritable() throws(StorageError) {
        try pool.checkOpen()
        guard isWritable else { throw StorageError(.unsupported, "\(location) was opened for reading only.") }
    }

    private func write(_ body: (SQLiteConnection) throws(StorageError) -> Void) throws(StorageError) {
        try writing.withLock { _ throws(StorageError) in
            try pool.withConnection { connection throws(StorageError) in
                try connection.transaction("IMMEDIATE") { () throws(StorageError) in try body(connection) }
            }
        }
    }

    /// Runs `body` with a connection; `nil` while a destination has no table.
    func read<Result>(
        _ body: (SQLiteConnection) throws(StorageError) -> Result
    ) throws(StorageError) -> Result? {
        try pool.checkOpen()
        guard hasTable.withLock({ $0 }) else { return nil }
        return try pool.withConnection(body)
    }

    /// Makes file and table where they are missing; durable on return.
    func makeTable(owner: FileOwner?) throws(StorageError) {
        try hasTable.withLock { hasTable throws(StorageError) in
            if !hasTable { try SQLiteFile.create(location) }
            if let owner, chown(location, owner.user, owner.group) != 0 {
                throw StorageError.system("chown", location, errno: errno)
            }
            guard !hasTable else { return }
            try pool.withConnection { connection throws(StorageError) in
                // Without effect on a database that has content.
                try connection.run("PRAGMA page_size = \(Self.pageBytes)")
                try table.create(connection)
            }
            try syncFolder(at: parentFolder(of: location))
            hasTable = true
        }
    }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try checkWritable()
        return try SQLiteLoader(self, plan)
    }

    package func close() {
        pool.close()
    }
}
