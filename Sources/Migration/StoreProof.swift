package import Barrier
package import Storage
import Synchronization
import Telemetry
import Workers

/// Authenticates every entry of a store under its own name, reading only.
package struct StoreProof {
    private let store: any StorageSource
    private let barrier: OpenedBarrier
    private let context: RunContext
    private let readers: Int

    /// What a proof found.
    package struct Result: Sendable {
        package var outcome: ProofOutcome
        /// Bytes of keys and values.
        package var bytes = 0
        /// Entries by folders of mounts.
        package var usage = MountUsage()
        package var seconds = 0.0
        /// Entries that are there and could not be read, with the reason; the first of them.
        package var unreadable: [String] = []
        package var unreadableCount = 0
        /// What the sealed checksums of an archive say; `nil` for any other store.
        package var sealedSums: SealedSums?

        /// Whether every entry that can be proven is, and the archive they are in.
        package var isProven: Bool {
            outcome.isProven && unreadableCount == 0 && sealedSums?.isSound != false
        }
    }

    /// - Parameter readers: Threads that read and authenticate at once.
    package init(_ store: any StorageSource, _ barrier: OpenedBarrier, context: RunContext, readers: Int) {
        self.store = store
        self.barrier = barrier
        self.context = context
        self.readers = readers
    }

    /// Reads everything.
    ///
    /// - Parameter report: Told of every entry that is bad, from any thread but one at a time.
    /// - Throws: What the store throws, ``StorageError/cancelled`` among it; what `report` throws.
    package func run(report: @escaping @Sendable (ProofTally.Named) throws -> Void) throws -> Result {
        let clock = ContinuousClock()
        let begin = clock.now
        context.counters.restart(
            .reading, expectedEntries: store.estimatedEntries(), expectedBytes: store.estimatedBytes())
        let result = Mutex(Result(outcome: ProofOutcome(barrier)))
        let unreadable = UnreadableEntries()
        let request = request(unreadable)
        let (store, counters) = (store, context.counters)
        try scanInParts(store, request, readers: readers) { batch in
            counters.add(entries: batch.count, bytes: batch.byteCount)
            if batch.count > 0 { counters.setPrefix(Array(batch.key(0))) }
            defer { request.pool.recycle(batch) }
            try Self.take(batch, into: result, report)
            return true
        }
        var final = result.withLock { $0 }
        final.unreadable = unreadable.messages
        final.unreadableCount = unreadable.keys.count
        if let archive = store as? any SealedSumsSource {
            let (clear, sealed) = try archive.checksums()
            final.sealedSums = try barrier.verdict(onSealed: sealed, of: clear)
        }
        final.seconds = (clock.now - begin) / .seconds(1)
        return final
    }

    private func request(_ unreadable: UnreadableEntries) -> ScanRequest {
        var request = ScanRequest(readers: readers)
        let barrier = barrier
        request.pool = BatchPool(keepsValues: false) { ProofStamper(barrier) }
        request.isCancelled = { [cancellation = context.cancellation] in cancellation.isCancelled }
        request.passesOver = { unreadable.add($0) }
        request.note = { note in
            guard note.reason == .zeroLengthFile, let key = note.key else { return }
            _ = unreadable.add(
                StorageError(
                    .damagedEntry,
                    "\(note.place) has zero length: the entry \(key) is lost. Restore the file from a backup.", key: key
                ))
        }
        return request
    }

    private static func take(
        _ batch: EntryBatch, into result: borrowing Mutex<Result>, _ report: (ProofTally.Named) throws -> Void
    ) throws {
        guard !batch.hasFailedStamp else {
            throw StorageError(
                .io, "OpenSSL refused to authenticate an entry. Look at its configuration (openssl.cnf).")
        }
        guard let tally = ProofStamp.tally(batch, behind: 0) else { throw ProofStamp.missing }
        var usage = MountUsage()
        for index in 0..<batch.count {
            let key = batch.key(index)
            usage.count(key, bytes: key.count + batch.valueCount(index))
        }
        try result.withLock { result in
            result.outcome.tally.add(tally)
            result.bytes += batch.byteCount
            result.usage.add(usage)
            for entry in tally.named { try report(entry) }
        }
    }
}
