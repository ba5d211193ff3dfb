import CSystem
import Files
import Storage
import Synchronization

/// Idle connections to one database, so that a call need not open its own.
final class SQLitePool: Sendable {
    /// Connections kept open while nobody uses them.
    private static let maximumIdle = 8
    /// Page memory of a connection that reads or writes single entries.
    private static let cacheKiB = 4 << 10

    private struct State {
        var idle: [SQLiteConnection] = []
        var isClosed = false
    }

    private let path: String
    private let mode: SQLiteConnection.Mode
    private let busyMilliseconds: Int32
    private let state = Mutex(State())
    /// The guard of the log's index, which the library maps; see ``checkIndex()``.
    private let indexGuard: Int32

    init(path: String, mode: SQLiteConnection.Mode, busyMilliseconds: Int32) {
        self.path = path
        self.mode = mode
        self.busyMilliseconds = busyMilliseconds
        self.indexGuard = cs_guard_file(resolvedPath(path) + "-shm")
    }

    deinit {
        cs_guard_file_release(indexGuard)
    }

    /// - Throws: `.io` if the index of a write-ahead log was cut, or could not be read, while it was mapped: what was read
    ///   since must not be used.
    func checkIndex() throws(StorageError) {
        let fault = cs_guard_file_fault(indexGuard)
        guard fault < 0 else {
            throw StorageError(
                .io,
                "\(path)-shm cannot be read at byte \(fault): it was cut while the database was in use, or the disk "
                    + "failed. Stop whatever did that, and run again.")
        }
    }

    /// - Throws: `.io` if the store was closed.
    func checkOpen() throws(StorageError) {
        if state.withLock({ $0.isClosed }) { throw StorageError(.io, "sqlite: the store was closed.") }
    }

    /// Runs `body` with a connection nobody else uses.
    func withConnection<Result>(
        _ body: (SQLiteConnection) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try checkOpen()
        let connection = if let idle = state.withLock({ $0.idle.popLast() }) { idle } else { try open() }
        let outcome = Swift.Result { () throws(StorageError) in try body(connection) }
        try checkIndex()
        let result = try outcome.get()
        try connection.checkUnchanged()
        // After an error the connection is dropped instead: a fresh one knows nothing of what went wrong.
        state.withLock { state in
            if !state.isClosed, state.idle.count < Self.maximumIdle { state.idle.append(connection) }
        }
        return result
    }

    /// Runs `body` with several connections nobody else uses.
    func withConnections<Result>(
        _ count: Int, _ taken: [SQLiteConnection] = [],
        _ body: ([SQLiteConnection]) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        guard taken.count < count else { return try body(taken) }
        return try withConnection { connection throws(StorageError) in
            try withConnections(count, taken + [connection], body)
        }
    }

    /// A connection outside the pool.
    func open(cacheKiB: Int = SQLitePool.cacheKiB) throws(StorageError) -> SQLiteConnection {
        let connection = try SQLiteConnection(
            path: path, mode: mode, busyMilliseconds: busyMilliseconds, cacheKiB: cacheKiB)
        // EXTRA also syncs the folder when the journal is deleted, without which a lost journal's return after a power
        // failure would undo a commit.
        if mode == .readWrite { try connection.run("PRAGMA synchronous = EXTRA") }
        return connection
    }

    /// Closes idle connections, as a change of the journal's mode needs.
    func closeIdle() {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            return state.idle
        }
        _ = idle
    }

    /// Closes idle connections now, others when they come back.
    func close() {
        let idle = state.withLock { state in
            defer { state = State(idle: [], isClosed: true) }
            return state.idle
        }
        _ = idle
    }
}
