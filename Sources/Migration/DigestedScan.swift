import Digest
package import Storage
import Workers

/// Streams a store in key order with every value digested: one thread scans, several digest, the results come out in
/// order.
///
/// A store whose scan is not in key order goes through the sorter on its way.
// Unchecked: `lastKey` is only touched by the one thread that calls `next`.
package final class DigestedScan: DigestSource, @unchecked Sendable {
    private enum Work {
        case batch(EntryBatch)
        case failure(any Error)
    }

    /// How a scan is to be made.
    package struct Options: Sendable {
        package var request = ScanRequest()
        package var filter = EntryFilter(start: nil)
        /// Threads that digest.
        package var workers = 2
        package var writesManifestLines = false
        /// Folder for spill files of the sorter, needed for stores whose scan is not in key order.
        package var spillFolder: String?

        package init() {}
    }

    private let stage: OrderedStage<Work, DigestedBatch>
    private var scanner: WorkerThread?
    private var lastKey: StorageKey?

    /// Starts the threads.
    package init(_ store: any StorageBackend, _ options: Options) {
        let hashers = HasherPool()
        let filter = options.filter
        let pool = options.request.pool
        let writesLines = options.writesManifestLines
        let stage = OrderedStage<Work, DigestedBatch>(workers: options.workers, window: options.workers + 4) { work in
            switch work {
            case .failure(let error): throw error
            case .batch(let batch):
                filter.apply(to: batch)
                return try hashers.use { try DigestedBatch(batch, hasher: $0, writesLines: writesLines, pool: pool) }
            }
        }
        self.stage = stage
        self.scanner = WorkerThread { Self.scan(store, options, into: stage) }
    }

    private static func scan(_ store: any StorageBackend, _ options: Options, into stage: OrderedStage<Work, DigestedBatch>)
    {
        do {
            var request = options.request
            if let start = options.filter.start { request.partition = StoragePartition(from: start, to: nil) }
            if store.capabilities.ascendingScan {
                try store.scan(request) { batch throws(StorageError) in stage.submit(.batch(batch)) }
            } else {
                try sorted(store, request, options) { stage.submit(.batch($0)) }
            }
        } catch {
            _ = stage.submit(.failure(error))
        }
        stage.finish()
    }

    private static func sorted(
        _ store: any StorageBackend, _ request: ScanRequest, _ options: Options, _ deliver: (EntryBatch) -> Bool
    ) throws {
        guard let folder = options.spillFolder else {
            throw StorageError(.unsupported, "\(store.kind) gives its entries in no order and no folder to sort in was set.")
        }
        let sorter = try EntrySorter(folder: folder)
        defer { sorter.close() }
        try store.scanAll(request) { batch throws(StorageError) in
            try sorter.add(batch)
            request.pool.recycle(batch)
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
        while let batch = try stage.next() {
            guard batch.count > 0 else {
                batch.recycle()
                continue
            }
            if let lastKey {
                try lastKey.bytes.withUnsafeBytes { last in
                    if compareBytes(last, batch.key(0)) >= 0 { throw DigestedBatch.disorder(last, batch.key(0)) }
                }
            }
            lastKey = StorageKey(copying: batch.key(batch.count - 1))
            return batch
        }
        return nil
    }

    package func stop() {
        stage.stop()
        stage.join()
        scanner?.join()
        scanner = nil
    }
}

/// Hashers that are kept between batches: making one costs more than a small digest.
final class HasherPool: Sendable {
    // Unchecked by way of the box: a hasher is used by the thread that took it out, and by no other until it is back.
    private struct Box: @unchecked Sendable {
        let hasher: SHA256Hasher
    }

    private let free = Monitor<[Box]>([])

    func use<Result>(_ body: (SHA256Hasher) throws -> Result) throws -> Result {
        let box = try free.read { $0.popLast() } ?? Box(hasher: SHA256Hasher())
        let result = try body(box.hasher)
        // Only after success: a hasher that failed half-way holds half a digest.
        free.read { $0.append(box) }
        return result
    }
}
