import Glibc
import Storage
import Workers

/// Streams a table's rows in key order: ranges of keys are read side by side, each over a connection of its own, if the
/// table is large and its keys are indexed.
///
/// All connections see one state of the database, so that what other programs write meanwhile is seen wholly or not at
/// all.
struct SQLiteScan {
    let store: SQLiteBackend
    let request: ScanRequest
    /// Bytes of the database that make one range.
    var rangeBytes = 4 << 20

    /// Fewer ranges are not worth the connections.
    private static let leastRanges = 8
    /// More than this are no faster at any size, and finding their bounds takes time.
    private static let mostRanges = 8192
    /// Each thread has a connection with its cache, and the system as many processors.
    private static let mostThreads = 4
    /// How often another program may write while the connections are made to see one state.
    private static let attempts = 3

    private enum Outcome {
        case done
        /// The store is read over one connection.
        case single
        /// Another program wrote just then.
        case changed
    }

    func run(_ deliver: (EntryBatch) throws(StorageError) -> Bool) throws(StorageError) {
        if request.isCancelled() { throw StorageError.cancelled }
        let count = min(request.readers, Self.mostThreads, max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let ranges = count > 1 ? try rangeCount() : 1
        if ranges >= Self.leastRanges {
            for _ in 0..<Self.attempts {
                let outcome = try store.pool.withConnections(count) { connections throws(StorageError) in
                    try sideBySide(connections, ranges: ranges, deliver)
                }
                switch outcome {
                case .done: return
                case .changed: continue
                case .single: break
                }
                break
            }
        }
        _ = try store.read { connection throws(StorageError) in
            // One transaction, so that what other programs write meanwhile is seen wholly or not at all.
            try connection.transaction("DEFERRED") { () throws(StorageError) in
                try store.stream(request, connection, deliver)
            }
        }
    }

    private func rangeCount() throws(StorageError) -> Int {
        let bytes =
            try store.read { connection throws(StorageError) in
                guard try store.table.hasUniqueKey(connection), try store.table.keyForm(connection) == .bytes else {
                    return 0
                }
                return (try connection.number("PRAGMA page_count") ?? 0)
                    * (try connection.number("PRAGMA page_size") ?? 0)
            } ?? 0
        return min(bytes / rangeBytes, Self.mostRanges)
    }

    /// Reads with all connections once they see one state.
    private func sideBySide(
        _ connections: [SQLiteConnection], ranges: Int, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) -> Outcome {
        guard let last = connections.last else { return .single }
        let before = try last.number("PRAGMA data_version")
        return try inTransactions(connections[...]) { () throws(StorageError) in
            // The last transaction began last: if no other connection has written before it, none has before the others.
            guard try last.number("PRAGMA data_version") == before else { return .changed }
            guard try store.table.hasUniqueKey(last), try store.table.keyForm(last) == .bytes else { return .single }
            let parts = try parts(ranges, last)
            guard parts.count >= Self.leastRanges else { return .single }
            try stream(parts, connections, deliver)
            return .done
        }
    }

    private func inTransactions<Result>(
        _ connections: ArraySlice<SQLiteConnection>, _ body: () throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        guard let first = connections.first else { return try body() }
        return try first.transaction("DEFERRED") { () throws(StorageError) in
            // A transaction sees the state at its first read.
            _ = try first.number("SELECT 1 FROM \(store.table.quoted) LIMIT 1")
            return try inTransactions(connections.dropFirst(), body)
        }
    }

    /// The ranges that together are what is wanted, in order.
    private func parts(_ count: Int, _ connection: SQLiteConnection) throws(StorageError) -> [StoragePartition] {
        let (whole, after) = (request.partition, request.cursor.map { StorageKey($0.bytes) })
        let bounds = try store.boundaries(connection, count, samplesPerPart: 4).filter { key in
            (whole.lower.map { key > $0 } ?? true) && (whole.upper.map { key < $0 } ?? true)
                && (after.map { key > $0 } ?? true)
        }
        let lowers: [StorageKey?] = [whole.lower] + bounds
        let uppers: [StorageKey?] = bounds + [whole.upper]
        return zip(lowers, uppers).map { StoragePartition(from: $0, to: $1) }
    }

    private func stream(
        _ parts: [StoragePartition], _ connections: [SQLiteConnection],
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        let idle = Monitor(connections)
        let streams: OrderedStreams<EntryBatch>
        do throws(ThreadFailure) {
            streams = try OrderedStreams(
                works: parts.count, threads: connections.count, ahead: 4 * (connections.count - 1)
            ) { [store, request] number, give in
                guard let connection = idle.change({ $0.popLast() }) else {
                    // There is one for each thread; a range that is passed over would be entries that are lost.
                    throw StorageError(.io, "\(store.location): no connection is left to read with.")
                }
                defer { idle.change { $0.append(connection) } }
                var part = request
                part.partition = parts[number]
                if number > 0 { part.cursor = nil }
                try store.stream(part, connection) { give($0) }
            }
        } catch {
            throw StorageError(.io, "\(store.location): \(error)")
        }
        defer { streams.stop() }
        while let batch = try next(of: streams) {
            if request.isCancelled() { throw StorageError.cancelled }
            guard try deliver(batch) else { return }
        }
    }

    private func next(of streams: OrderedStreams<EntryBatch>) throws(StorageError) -> EntryBatch? {
        do {
            return try streams.next()
        } catch let error as StorageError {
            throw error
        } catch {
            throw StorageError(.io, "\(store.location): \(error)")
        }
    }
}
