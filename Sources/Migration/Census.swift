import Storage
import Telemetry
import Workers

/// Counts the entries of a store that cannot tell its size, beside the copy, for whoever watches the progress.
final class Census {
    private let cancellation = CancellationToken()
    private var thread: WorkerThread?

    /// Starts counting if there is somebody to count for.
    init(_ store: any StorageSource, _ context: RunContext) {
        guard context.isWatched, store.estimatedBytes() == nil, !store.isRemote else { return }
        let cancellation = cancellation
        let counters = context.counters
        // Nobody misses the total where threads are scarce.
        thread = try? WorkerThread {
            var request = ScanRequest(content: .keys, readers: 1)
            request.pool = BatchPool(keepsValues: false)
            request.isCancelled = { cancellation.isCancelled }
            var count = 0
            do throws(StorageError) {
                try store.scanAll(request) { batch throws(StorageError) in
                    count += batch.count
                    request.pool.recycle(batch)
                    return true
                }
                counters.expect(entries: count)
            } catch {
                // The copy meets the same error and tells it; until then the total stays unknown.
            }
        }
    }

    /// Ends the counting.
    func stop() {
        cancellation.cancel()
        thread?.join()
        thread = nil
    }
}
