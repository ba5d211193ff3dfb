import Glibc
import SQLiteBackend
import Storage
import Synchronization
import Workers

/// The tables' rows in an SQLite database, and in memory what is asked on every request: definitions and counts.
///
/// Any number of readers, each with a connection of its own (write-ahead log). Writers queue: whoever comes first
/// commits for all who wait, so that many small requests share one transaction.
final class TableStore: Sendable {
    /// A table and what is in it.
    struct Table: Sendable {
        var definition: TableDefinition
        var items: Int
        var bytes: Int
    }

    /// Write requests that one transaction may take together.
    private static let maximumGroup = 64
    /// Pages of 16 KiB; larger ones than usual keep small items out of overflow pages.
    private static let pageBytes = 16 << 10

    private struct Queue {
        var waiting: [WriteJob] = []
        var isWriting = false
    }

    private let path: String?
    private let lock: DatabaseLock?
    private let readers: ReaderPool
    private let connection: SQLiteConnection
    /// The writer's session; used only by the thread that has set `isWriting`.
    private let writer: StoreSession
    private let queue = Monitor(Queue())
    private let known: Mutex<[String: Table]>

    /// Opens the database, made with mode 0600 if it is not there.
    ///
    /// - Parameter path: `nil` keeps everything in memory.
    init(path: String?) throws(StorageError) {
        self.path = path
        if let path {
            try Self.checkPlace(path)
            try SQLiteFile.create(path)
        }
        lock = try path.map { path throws(StorageError) in try DatabaseLock(path) }
        connection = try Self.connect(path, .readWrite)
        try Self.prepare(connection, isFile: path != nil)
        writer = StoreSession(connection)
        // Memory belongs to one connection, which then serves readers and writers in turn.
        readers = ReaderPool(path == nil ? writer : nil) { () throws(StorageError) in
            StoreSession(try Self.connect(path, .readOnly))
        }
        known = Mutex(try Self.load(connection))
    }

