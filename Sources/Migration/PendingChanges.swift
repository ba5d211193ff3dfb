import Digest
import Storage
import Synchronization
import Telemetry
import Workers

/// What is to be written to a destination and removed from it, put aside in bounded memory while both sides are read.
final class PendingChanges {
    private let puts: EntryJournal
    private let removals: EntryJournal
    private let pool: BatchPool
    private let keyPool = BatchPool(keepsValues: false)
    private var batch: EntryBatch
    private var keys: EntryBatch
    private(set) var counts = EntryChanges()

    /// - Parameter pool: Of batches with digests and values.
    init(folder: String, pool: BatchPool) throws(StorageError) {
        puts = try EntryJournal(scratchIn: folder)
        removals = try EntryJournal(scratchIn: folder)
        try puts.begin(header: [], partitions: [.whole])
        try removals.begin(header: [], partitions: [.whole])
        self.pool = pool
        batch = pool.take()
        keys = keyPool.take()
    }

    func close() {
        puts.close()
        removals.close()
    }

    /// Puts an entry aside, to be written.
    func put(_ entries: EntryBatch, _ index: Int, _ verdict: Verdict) throws(StorageError) {
        counts.count(verdict)
        batch.append(entry: index, of: entries)
        if batch.isFull { try flushPuts() }
    }

    /// Puts a key aside, to be removed.
    func remove(_ key: UnsafeRawBufferPointer) throws(StorageError) {
        counts.count(.extra)
        keys.append(key: key, value: UnsafeRawBufferPointer(start: nil, count: 0))
        if keys.isFull { try flushRemovals() }
    }

    private func flushPuts() throws(StorageError) {
        guard batch.count > 0 else { return }
        try puts.append(batch, partition: 0, pool: pool)
        batch = pool.take()
    }

    private func flushRemovals() throws(StorageError) {
        guard keys.count > 0 else { return }
        try removals.append(keys, partition: 0, pool: keyPool)
        keys = keyPool.take()
    }

    /// No more changes come.
    func finish() throws(StorageError) {
        try flushPuts()
        try flushRemovals()
        try puts.drain()
        try removals.drain()
    }

    /// Removes what is to be removed.
    func remove(
        from store: any KeyValueStore, readers: Int, isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) {
        guard counts.removed > 0 else { return }
        try removals.merge(pool: keyPool, isCancelled: isCancelled) { batch throws(StorageError) in
            let group = min(max(batch.count / max(readers, 1), 8), Self.removedAtOnce)
            let groups = (batch.count + group - 1) / group
            try Self.each(below: groups, workers: min(readers, groups)) { index throws(StorageError) in
                if isCancelled() { throw StorageError.cancelled }
                let entries = (index * group)..<min((index + 1) * group, batch.count)
                try store.delete(entries.map { StorageKey(copying: batch.key($0)) })
            }
            keyPool.recycle(batch)
            return true
        }
    }

    /// Keys in one call: a store that removes them in one transaction answers, and notices Ctrl-C, within a second.
    private static let removedAtOnce = 1024

    /// Hands what is to be written to a loader.
    func load(
        into loader: any BulkLoader, _ counters: ProgressCounters, isCancelled: () -> Bool
    ) throws(StorageError) {
        guard counts.added + counts.changed > 0 else { return }
        try puts.merge(pool: pool, isCancelled: isCancelled) { batch throws(StorageError) in
            counters.add(entries: batch.count, bytes: batch.byteCount)
            try loader.load(batch)
            return true
        }
    }

    /// Asks for everything that was written or removed.
    ///
    /// - Parameters:
    ///   - unchanged: Counts of what was compared before.
    ///   - proof: Authenticates what was written.
    /// - Returns: Those, and what has become of each change.
    func readBack(
        from store: any StorageSource, unchanged: ComparisonCounts, readers: Int, _ counters: ProgressCounters,
        proof: ProofCollector? = nil, isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) -> ComparisonCounts {
        let counts = Mutex(unchanged)
        let count = { @Sendable (verdict: Verdict) in counts.withLock { $0.count(verdict) } }
        if self.counts.added + self.counts.changed > 0 {
            try puts.merge(pool: pool, isCancelled: isCancelled) { batch throws(StorageError) in
                try Self.each(below: batch.count, workers: min(readers, batch.count / 8)) {
                    index throws(StorageError) in
                    if isCancelled() { throw StorageError.cancelled }
                    guard let value = try store.get(StorageKey(copying: batch.key(index))) else {
                        return count(.missing)
                    }
                    try proof?.add(value, under: batch.key(index))
                    count(try Self.holds(value, batch.stamp(index)) ? .same : .different)
                }
                counters.add(entries: batch.count, bytes: batch.byteCount)
                pool.recycle(batch)
                return true
            }
        }
        if self.counts.removed > 0 {
            try removals.merge(pool: keyPool, isCancelled: isCancelled) { batch throws(StorageError) in
                try Self.each(below: batch.count, workers: min(readers, batch.count / 8)) {
                    index throws(StorageError) in
                    if try store.get(StorageKey(copying: batch.key(index))) != nil { count(.extra) }
                }
                keyPool.recycle(batch)
                return true
            }
        }
        return counts.withLock { $0 }
    }

    private static func holds(_ value: [UInt8], _ stamp: UnsafeRawBufferPointer) throws(StorageError) -> Bool {
        do {
            return try value.withUnsafeBytes { try SHA256Digest.of($0) }.bytes.elementsEqual(stamp)
        } catch {
            throw StorageError(.io, "\(error)")
        }
    }

    /// Does something for every number below `count`, several at once, on threads of its own.
    private static func each(
        below count: Int, workers: Int, _ body: @escaping @Sendable (Int) throws(StorageError) -> Void
    ) throws(StorageError) {
        let next = Atomic(0)
        do {
            try withWorkers(max(workers, 1)) { _ in
                while true {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < count else { return }
                    do {
                        try body(index)
                    } catch {
                        next.store(count, ordering: .relaxed)
                        throw error
                    }
                }
            }
        } catch {
            throw error as? StorageError ?? StorageError(.io, "\(error)")
        }
    }
}
