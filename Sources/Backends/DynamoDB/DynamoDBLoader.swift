import DynamoDBFormat
import Storage
import Synchronization
import Workers

/// Fills a table: many threads write batches of 25, each directory's marker is written once and before its entries.
///
/// Entries that come one behind the other lie in one directory, and so in one partition of the table, which has a limit
/// of its own: a batch's entries are therefore sent in an order that spreads them.
final class DynamoDBLoader: BulkLoader {
    /// Threads that write.
    private static let maximumWriters = 16
    /// Directories remembered; a marker may be written again after as many others, which changes nothing.
    private static let maximumDirectories = 200_000

    let readBackOrigin = ReadBackOrigin.service

    let needsAscendingKeys = false
    private let backend: DynamoDBBackend
    private let pool: BatchPool
    private let queue: BoundedQueue<Work>
    private let failure = Mutex<StorageError?>(nil)
    private let threads: Mutex<[WorkerThread]>
    /// Only `load` touches it, which one thread at a time calls.
    private let directories = Mutex<Set<StorageKey>>([])

    private struct Work: Sendable {
        let batch: EntryBatch
        let markers: [ItemKey]
    }

    init(_ backend: DynamoDBBackend, _ plan: LoadPlan) throws(StorageError) {
        self.backend = backend
        self.pool = plan.pool
        let writers = min(Self.maximumWriters, backend.settings.maximumParallel, ScanRequest.mostReaders)
        queue = BoundedQueue(capacity: writers)
        threads = Mutex([])
        try backend.createIfMissing()
        do throws(ThreadFailure) {
            let started = try startThreads(writers) { [self] in writeBatches() }
            threads.withLock { $0 = started }
        } catch {
            throw StorageError(.io, "\(error)")
        }
    }

    func load(_ batch: EntryBatch) throws(StorageError) {
        try throwFailure()
        let rules = backend.rules
        for index in 0..<batch.count {
            let key = batch.key(index)
            guard let objection = rules.objection(to: key, valueCount: batch.valueCount(index)) else { continue }
            throw StorageError(
                .limit, "DynamoDB cannot keep the entry \(escapedKey(key)): \(objection).",
                key: StorageKey(copying: key))
        }
        guard queue.push(Work(batch: batch, markers: newMarkers(batch))) else { return try throwFailure() }
    }

    /// Markers of directories that no batch before had entries in, outermost first.
    private func newMarkers(_ batch: EntryBatch) -> [ItemKey] {
        directories.withLock { known in
            if known.count > Self.maximumDirectories { known.removeAll() }
            var markers: [ItemKey] = []
            for index in 0..<batch.count {
                for directory in ItemKey.ancestors(of: batch.key(index)).reversed() {
                    // Whoever is known has known ancestors.
                    guard known.insert(StorageKey(Array(directory))).inserted else { break }
                    markers.append(ItemKey(markerOf: directory))
                }
            }
            return markers.sorted { $0.path.count < $1.path.count }
        }
    }

    private func writeBatches() {
        while let work = queue.pop() {
            // After an error the queue is emptied, so that nobody waits for room.
            guard failure.withLock({ $0 }) == nil else { continue }
            do throws(StorageError) {
                try write(work)
            } catch {
                failure.withLock { $0 = $0 ?? error }
                queue.close()
            }
            pool.recycle(work.batch)
        }
    }

    private func write(_ work: Work) throws(StorageError) {
        let writer = BatchWriter(backend.table)
        try writer.write(work.markers.map(PutRequest.marker))
        let batch = work.batch
        let groups = (batch.count + VaultTable.batchWrites - 1) / VaultTable.batchWrites
        for first in 0..<groups {
            // After another writer's error, or when the load was given up, nothing more is worth writing.
            if failure.withLock({ $0 }) != nil { return }
            // Every groups-th entry: neighbours go into different requests.
            let items = stride(from: first, to: batch.count, by: groups).map { index in
                PutRequest.entry(ItemKey(entry: batch.key(index)), batch.value(index))
            }
            try writer.write(items)
        }
    }

    private func throwFailure() throws(StorageError) {
        if let error = failure.withLock({ $0 }) { throw error }
    }

    func finish() throws(StorageError) {
        stopWriters()
        try throwFailure()
    }

    private func stopWriters() {
        queue.close()
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
    }

    /// What the service has acknowledged is durable.
    func sync() throws(StorageError) {}

    func written() throws(StorageError) -> any StorageSource { backend }

    func publish() throws(StorageError) {}

    func abandon() {
        failure.withLock { $0 = $0 ?? .cancelled }
        stopWriters()
    }
}
