import SQLiteBackend

/// Backups and point-in-time recovery.
///
/// | Table | Holds |
/// | --- | --- |
/// | `practice_backups` | a row for each backup: the table's definition and counts |
/// | `practice_backup_<number>` | its items |
/// | `practice_recovery` | which tables have recovery, by number, and since when |
/// | `practice_periods` | for how many days back, where it is not the usual number |
/// | `practice_restores` | of which backup or table a table was made, by its number |
/// | `practice_history_<number>` | of a table with recovery every change: its time and what was there before |
///
/// The history is written by triggers, in the transaction of the change.
extension TableStore {
    private static let definitionColumns =
        "partition_name, partition_type, sort_name, sort_type, read_units, write_units, created"

    static let backupTables = """
        CREATE TABLE IF NOT EXISTS practice_backups (number INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL,
            table_name TEXT NOT NULL, table_number INTEGER NOT NULL, partition_name TEXT NOT NULL,
            partition_type TEXT NOT NULL, sort_name TEXT, sort_type TEXT, read_units INTEGER, write_units INTEGER,
            created INTEGER NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL, made INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS practice_recovery (number INTEGER PRIMARY KEY, since INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS practice_periods (number INTEGER PRIMARY KEY, days INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS practice_restores (number INTEGER PRIMARY KEY, backup TEXT NOT NULL, source TEXT NOT NULL,
            moment INTEGER NOT NULL);
        """

    /// Milliseconds since 1970, in SQL.
    private static let now = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"

    // MARK: Backups

    /// Copies a table.
    ///
    /// - Parameter time: Milliseconds since 1970.
    func createBackup(_ name: String, of table: String, at time: Int) throws(ServiceError) -> TableBackup {
        try changeTables { session, tables throws(ServiceError) in
            guard let found = tables[table] else { throw .noTableToBackUp(table) }
            return try Self.copy(found, name, .user, time, session)
        }
    }

    /// - Parameter table: Its counts are those of the transaction, as nobody else writes.
    static func copy(
        _ table: Table, _ name: String, _ kind: TableBackup.Kind, _ time: Int, _ session: StoreSession
    ) throws(ServiceError) -> TableBackup {
        let definition = table.definition
        let number = Int.random(in: 1..<TableDefinition.maximumNumber)
        let rows = "practice_items_\(definition.number)"
        try session.run(
            "CREATE TABLE practice_backup_\(number) (key BLOB NOT NULL PRIMARY KEY, size INTEGER NOT NULL, item BLOB NOT NULL)"
        )
        try session.run("INSERT INTO practice_backup_\(number) SELECT key, size, item FROM \(rows) ORDER BY key")
        let items = try session.number("SELECT count(*) FROM practice_backup_\(number)")
        let bytes = try session.number("SELECT ifnull(sum(size), 0) FROM practice_backup_\(number)")
        var units = (read: 0, write: 0)
        if case .provisioned(let read, let write) = definition.billing { units = (read, write) }
        try session.run(
            """
            INSERT INTO practice_backups (name, kind, table_name, partition_name, partition_type, sort_name, sort_type,
                number, table_number, read_units, write_units, created, items, bytes, made)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
            """,
            texts: [
                name, kind.rawValue, definition.name, definition.partitionKey.name,
                definition.partitionKey.type.rawValue,
                definition.sortKey?.name ?? "", definition.sortKey?.type.rawValue ?? "",
            ],
            numbers: [number, definition.number, units.read, units.write, definition.createdAt, items, bytes, time])
        return TableBackup(
            number: number, name: name, kind: kind, source: definition, items: items, bytes: bytes, createdAt: time)
    }

    /// All backups, oldest first.
    func backups() throws(ServiceError) -> [TableBackup] {
        try read { session throws(ServiceError) in try Self.backups(session) }
    }

    private static func backups(_ session: StoreSession) throws(ServiceError) -> [TableBackup] {
        var found: [TableBackup] = []
        try session.rows(
            """
            SELECT number, name, kind, table_name, table_number, partition_name, partition_type, ifnull(sort_name, ''),
                ifnull(sort_type, ''), ifnull(read_units, 0), ifnull(write_units, 0), created, items, bytes, made
                FROM practice_backups ORDER BY made, number
            """
        ) { row in
            guard let kind = TableBackup.Kind(rawValue: row.text(2)),
                let type = TableDefinition.KeyType(rawValue: row.text(6))
            else { return }
            let sortType = TableDefinition.KeyType(rawValue: row.text(8))
            let (read, write) = (row.number(9), row.number(10))
            let source = TableDefinition(
                name: row.text(3), number: row.number(4), partitionKey: .init(name: row.text(5), type: type),
                sortKey: sortType.map { .init(name: row.text(7), type: $0) },
                billing: read > 0 && write > 0 ? .provisioned(read: read, write: write) : .perRequest,
                createdAt: row.number(11))
            found.append(
                TableBackup(
                    number: row.number(0), name: row.text(1), kind: kind, source: source, items: row.number(12),
                    bytes: row.number(13), createdAt: row.number(14)))
        }
        return found
    }

