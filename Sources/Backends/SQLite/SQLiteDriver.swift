import Files
import Glibc
package import Storage

extension SQLiteBackend {
    private static let pathOption = BackendOption("path", .path, "The database file.")
    private static let tableOption = BackendOption(
        "table", .text, default: SQLiteTable.defaultName, "The table's name; it has the columns key and value.")

    /// How `sqlite` is configured and opened.
    package static func driver(kind: String = "sqlite") -> BackendDriver {
        BackendDriver(
            kind: kind, summary: "A table in an SQLite database file.",
            notes: """
                One table with key and value; no server runs on it. For drills, archives and looking at a store with sqlite3.
                """,
            options: [pathOption, tableOption, BackendOption(ignored: "max_parallel")],
            openSource: { settings, context throws(StorageError) in
                try open(settings, mustExist: true, writable: context.writesMarker)
            },
            // Opening for writing alone undoes what a killed writer left, and makes or removes files.
            openDestination: { settings, context throws(StorageError) in
                try open(settings, mustExist: false, writable: !context.isDryRun)
            })
    }

    private static func open(
        _ settings: BackendSettings, mustExist: Bool, writable: Bool
    ) throws(StorageError) -> SQLiteBackend {
        let path = try settings.path(pathOption)
        let table = try SQLiteTable(
            settings.text(tableOption) ?? SQLiteTable.defaultName, place: settings.place(of: tableOption))
        return try SQLiteBackend(
            path: path, table: table, mustExist: mustExist, writable: writable, busyMilliseconds: busyMilliseconds)
    }

    package func destinationFindings() throws(StorageError) -> [StoreFinding] {
        try pool.checkOpen()
        if let finding = StoreFinding.danglingLink(on: location) { return [finding] }
        let folder = parentFolder(of: location)
        var info = stat()
        guard stat(folder, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            return [
                StoreFinding(
                    .obstacle(.missingStore), "\(folder): there is no such folder. Make it, or correct the path.")
            ]
        }
        // SQLite puts its journal beside the file, so the folder counts even if the file is there.
        for path in [folder, location] where access(path, F_OK) == 0 && access(path, W_OK) != 0 {
            let problem = StorageError.system("write to", path, errno: errno)
            return [StoreFinding(.obstacle(problem.code), problem.message)]
        }
        guard access(location, F_OK) == 0 else { return [] }
        do throws(StorageError) {
            try pool.withConnection { connection throws(StorageError) in try lookAtTable(connection) }
            return []
        } catch {
            return [StoreFinding(.obstacle(error.code), error.message)]
        }
    }

    package func roomNeeded(for size: StoreSize) -> RoomNeeded? {
        guard let bytes = size.bytes else { return nil }
        // Keys are kept twice, and pages are not full: 12 % were measured at 1 KiB an entry, small ones take more.
        // Two files: the database, if it is not there yet, and its journal.
        return RoomNeeded(
            folder: parentFolder(of: location), bytes: bytes.clampedSum(bytes / 4).clampedSum(1 << 20),
            files: access(location, F_OK) == 0 ? 1 : 2)
    }

    private func lookAtTable(_ connection: SQLiteConnection) throws(StorageError) {
        // Takes the writer's lock and gives it back: the file stays as it is. A dry run only reads.
        try connection.run(isWritable ? "BEGIN IMMEDIATE" : "BEGIN")
        defer { connection.rollBack() }
        guard try table.exists(connection) else { return }
        guard try table.keyForm(connection) == .bytes else {
            throw StorageError(
                .unsupported, "\(location): table \(table.shown) has TEXT keys. Name another table with \"table\".")
        }
        guard try table.hasUniqueKey(connection) else {
            throw StorageError(
                .unsupported,
                "\(location): table \(table.shown) has no unique index on key. Name another with \"table\", or make one."
            )
        }
    }
}
