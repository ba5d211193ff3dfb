package import Barrier
import Storage
package import Telemetry

/// A side of a comparison that is added up on the way.
protocol SummedSource: DigestSource {
    var totals: KeyspaceTotals { get }
    /// The keyspace digest, once all was read.
    func finish() throws -> String
}

extension SavedManifest: SummedSource {}

/// Passes pages on while adding them up.
package final class DigestingSource: SummedSource {
    private let scan: DigestedScan
    private let counters: ProgressCounters?
    private var digest: KeyspaceDigest
    package private(set) var totals = KeyspaceTotals()
    /// What a proof found of the entries so far; `nil` where none is made.
    package private(set) var proof: ProofTally?

    package init(_ scan: DigestedScan, _ counters: ProgressCounters? = nil) throws {
        self.scan = scan
        self.counters = counters
        self.digest = try KeyspaceDigest()
    }

    package func next() throws -> (any DigestPage)? { try nextBatch() }

    /// The next batch, never an empty one; `nil` at the end.
    package func nextBatch() throws -> DigestedBatch? {
        guard let batch = try scan.nextBatch() else { return nil }
        totals.add(batch)
        if let more = batch.proof { proof = (proof ?? ProofTally()).adding(more) }
        try digest.add(batch.manifestLines)
        counters?.add(entries: batch.count, bytes: batch.entries.byteCount)
        counters?.setPrefix(batch.lastFolder)
        return batch
    }

    package func finish() throws -> String { try digest.finish() }

    package func stop() { scan.stop() }
}

/// The entries of a store in the order of a keyed manifest, added up on the way.
final class KeyedStore: SummedSource {
    private let store: DigestingSource
    private let keyed: KeyedEntries

    init(
        _ store: DigestingSource, _ key: ManifestKey, _ spillFolder: String?,
        isCancelled: @escaping @Sendable () -> Bool
    ) throws {
        self.store = store
        keyed = try KeyedEntries(store, key: key, spillFolder: spillFolder, isCancelled: isCancelled)
    }

    /// Those of the store, once all was read.
    var totals: KeyspaceTotals { store.totals }

    func next() throws -> (any DigestPage)? { try keyed.next() }

    func finish() throws -> String { try keyed.finish() }

    func stop() { keyed.stop() }
}