    /// Says what is wrong with a path in words that help, where the system's own would not.
    private static func checkPlace(_ path: String) throws(StorageError) {
        var info = stat()
        let isThere = stat(path, &info) == 0
        if path.hasSuffix("/") || isThere && info.st_mode & S_IFMT == S_IFDIR {
            throw StorageError(
                .configuration, "-path \(path) names a folder. Name a file in it, such as table.sqlite.")
        }
        guard !isThere, let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return }
        let folder = String(path[..<slash])
        guard stat(folder, &info) != 0 else { return }
        let reason = systemMessage(errno)
        throw StorageError(
            .configuration,
            "-path \(path): the folder \(folder) cannot be used (\(reason)). Make it, or name a file in another one.")
    }

    private static func connect(_ path: String?, _ mode: SQLiteConnection.Mode) throws(StorageError) -> SQLiteConnection
    {
        guard let path else { return try SQLiteConnection(inMemory: ()) }
        let connection = try SQLiteConnection(path: path, mode: mode, busyMilliseconds: 5000, cacheKiB: 32 << 10)
        // Rows lie in the order they were written, and a scan goes by key: mapped pages make that cheap. Checking every
        // cell of each page that a single row is read from took three quarters of a scan's time.
        try connection.run("PRAGMA mmap_size = \(2 << 30); PRAGMA cell_size_check = OFF")
        return connection
    }

    private static func prepare(_ connection: SQLiteConnection, isFile: Bool) throws(StorageError) {
        let names = try connection.texts("SELECT name FROM sqlite_master WHERE type = 'table'")
        guard names.isEmpty || names.contains("practice_tables") else {
            throw StorageError(
                .configuration,
                "\(connection.path) is a database of something else, not of a practice table. Name another file.")
        }
        try connection.run("PRAGMA page_size = \(pageBytes)")
        // A killed process loses nothing with NORMAL in a write-ahead log; a power failure may lose the last commits.
        if isFile {
            try connection.run("PRAGMA journal_mode = WAL")
            try connection.run("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4096")
        }
        try connection.run(
            """
            CREATE TABLE IF NOT EXISTS practice_tables (
                number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, partition_name TEXT NOT NULL,
                partition_type TEXT NOT NULL, sort_name TEXT, sort_type TEXT, read_units INTEGER, write_units INTEGER,
                created INTEGER NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL)
            """)
        try connection.run(backupTables)
    }

    private static func load(_ connection: SQLiteConnection) throws(StorageError) -> [String: Table] {
        let query = try connection.statement(
            """
            SELECT number, name, partition_name, partition_type, ifnull(sort_name, ''), ifnull(sort_type, ''),
                ifnull(read_units, 0), ifnull(write_units, 0), created, items, bytes FROM practice_tables
            """)
        var tables: [String: Table] = [:]
        while try query.step() {
            let name = query.text(1)
            guard let type = TableDefinition.KeyType(rawValue: query.text(3)) else { continue }
            let sortType = TableDefinition.KeyType(rawValue: query.text(5))
            let (read, write) = (query.number(6), query.number(7))
            let definition = TableDefinition(
                name: name, number: query.number(0), partitionKey: .init(name: query.text(2), type: type),
                sortKey: sortType.map { .init(name: query.text(4), type: $0) },
                billing: read > 0 && write > 0 ? .provisioned(read: read, write: write) : .perRequest,
                createdAt: query.number(8))
            tables[name] = Table(definition: definition, items: query.number(9), bytes: query.number(10))
        }
        return tables
    }

    /// The table of that name, `nil` if there is none.
    func table(_ name: String) -> Table? { known.withLock { $0[name] } }

    /// All names in ascending order.
    var names: [String] { known.withLock { $0.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } } }

    /// Reads one state of the store.
    func read<Result>(
        _ body: (StoreSession) throws(ServiceError) -> Result
    ) throws(ServiceError) -> Result {
        try readers.withSession(body)
    }

    /// Runs `body` in a transaction, alone, perhaps together with those of other threads.
    ///
    /// `body` must not write before it is certain not to throw: others' writes are in the same transaction.
    ///
    /// - Throws: What `body` throws, or the service's internal error if the database cannot be written.
    func write<Result>(_ body: (StoreSession) throws(ServiceError) -> Result) throws(ServiceError) -> Result {
        var outcome: Swift.Result<Result, ServiceError> = .failure(.internalError)
        withoutActuallyEscaping({ session in
            outcome = Swift.Result { () throws(ServiceError) in try body(session) }
        }) { run in
            let job = WriteJob(run)
            submit(job)
            if let failure = job.failure { outcome = .failure(.database(failure)) }
        }
        return try outcome.get()
    }

    private func submit(_ job: WriteJob) {
        let group = queue.wait { queue -> ([WriteJob]?, wakes: Int?)? in
            if !job.isQueued {
                job.isQueued = true
                queue.waiting.append(job)
            }
            if job.isDone { return (nil, wakes: nil) }
            guard !queue.isWriting else { return nil }
            queue.isWriting = true
            let group = Array(queue.waiting.prefix(Self.maximumGroup))
            queue.waiting.removeFirst(group.count)
            return (group, wakes: nil)
        }
        guard let group else { return }
        let failure = commit(group)
        let isOwnDone = queue.change { queue in
            for job in group {
                job.isDone = true
                job.failure = failure
            }
            queue.isWriting = false
            return job.isDone
        }
        // More were waiting than one transaction takes.
        if !isOwnDone { submit(job) }
    }

    /// - Returns: Why nothing of it was written; `nil` if all was.
    private func commit(_ group: [WriteJob]) -> StorageError? {
        readers.withWriter {
            do throws(StorageError) {
                try writer.begin()
                for job in group { job.perform(writer) }
                let changes = try writer.commit()
                known.withLock { known in
                    for (name, change) in changes {
                        known[name]?.items += change.items
                        known[name]?.bytes += change.bytes
                    }
                }
                return nil
            } catch {
                for job in group { job.drop() }
                writer.rollBack()
                // A table may have been made or deleted in what was undone.
                if let tables = try? Self.load(connection) { known.withLock { $0 = tables } }
                return error
            }
        }
    }

    /// Changes which tables there are, with nobody else writing.
    func changeTables<Result>(
        _ body: (StoreSession, inout [String: Table]) throws(ServiceError) -> Result
    ) throws(ServiceError) -> Result {
        try write { session throws(ServiceError) in
            // A copy: the tables change for others only once the body has not thrown.
            var tables = known.withLock { $0 }
            let result = try body(session, &tables)
            known.withLock { known in
                known = tables
            }
            return result
        }
    }

    /// Folds the log into the database and closes it; nobody may use the store any more.
    func close() {
        readers.close()
        writer.close(checkpoints: path != nil)
        lock?.release()
    }
}

/// One thread's write, waiting for its transaction.
// Unchecked: `run` is used by one thread while the submitting one waits; the flags change under the queue's mutex.
private final class WriteJob: @unchecked Sendable {
    /// Let go of as soon as it has run: it must not outlive the call that made it.
    private var run: ((StoreSession) -> Void)?
    var isQueued = false
    var isDone = false
    var failure: StorageError?

    init(_ run: @escaping (StoreSession) -> Void) {
        self.run = run
    }

    func perform(_ session: StoreSession) {
        run?(session)
        run = nil
    }

    func drop() {
        run = nil
    }
}
