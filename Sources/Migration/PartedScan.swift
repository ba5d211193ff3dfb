import Storage
import Synchronization
import Workers

/// Reads a store whose order does not matter: one in key order, which reads ahead by itself, as one; the parts of any other side
/// by side, each entry once.
///
/// - Parameters:
///   - readers: Threads that may read at once.
///   - take: Owns each batch, on any thread and on several at once; gives `false` to end the part.
/// - Throws: The first error of the store or of `take`, ``StorageError/cancelled`` among them; no part goes on behind it.
func scanInParts(
    _ store: any StorageSource, _ request: ScanRequest, readers: Int,
    _ take: @escaping @Sendable (EntryBatch) throws -> Bool
) throws {
    let partitions = store.traits.isAscending ? [StoragePartition.whole] : try store.partitions(readers)
    let next = Atomic(0)
    let hasFailed = Atomic(false)
    try withWorkers(
        min(max(readers, 1), partitions.count), onError: { _ in hasFailed.store(true, ordering: .relaxed) }
    ) { _ in
        while true {
            let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard index < partitions.count else { return }
            var part = request
            part.partition = partitions[index]
            part.isCancelled = { hasFailed.load(ordering: .relaxed) || request.isCancelled() }
            var failure: (any Error)?
            try store.scan(part) { batch throws(StorageError) in
                if part.isCancelled() { throw StorageError.cancelled }
                do {
                    return try take(batch)
                } catch {
                    if let error = error as? StorageError { throw error }
                    failure = error
                    return false
                }
            }
            if let failure { throw failure }
        }
    }
}
