import Storage
import Synchronization
import Workers

/// Reads all partitions that a journal names of a store into it, several at once, each from where the journal has it.
struct JournaledRead {
    let store: any StorageSource
    let journal: EntryJournal
    /// How to read; its pool decides what the journal holds.
    let request: ScanRequest
    /// Threads that read.
    let readers: Int
    /// What the journal holds of earlier passes, and need not take again; `nil` if this is the first.
    var known: KnownEntries?

    /// Reads what is not read yet. What was read is in the journal, and durable if the journal is, on return.
    ///
    /// - Parameter tell: Told of each batch, from any thread, before the journal owns it.
    func run(tell: @escaping @Sendable (EntryBatch) -> Void = { _ in }) throws {
        let next = Atomic(0)
        let hasFailed = Atomic(false)
        var request = request
        let isCancelled = request.isCancelled
        request.isCancelled = { hasFailed.load(ordering: .relaxed) || isCancelled() }
        let shared = request
        let (store, journal, partitions, known) = (store, journal, journal.partitions, known)
        do {
            try withWorkers(
                min(max(readers, 1), partitions.count), onError: { _ in hasFailed.store(true, ordering: .relaxed) }
            ) { _ in
                while true {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < partitions.count else { return }
                    try Self.read(partitions[index], index, store, shared, into: journal, known, tell)
                }
            }
        } catch {
            // What was read before the error stays read.
            try? journal.drain()
            throw error
        }
        try journal.drain()
    }

    private static func read(
        _ partition: StoragePartition, _ index: Int, _ store: any StorageSource, _ request: ScanRequest,
        into journal: EntryJournal, _ known: KnownEntries?, _ tell: (EntryBatch) -> Void
    ) throws {
        var part = request
        part.partition = partition
        switch journal.progress(of: index) {
        case .finished: return
        case .at(let cursor): part.cursor = cursor
        case .notStarted: break
        }
        let hasher = try known.map { _ throws(StorageError) in try KnownEntries.Hasher() }
        try store.scan(part) { batch throws(StorageError) in
            if part.isCancelled() { throw StorageError.cancelled }
            tell(batch)
            if let known, let hasher {
                guard !batch.hasFailedStamp else { throw DigestedBatch.failedStamp }
                try known.sift(batch, hasher)
            }
            try journal.append(batch, partition: index, pool: part.pool)
            return true
        }
        try journal.finish(partition: index)
    }
}