    /// The backup of that name for other services.
    func backup(_ resourceName: String) throws(ServiceError) -> TableBackup {
        guard let found = try backups().first(where: { $0.resourceName == resourceName }) else {
            throw .backupNotFound(resourceName)
        }
        return found
    }

    func deleteBackup(_ backup: TableBackup) throws(ServiceError) {
        try changeTables { session, _ throws(ServiceError) in
            guard try Self.backups(session).contains(where: { $0.number == backup.number }) else {
                throw .backupNotFound(backup.resourceName)
            }
            try session.run("DROP TABLE practice_backup_\(backup.number)")
            try session.run("DELETE FROM practice_backups WHERE number = ?1", texts: [], numbers: [backup.number])
        }
    }

    /// Makes a table of what a backup holds.
    func restore(
        _ backup: TableBackup, as name: String, billing: TableDefinition.Billing, at time: Int
    ) throws(ServiceError) -> Table {
        try changeTables { session, tables throws(ServiceError) in
            guard tables[name] == nil else { throw .tableAlreadyExists(name) }
            guard try Self.backups(session).contains(where: { $0.number == backup.number }) else {
                throw .backupNotFound(backup.resourceName)
            }
            let origin = RestoreOrigin(
                backup: backup.resourceName, table: backup.source.resourceName, moment: backup.createdAt)
            return try Self.fill(name, like: backup.source, origin, billing, time, session, &tables) { rows in
                "INSERT INTO \(rows) SELECT key, size, item FROM practice_backup_\(backup.number)"
            }
        }
    }

    /// Makes a table with the rows that statements bring.
    private static func fill(
        _ name: String, like source: TableDefinition, _ origin: RestoreOrigin, _ billing: TableDefinition.Billing,
        _ time: Int, _ session: StoreSession, _ tables: inout [String: Table], _ statements: (String) -> String
    ) throws(ServiceError) -> Table {
        var table = try addTable(
            name, partitionKey: source.partitionKey, sortKey: source.sortKey, billing: billing, at: time, session,
            &tables)
        let rows = "practice_items_\(table.definition.number)"
        try session.run(statements(rows))
        table.items = try session.number("SELECT count(*) FROM \(rows)")
        table.bytes = try session.number("SELECT ifnull(sum(size), 0) FROM \(rows)")
        try session.run(
            "UPDATE practice_tables SET items = ?2, bytes = ?3 WHERE name = ?1", texts: [name],
            numbers: [table.items, table.bytes])
        try session.run(
            "INSERT INTO practice_restores (backup, source, number, moment) VALUES (?1, ?2, ?3, ?4)",
            texts: [origin.backup ?? "", origin.table], numbers: [table.definition.number, origin.moment])
        tables[name] = table
        return table
    }

    /// Of what a table was made; `nil` if it began empty.
    func origin(of table: TableDefinition) throws(ServiceError) -> RestoreOrigin? {
        try read { session throws(ServiceError) in
            var found: RestoreOrigin?
            try session.rows("SELECT backup, source, moment FROM practice_restores WHERE number = \(table.number)") {
                row in
                let backup = row.text(0)
                found = RestoreOrigin(
                    backup: backup.isEmpty ? nil : backup, table: row.text(1), moment: row.number(2))
            }
            return found
        }
    }

    // MARK: Point-in-time recovery

    /// The point-in-time recovery of a table; `nil` if it has none.
    func recovery(of table: TableDefinition) throws(ServiceError) -> RecoveryPeriod? {
        try read { session throws(ServiceError) in try Self.recovery(of: table, session) }
    }

    static func recovery(of table: TableDefinition, _ session: StoreSession) throws(ServiceError) -> RecoveryPeriod? {
        var found: RecoveryPeriod?
        try session.rows(
            """
            SELECT since, ifnull(days, \(RecoveryPeriod.mostDays)) FROM practice_recovery LEFT JOIN practice_periods
                USING (number) WHERE number = \(table.number)
            """
        ) { found = RecoveryPeriod(since: $0.number(0), days: $0.number(1)) }
        return found
    }

