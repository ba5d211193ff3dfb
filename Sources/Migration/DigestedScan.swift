package import Barrier
package import Storage
import Synchronization
import Workers

/// Streams a store in key order with every value digested.
///
/// The store's readers digest each value while they have it at hand; one thread puts their batches in order and makes
/// manifest lines; the caller takes them with ``nextBatch()``. A store whose scan is not in key order goes through a
/// journal on its way.
// Unchecked: `lastKey` and `scanner` are only touched by the one thread that calls `next` and `stop`.
package final class DigestedScan: DigestSource, @unchecked Sendable {
    private static let queuedBatches = 4

    /// How a scan is to be made.
    package struct Options: Sendable {
        package var request = ScanRequest()
        package var filter = EntryFilter(start: nil)
        /// Whether values are needed, or only their digests.
        package var keepsValues = false
        package var writesManifestLines = false
        /// Where batches come from, if the caller shares it; made with ``BatchPool/digesting(keepsValues:)``.
        package var pool: BatchPool?
        /// Folder for what a store gives out of order; by default one below `TMPDIR` that is removed afterwards.
        package var spillFolder: String?
        /// What becomes of entries that the store's own listing cannot see; they are noted, if the store has such.
        package var unlisted = ListingWalk.Treatment.keep
        /// Where the store was read into already, if it was.
        package var journal: EntryJournal?
        /// What authenticates every entry on the way, if it is to be proven.
        package var barrier: OpenedBarrier?
        /// What of the journal the pass that filled it has met.
        var known: KnownEntries?

        package init() {}
    }

    private let queue = BoundedQueue<Result<DigestedBatch, any Error>>(capacity: DigestedScan.queuedBatches)
    private let isStopped = Flag()
    private var scanner: WorkerThread?
    private var lastKey: [UInt8]?

    /// Starts the threads.
    package init(_ store: any StorageSource, _ options: Options) {
        let queue = queue
        let isStopped = isStopped
        do throws(ThreadFailure) {
            self.scanner = try WorkerThread { Self.scan(store, options, into: queue, isStopped) }
        } catch {
            queue.push(.failure(StorageError(.io, "\(error)")))
            queue.close()
        }
    }

    /// A flag that threads share.
    private final class Flag: Sendable {
        private let value = Atomic(false)

        var isSet: Bool { value.load(ordering: .relaxed) }

        func set() { value.store(true, ordering: .relaxed) }
    }

    private static func scan(
        _ store: any StorageSource, _ options: Options, into queue: BoundedQueue<Result<DigestedBatch, any Error>>,
        _ isStopped: Flag
    ) {
        var request = options.request
        request.pool = options.pool ?? .digesting(keepsValues: options.keepsValues, proving: options.barrier)
        let pool = request.pool
        if let sample = options.filter.scope.sample { request.wants = { sample.contains($0) } }
        do {
            let deliver = { (batch: EntryBatch) throws(StorageError) -> Bool in
                let digested = try DigestedBatch(batch, writesLines: options.writesManifestLines, pool: pool)
                if options.barrier != nil, batch.count > 0, digested.proof == nil { throw ProofStamp.missing }
                return queue.push(.success(digested))
            }
            if store.traits.isAscending, options.journal == nil {
                if !options.filter.scope.isWhole { request.partition = options.filter.scope.range }
                try store.scan(request) { batch throws(StorageError) in
                    options.filter.apply(to: batch, isOrdered: true)
                    return try deliver(batch)
                }
            } else {
                let isCancelled = request.isCancelled
                request.isCancelled = { isStopped.isSet || isCancelled() }
                try journaled(store, request, options, deliver)
            }
        } catch {
            queue.push(.failure(error))
        }
        queue.close()
    }

    /// Delivers the entries of a store from where it was read into, or from a journal that is filled on the way.
    private static func journaled(
        _ store: any StorageSource, _ request: ScanRequest, _ options: Options,
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws {
        if let journal = options.journal { return try entries(of: store, in: journal, request, options, deliver) }
        let folder = options.spillFolder == nil ? try ScratchFolder() : nil
        defer { folder?.remove() }
        let journal = try EntryJournal(scratchIn: options.spillFolder ?? folder?.path ?? ".")
        defer { journal.close() }
        try journal.begin(header: [], partitions: try store.partitions(request.readers))
        var unsorted = request
        unsorted.includesDirectoryMarkers = store.traits.keepsDirectoryMarkers
        try JournaledRead(store: store, journal: journal, request: unsorted, readers: request.readers).run()
        try entries(of: store, in: journal, request, options, deliver)
    }

    private static func entries(
        of store: any StorageSource, in journal: EntryJournal, _ request: ScanRequest, _ options: Options,
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try JournaledEntries(
            journal: journal, store: store, filter: options.filter, unlisted: options.unlisted, known: options.known
        ).read(
            pool: request.pool, isCancelled: request.isCancelled, note: request.note, deliver)
    }

    package func next() throws -> (any DigestPage)? {
        try nextBatch()
    }

    /// The next batch, never an empty one; `nil` at the end.
    ///
    /// - Throws: The scan's error in its place, or that of keys out of order.
    package func nextBatch() throws -> DigestedBatch? {
        while let result = queue.pop() {
            let batch = try result.get()
            guard batch.count > 0 else {
                batch.recycle()
                continue
            }
            try lastKey?.withUnsafeBytes { last in
                if compareBytes(last, batch.key(0)) >= 0 { throw DigestedBatch.disorder(last, batch.key(0)) }
            }
            lastKey = Array(batch.key(batch.count - 1))
            return batch
        }
        return nil
    }

    /// Whether ``stop()`` was called.
    var isStopping: Bool { isStopped.isSet }

    package func stop() {
        isStopped.set()
        queue.close()
        while queue.pop() != nil {}
        scanner?.join()
        scanner = nil
    }
}
