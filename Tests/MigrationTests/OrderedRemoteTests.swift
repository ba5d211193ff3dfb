import InMemoryBackend
import Storage
import Synchronization
import Telemetry
import TestSupport
import Testing
import Workers

@testable import Migration

/// A store that is read over a network, gives its entries in key order, and breaks off on demand.
private final class OrderedRemoteStore: StorageSource {
    let kind = "remote"
    let location = "far away"
    let identity = StoreIdentity("remote")
    let traits = SourceTraits(isAscending: true)
    let rules: EntryRules = []
    let isRemote = true
    private let store: InMemoryBackend
    /// Batches until the connection breaks, if it does.
    let patience = Mutex<Int?>(nil)
    /// Entries that were taken so far.
    let taken = Atomic(0)

    init(_ store: InMemoryBackend) { self.store = store }

    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? { try store.get(key) }

    func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] { try store.list(prefix) }

    func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] { try store.partitions(count) }

    func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try store.scan(request) { batch throws(StorageError) in
            // A look at the first entries is no reading.
            guard request.pageEntries == nil, request.content == .entries else { return try deliver(batch) }
            let isBroken = patience.withLock { patience in
                guard let left = patience else { return false }
                patience = left - 1
                return left <= 0
            }
            if isBroken { throw StorageError(.io, "the connection broke") }
            let count = batch.count
            let goesOn = try deliver(batch)
            taken.add(count, ordering: .relaxed)
            return goesOn
        }
    }

    func close() {}
}

@Suite struct OrderedRemoteTests {
    /// What an earlier run had read of it is not read again, as of a source that is read in no order.
    @Test func aRunGoesOnBehindWhatAnEarlierOneHadRead() throws {
        let entries = sampleEntries(9_000, seed: 31)
        let source = OrderedRemoteStore(try memory(entries))
        let destination = InMemoryBackend()
        try Scratch.withFolder { folder in
            func run() throws -> MigrationSummary? {
                var options = MigrationOptions()
                options.stateFolder = "\(folder)/state"
                options.allowsAnyData = true
                options.isSourceUnchanged = true
                options.maximumParallel = 3
                let phases = try MigrationPhases(
                    source: source, targets: [MigrationPhases.Target(store: destination, reopening: { destination })],
                    options: options,
                    context: RunContext(
                        logger: Logger(level: .error, output: TerminalOutput(descriptor: -1)),
                        counters: ProgressCounters(), cancellation: CancellationToken(), environment: [:],
                        version: "test"),
                    stop: StopRequest(CancellationToken()), remarks: [])
                var summary: MigrationSummary?
                try phases.run { summary = $0 }
                return summary
            }
            source.patience.withLock { $0 = 5 }
            let error = #expect(throws: MigrationFailure.self) { try run() }
            #expect(error?.message.contains("the connection broke") == true)
            let readBefore = source.taken.load(ordering: .relaxed)
            #expect(readBefore > 0 && readBefore < entries.count)
            source.patience.withLock { $0 = nil }
            let summary = try #require(try run())
            #expect(summary.entriesReadBefore == readBefore && summary.totals.entries == entries.count)
            #expect(source.taken.load(ordering: .relaxed) == entries.count)
            #expect(summary.isProven)
            for entry in entries { #expect(try destination.get(entry.key) == entry.value) }
        }
    }
}
