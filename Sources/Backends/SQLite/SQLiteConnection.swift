import CSQLite
import Glibc
package import Storage

/// One connection to a database file. For one thread at a time; ``SQLitePool`` sees to that.
// Unchecked: a connection is owned by whoever took it out of the pool, or by one loader.
package final class SQLiteConnection: @unchecked Sendable {
    /// What may be done to the database.
    package enum Mode: Sendable {
        /// Nothing beside or in the file changes either: no journal is undone, no log or index of one is made.
        case readOnly
        case readWrite
    }

    private let handle: OpaquePointer
    /// Where the database is, for messages.
    package let path: String
    /// How the database was before it was opened, if it is read without locks, which a writer would not be noticed by.
    private let stamp: DatabaseStamp?

    /// Opens an existing file, which may have no content yet.
    ///
    /// - Parameters:
    ///   - busyMilliseconds: How long a lock of somebody else is waited for.
    ///   - cacheKiB: Most memory for pages.
    package convenience init(path: String, mode: Mode, busyMilliseconds: Int32, cacheKiB: Int) throws(StorageError) {
        // Names such as `:memory:` and `file:…` mean something else to SQLite unless a folder stands before them.
        let name = path.hasPrefix("/") ? path : "./" + path
        switch mode {
        case .readWrite: try self.init(name, shownAs: path, mode)
        case .readOnly:
            let stamp = DatabaseStamp(path)
            let access = try ReadOnlyAccess(path)
            try self.init(access.uri(name), shownAs: path, mode, stamp: access == .settledLog ? stamp : nil)
        }
        sqlite3_busy_timeout(handle, busyMilliseconds)
        try run("PRAGMA cache_size = -\(cacheKiB)")
    }

    /// A new database in memory, gone with the connection.
    package convenience init(inMemory: Void) throws(StorageError) {
        try self.init(":memory:", shownAs: "memory", .readWrite)
    }

    private init(
        _ name: String, shownAs path: String, _ mode: Mode, stamp: DatabaseStamp? = nil
    ) throws(StorageError) {
        var opened: OpaquePointer?
        let access = mode == .readOnly ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE
        let flags = access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let result = sqlite3_open_v2(name, &opened, flags, nil)
        guard let opened else { throw StorageError(.io, "open \(path): out of memory") }
        guard result == SQLITE_OK else {
            let error = SQLiteConnection.failure(opened, result, "open", path)
            sqlite3_close_v2(opened)
            throw error
        }
        self.handle = opened
        self.path = path
        self.stamp = stamp
        // A foreign schema is data: it must not call functions, and its cells are checked before use.
        // Nor is it mapped: reading a map of a file that is cut meanwhile ends the process.
        try run("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0")
    }

    deinit {
        sqlite3_close_v2(handle)
    }

    /// - Throws: `.inUse` if the database is read without locks and was written to since it was opened: what was read must
    ///   not be used.
    func checkUnchanged() throws(StorageError) {
        guard stamp == nil || stamp == DatabaseStamp(path) else {
            throw StorageError(
                .inUse, "\(path) was written to while it was read. Stop what uses it and run again.")
        }
    }

    /// Runs statements that return nothing of interest.
    package func run(_ sql: String) throws(StorageError) {
        let result = sqlite3_exec(handle, sql, nil, nil, nil)
        guard result == SQLITE_OK else { throw failure(result, "use") }
    }

    /// Prepares a statement.
    package func statement(_ sql: String) throws(StorageError) -> SQLiteStatement {
        var statement: OpaquePointer?
        let result = sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
        guard result == SQLITE_OK, let statement else { throw failure(result, "use") }
        return SQLiteStatement(statement, of: self)
    }

    /// The first column of the first row as a number; `nil` without a row.
    package func number(_ sql: String) throws(StorageError) -> Int? {
        let query = try statement(sql)
        return try query.step() ? query.number(0) : nil
    }

    /// The first column of every row as text.
    package func texts(_ sql: String, _ argument: String? = nil) throws(StorageError) -> [String] {
        let query = try statement(sql)
        if let argument { try query.bind(1, text: argument) }
        var found: [String] = []
        while try query.step() { found.append(query.text(0)) }
        return found
    }

    /// Runs `body` in a transaction, undone if it throws.
    ///
    /// - Parameter kind: `DEFERRED` to read one state of the store, `IMMEDIATE` to write.
    package func transaction<Result>(
        _ kind: String, _ body: () throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try run("BEGIN \(kind)")
        do throws(StorageError) {
            let result = try body()
            try run("COMMIT")
            return result
        } catch {
            rollBack()
            throw error
        }
    }

    /// Undoes the transaction under way, if there is one.
    package func rollBack() {
        // Some failures have undone it already; then there is nothing left to undo, and that is no failure.
        if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }

    /// The error for a result code of the library.
    func failure(_ result: Int32, _ action: String) -> StorageError {
        Self.failure(handle, result, action, path)
    }
}

