import Storage

/// The table that holds the entries, and what is known of how it was made.
struct SQLiteTable: Sendable {
    /// The default table name, as Vault's SQL backends call theirs.
    static let defaultName = "vault_kv_store"

    /// How keys are to be compared.
    enum KeyForm {
        /// Every key is a BLOB: the column's own order is the key order, and its index serves it.
        case bytes
        /// Some keys are TEXT, which SQLite orders before all BLOBs: their bytes have to be sorted.
        case mixed

        /// The expression to compare and sort by.
        var expression: String { self == .bytes ? "key" : "CAST(key AS BLOB)" }
    }

    let name: String
    /// The name as it stands in a statement.
    let quoted: String

    /// - Throws: `.configuration` for a name no table can have.
    init(_ name: String, place: SettingPlace? = nil) throws(StorageError) {
        guard !name.isEmpty, !name.utf8.contains(0) else {
            throw StorageError(
                .configuration, "table must be the name of a table, without zero bytes.", place: place)
        }
        self.name = name
        var quoted = "\""
        for character in name.unicodeScalars {
            if character == "\"" { quoted.append("\"") }
            quoted.unicodeScalars.append(character)
        }
        self.quoted = quoted + "\""
    }

    /// The name in the form in which SQLite takes two names for one: ASCII letters in lower case.
    var folded: String {
        String(decoding: name.utf8.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// Makes the table if it is not there. Rows lie in the order they come, with an index on the key: at the page size
    /// used, inserting in key order is several times as fast as into a table without row numbers.
    func create(_ connection: SQLiteConnection) throws(StorageError) {
        try connection.run(
            "CREATE TABLE IF NOT EXISTS \(quoted) (key BLOB NOT NULL UNIQUE, value BLOB NOT NULL)")
    }

    /// Whether the table is there.
    ///
    /// - Throws: `.damagedStore` if it is and has not the columns needed.
    func exists(_ connection: SQLiteConnection) throws(StorageError) -> Bool {
        let columns = try connection.texts("SELECT lower(name) FROM pragma_table_xinfo(?1)", name)
        guard !columns.isEmpty else { return false }
        for column in ["key", "value"] where !columns.contains(column) {
            throw StorageError(
                .damagedStore,
                "\(connection.path): table \(shown) has no column \"\(column)\". Name another table with \"table\".")
        }
        return true
    }

    /// The error for a source without the table.
    func missing(_ connection: SQLiteConnection) throws(StorageError) -> StorageError {
        let names = try connection.texts(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite@_%' ESCAPE '@' "
                + "ORDER BY name LIMIT 20")
        let found =
            names.isEmpty
            ? "it has none at all" : "it has " + names.map { StorageKey($0).description }.joined(separator: ", ")
        return StorageError(
            .missingStore, "\(connection.path) has no table \(shown); \(found). Name the right one with \"table\".")
    }

    /// How the keys in the table are kept.
    ///
    /// - Throws: `.damagedEntry` if some key is neither BLOB nor TEXT.
    func keyForm(_ connection: SQLiteConnection) throws(StorageError) -> KeyForm {
        // NULL and numbers sort before TEXT, TEXT before BLOB: the first key tells whether there is any of them.
        switch try connection.texts("SELECT typeof(key) FROM \(quoted) ORDER BY key LIMIT 1").first {
        case nil, "blob": return .bytes
        case "text":
            guard try connection.texts("PRAGMA encoding").first == "UTF-8" else {
                throw StorageError(
                    .unsupported,
                    "\(connection.path): table \(shown) has TEXT keys in a database that keeps text as UTF-16. "
                        + "Change the keys to BLOB (UPDATE … SET key = CAST(key AS BLOB)) in a UTF-8 database.")
            }
            return .mixed
        default: throw wrongType("key", connection)
        }
    }

    /// Whether writing one key twice is noticed: the key alone is unique.
    func hasUniqueKey(_ connection: SQLiteConnection) throws(StorageError) -> Bool {
        let indexes = try connection.texts(
            "SELECT name FROM pragma_index_list(?1) AS list WHERE list.\"unique\" = 1 AND list.partial = 0 AND "
                + "(SELECT group_concat(lower(name)) FROM pragma_index_info(list.name)) = 'key'", name)
        return !indexes.isEmpty
    }

    /// The error for a row whose key or value is of a type no entry can have.
    func wrongType(_ column: String, _ connection: SQLiteConnection, key: StorageKey? = nil) -> StorageError {
        let allowed = column == "key" ? "'blob', 'text'" : "'blob', 'text', 'null'"
        // A table without row numbers has nothing to name the row by.
        let row = try? connection.number(
            "SELECT rowid FROM \(quoted) WHERE typeof(\(column)) NOT IN (\(allowed)) LIMIT 1")
        let place = row.map { "rowid \($0)" } ?? "a row"
        return StorageError(
            .damagedEntry,
            "\(connection.path), table \(shown), \(place): the \(column) is no BLOB. Correct or delete the row.",
            key: key)
    }

    /// The name for messages.
    var shown: String { "\"\(StorageKey(name).description)\"" }
}