    /// Turns a table's point-in-time recovery on or off; off, its history is gone.
    ///
    /// - Parameter days: How far back it reaches; `nil` leaves that as it is.
    /// - Returns: What the table has then.
    func setRecovery(_ isOn: Bool, days: Int?, of name: String, at time: Int) throws(ServiceError) -> RecoveryPeriod? {
        try changeTables { session, tables throws(ServiceError) in
            guard let table = tables[name]?.definition else { throw .noTableToBackUp(name) }
            let found = try Self.recovery(of: table, session)
            guard isOn else {
                if found != nil { try Self.endRecovery(of: table, session) }
                return nil
            }
            if let days {
                try session.run(
                    "INSERT OR REPLACE INTO practice_periods (number, days) VALUES (?1, ?2)", texts: [],
                    numbers: [table.number, days])
            }
            if let found { return RecoveryPeriod(since: found.since, days: days ?? found.days) }
            let history = "practice_history_\(table.number)"
            let rows = "practice_items_\(table.number)"
            session.forget(table: table.number)
            try session.run(
                """
                CREATE TABLE \(history) (sequence INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, key BLOB NOT NULL,
                    size INTEGER, item BLOB);
                CREATE INDEX \(history)_keys ON \(history) (key, sequence);
                CREATE TRIGGER \(history)_insert AFTER INSERT ON \(rows) BEGIN
                    INSERT INTO \(history) (at, key) VALUES (\(Self.now), NEW.key); END;
                CREATE TRIGGER \(history)_update AFTER UPDATE ON \(rows) BEGIN
                    INSERT INTO \(history) (at, key, size, item) VALUES (\(Self.now), OLD.key, OLD.size, OLD.item); END;
                CREATE TRIGGER \(history)_delete AFTER DELETE ON \(rows) BEGIN
                    INSERT INTO \(history) (at, key, size, item) VALUES (\(Self.now), OLD.key, OLD.size, OLD.item); END;
                """)
            try session.run(
                "INSERT INTO practice_recovery (number, since) VALUES (?1, ?2)", texts: [],
                numbers: [table.number, time])
            return RecoveryPeriod(since: time, days: days ?? RecoveryPeriod.mostDays)
        }
    }

    static func endRecovery(of table: TableDefinition, _ session: StoreSession) throws(ServiceError) {
        let history = "practice_history_\(table.number)"
        session.forget(table: table.number)
        for change in ["insert", "update", "delete"] { try session.run("DROP TRIGGER \(history)_\(change)") }
        try session.run("DROP TABLE \(history)")
        for kept in ["recovery", "periods"] {
            try session.run("DELETE FROM practice_\(kept) WHERE number = ?1", texts: [], numbers: [table.number])
        }
    }

    /// The rows of a table as they were, as a query for key, size and item.
    ///
    /// - Parameter time: Milliseconds since 1970, not before recovery was turned on.
    private static func rows(of table: TableDefinition, at time: Int) -> String {
        let (history, rows) = ("practice_history_\(table.number)", "practice_items_\(table.number)")
        // What the first change after that time has replaced was there then.
        return """
            SELECT key, size, item FROM \(rows) WHERE key NOT IN (SELECT key FROM \(history) WHERE at > \(time))
            UNION ALL
            SELECT key, size, item FROM \(history) WHERE item IS NOT NULL AND sequence IN
                (SELECT min(sequence) FROM \(history) WHERE at > \(time) GROUP BY key)
            """
    }

    /// Makes a table of what another one held at a time.
    func restore(
        _ source: TableDefinition, asItWasAt moment: Int, as name: String, billing: TableDefinition.Billing,
        at time: Int
    ) throws(ServiceError) -> Table {
        try changeTables { session, tables throws(ServiceError) in
            guard tables[name] == nil else { throw .tableAlreadyExists(name) }
            guard try Self.recovery(of: source, session) != nil else { throw .recoveryUnavailable(source.name) }
            let origin = RestoreOrigin(backup: nil, table: source.resourceName, moment: moment)
            return try Self.fill(name, like: source, origin, billing, time, session, &tables) { rows in
                "INSERT INTO \(rows) (key, size, item) \(Self.rows(of: source, at: moment))"
            }
        }
    }

    /// Gives every item that a table held at a time, borrowed.
    func walk(
        _ source: TableDefinition, asItWasAt moment: Int,
        _ body: (UnsafeRawBufferPointer) throws(ServiceError) -> Void
    ) throws(ServiceError) {
        try read { session throws(ServiceError) in
            guard try Self.recovery(of: source, session) != nil else { throw .recoveryUnavailable(source.name) }
            try session.blobs("SELECT item FROM (\(Self.rows(of: source, at: moment)))", body)
        }
    }
}