extension SQLiteConnection {
    /// Translates result codes (https://www.sqlite.org/rescode.html).
    private static func failure(
        _ handle: OpaquePointer, _ result: Int32, _ action: String, _ path: String
    ) -> StorageError {
        let text = sqlite3_errmsg(handle).map { String(cString: $0) } ?? "error \(result)"
        let reason = StorageKey(text.prefix(300).description).description
        switch result & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED:
            return StorageError(
                .inUse, "\(path): the database is locked by another program. Stop what uses it and run again.")
        case SQLITE_NOTADB:
            return StorageError(
                .damagedStore, "\(path) is not an SQLite database, or an encrypted one. Correct the path.")
        case SQLITE_CORRUPT:
            return StorageError(
                .damagedStore,
                "\(path): the database is damaged (\(reason)). Restore it from a backup, or recover it with "
                    + "sqlite3's .recover.")
        case SQLITE_FULL:
            return StorageError(.noSpace, "\(action) \(path): no space left on device. Make room and run again.")
        case SQLITE_TOOBIG:
            return StorageError(
                .limit, "\(action) \(path): an entry is larger than SQLite keeps (1,000,000,000 bytes).")
        case SQLITE_READONLY where ExtendedCode.needsRecovery.contains(result):
            return StorageError(
                .io,
                "\(path): a program was cut off while writing, and undoing that needs write access, which is not taken "
                    + "here. Open the file once with the sqlite3 command, as its owner, and run again; a migration into "
                    + "it does so by itself.")
        case SQLITE_IOERR, SQLITE_CANTOPEN:
            let number = sqlite3_system_errno(handle)
            if result & 0xff == SQLITE_CANTOPEN, number == ENOENT, access(path, F_OK) == 0 {
                return noJournal(action, path)
            }
            return number != 0
                ? StorageError.system(action, path, errno: number) : StorageError(.io, "\(action) \(path): \(reason)")
        case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
            return StorageError(.io, "\(action) \(path): \(reason). Run as a user who may, or change owner or mode.")
        case SQLITE_INTERRUPT: return .cancelled
        default: return StorageError(.io, "\(action) \(path): \(reason)")
        }
    }

    /// Why a journal could not be made. The library forgets that, because it then looks whether there is one that it could read.
    private static func noJournal(_ action: String, _ path: String) -> StorageError {
        var info = statvfs()
        let hasRoom = statvfs(path, &info) != 0 || info.f_bavail > 0 && (info.f_files == 0 || info.f_favail > 0)
        return hasRoom
            ? StorageError(
                .io,
                "\(action) \(path): its journal \(path)-journal cannot be made. See who may write to the folder, and run again."
            )
            : StorageError.system("create", "\(path)-journal", errno: ENOSPC)
    }
}

/// Result codes that are macros with arithmetic, which Swift does not import (https://www.sqlite.org/rescode.html).
enum ExtendedCode {
    /// A unique index or a primary key has the key already: SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY.
    static let duplicateKey = [SQLITE_CONSTRAINT | 8 << 8, SQLITE_CONSTRAINT | 6 << 8]
    /// A reader met what a writer left when it was cut off: SQLITE_READONLY_RECOVERY, SQLITE_READONLY_ROLLBACK.
    static let needsRecovery = [SQLITE_READONLY | 1 << 8, SQLITE_READONLY | 3 << 8]
}
