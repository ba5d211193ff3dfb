package import Storage
import Workers

/// Streams a store in key order with every value digested.
///
/// The store's readers digest each value while they have it at hand; one thread puts their batches in order and makes
/// manifest lines; the caller takes them with ``nextBatch()``. A store whose scan is not in key order goes through the
/// sorter on its way.
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
        /// Folder for spill files of the sorter, needed for stores whose scan is not in key order.
        package var spillFolder: String?

        package init() {}
    }

    private let queue = BoundedQueue<Result<DigestedBatch, any Error>>(capacity: DigestedScan.queuedBatches)
    private var scanner: WorkerThread?
    private var lastKey: [UInt8]?

    /// Starts the threads.
    package init(_ store: any StorageBackend, _ options: Options) {
        let queue = queue
        self.scanner = WorkerThread { Self.scan(store, options, into: queue) }
    }

    private static func scan(
        _ store: any StorageBackend, _ options: Options, into queue: BoundedQueue<Result<DigestedBatch, any Error>>
    ) {
        var request = options.request
        request.pool = options.pool ?? .digesting(keepsValues: options.keepsValues)
        if let start = options.filter.start { request.partition = StoragePartition(from: start, to: nil) }
        let pool = request.pool
        do {
            let deliver = { (batch: EntryBatch) throws(StorageError) -> Bool in
                options.filter.apply(to: batch, isOrdered: true)
                let digested = try DigestedBatch(batch, writesLines: options.writesManifestLines, pool: pool)
                return queue.push(.success(digested))
            }
            if store.capabilities.ascendingScan {
                try store.scan(request, deliver)
            } else {
                try sorted(store, request, options, deliver)
            }
        } catch {
            queue.push(.failure(error))
        }
        queue.close()
    }

    private static func sorted(
        _ store: any StorageBackend, _ request: ScanRequest, _ options: Options,
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws {
        guard let folder = options.spillFolder else {
            throw StorageError(
                .unsupported, "\(store.kind) gives its entries in no order and no folder to sort in was set.")
        }
        let sorter = try EntrySorter(folder: folder)
        defer { sorter.close() }
        var unsorted = request
        unsorted.pool = BatchPool()
        try store.scanAll(unsorted) { batch throws(StorageError) in
            try sorter.add(batch)
            unsorted.pool.recycle(batch)
            return true
        }
        try sorter.merge(pool: request.pool, isCancelled: request.isCancelled, deliver)
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

    package func stop() {
        queue.close()
        while queue.pop() != nil {}
        scanner?.join()
        scanner = nil
    }
}
