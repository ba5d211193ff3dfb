package import Barrier
package import Storage
import Synchronization
import Telemetry
import Workers

/// Looks at every entry of a store without any secret, reading it once: ``StructureTally``.
package struct StructureCheck {
    private static let queuedBatches = 8
    /// More threads look at what few read to no purpose.
    private static let mostThreads = 8

    private let store: any StorageSource
    private let context: RunContext
    private let readers: Int

    /// What was found.
    package struct Result: Sendable {
        package let report: StructureReport
        package let seconds: Double
        /// Entries that could not be read, and for the first of them why.
        package let unreadable: Int
        package let unreadableMessages: [String]
        /// Entries of which only the name is left.
        package let lost: LostEntries
        /// What else is no ordinary entry, by kind.
        package let notes: [ScanNote.Reason: Int]
    }

    /// - Parameter readers: Threads that may read at once.
    package init(_ store: any StorageSource, context: RunContext, readers: Int = 8) {
        self.store = store
        self.context = context
        self.readers = readers
    }

    /// Reads the whole store.
    ///
    /// - Throws: What made it impossible, or `.cancelled`.
    package func run() throws -> Result {
        let clock = ContinuousClock()
        let begin = clock.now
        let counters = context.counters
        counters.restart(.reading, expectedEntries: store.estimatedEntries(), expectedBytes: store.estimatedBytes())
        let (notes, unreadable) = (ScanNotes(start: nil), UnreadableEntries())
        let queue = BoundedQueue<EntryBatch>(capacity: Self.queuedBatches)
        let whole = Mutex(StructureTally())
        let request = request(notes, unreadable)
        let pool = request.pool
        let threads = try startThreads(min(processorCount, Self.mostThreads)) {
            var tally = StructureTally()
            while let batch = queue.pop() {
                for index in 0..<batch.count { tally.count(key: batch.key(index), value: batch.value(index)) }
                counters.add(entries: batch.count, bytes: batch.byteCount)
                pool.recycle(batch)
            }
            whole.withLock { $0.merge(tally) }
        }
        do {
            defer {
                queue.close()
                for thread in threads { thread.join() }
            }
            try read(request, into: queue)
        }
        return Result(
            report: whole.withLock { $0 }.finish(), seconds: (clock.now - begin) / .seconds(1),
            unreadable: unreadable.keys.count, unreadableMessages: unreadable.messages, lost: notes.lost,
            notes: notes.counts)
    }

    private func request(_ notes: ScanNotes, _ unreadable: UnreadableEntries) -> ScanRequest {
        var request = ScanRequest(readers: readers)
        request.pool = BatchPool()
        request.isCancelled = { [cancellation = context.cancellation] in cancellation.isCancelled }
        request.note = { notes.add($0) }
        request.passesOver = { unreadable.add($0) }
        return request
    }

    /// Puts every batch into the queue.
    private func read(_ request: ScanRequest, into queue: BoundedQueue<EntryBatch>) throws {
        let filter = EntryFilter(start: nil)
        try scanInParts(store, request, readers: readers) { batch in
            filter.apply(to: batch)
            return queue.push(batch)
        }
    }
}
