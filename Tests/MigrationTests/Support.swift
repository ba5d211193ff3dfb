import Digest
import InMemoryBackend
import Migration
import Storage
import Synchronization
import Telemetry
import TestSupport
import Workers

/// A store in memory with these entries.
func memory(_ entries: [Entry]) throws -> InMemoryBackend {
    let store = InMemoryBackend()
    for entry in entries { try store.put(entry.key, entry.value) }
    return store
}

/// A store that gives exactly the batches it is told to, in order or not, and misbehaves on demand.
final class ScriptedStore: KeyValueStore, StorageDestination {
    let kind = "scripted"
    let location: String
    let identity: StoreIdentity
    let traits: SourceTraits
    let rules: EntryRules = []
    private let batches: [[Entry]]
    /// Entries that are there and cannot be read.
    private let unreadable: Set<StorageKey>
    /// Thrown once all batches are delivered.
    private let failure: StorageError?
    /// Scans that came to their end, in whatever way.
    let endedScans = Atomic<Int>(0)

    init(
        _ batches: [[Entry]], location: String = "script", path: String? = nil, isAscending: Bool = true,
        unreadable: Set<StorageKey> = [], failure: StorageError? = nil
    ) {
        self.batches = batches
        self.location = location
        self.identity = StoreIdentity("scripted:\(location)", path: path)
        self.traits = SourceTraits(isAscending: isAscending)
        self.unreadable = unreadable
        self.failure = failure
    }

    var serverUse: ServerUse? { nil }

    func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        throw StorageError(.unsupported, "a script is not filled")
    }

    /// The entries in an order that has nothing to do with their keys.
    static func shuffled(_ entries: [Entry], seed: Int) -> ScriptedStore {
        var random = SeededRandom(seed)
        let shuffled = entries.shuffled(using: &random)
        return ScriptedStore(
            stride(from: 0, to: shuffled.count, by: 37).map { Array(shuffled[$0..<min($0 + 37, shuffled.count)]) },
            location: "shuffled \(seed)", isAscending: false)
    }

    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        if unreadable.contains(key) { throw Self.unreadable(key) }
        for batch in batches {
            if let entry = batch.first(where: { $0.key == key }) { return entry.value }
        }
        return nil
    }

    private static func unreadable(_ key: StorageKey) -> StorageError {
        StorageError(.damagedEntry, "\(key) cannot be read", key: key)
    }

    func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) {
        throw StorageError(.unsupported, "a script is not written to")
    }

    func delete(_ key: StorageKey) throws(StorageError) {
        throw StorageError(.unsupported, "a script is not written to")
    }

    func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] { [] }

    func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        defer { endedScans.add(1, ordering: .relaxed) }
        for entries in batches {
            if request.isCancelled() { throw StorageError.cancelled }
            let batch = request.pool.take()
            for entry in entries {
                guard unreadable.contains(entry.key) else {
                    batch.append(key: entry.key, value: entry.value)
                    continue
                }
                let error = Self.unreadable(entry.key)
                guard request.passesOver(error) else { throw error }
            }
            guard try deliver(batch) else { return }
        }
        if let failure { throw failure }
    }

    func close() {}
}

/// A store whose parts have nothing to do with the order of its keys, and which are read in parallel.
final class SegmentedStore: KeyValueStore {
    let kind = "segmented"
    let location = "segments"
    let identity = StoreIdentity("segmented")
    let traits = SourceTraits(isAscending: false)
    let rules: EntryRules = []
    private let segments: [[Entry]]
    /// The segment that cannot be read to its end.
    private let failing: Int?
    /// Batches delivered by segment.
    let delivered: Mutex<[Int]>
    /// Told of every batch before it is delivered.
    private let onBatch: @Sendable (Int) -> Void

    init(
        _ entries: [Entry], segments count: Int, seed: Int, failing: Int? = nil,
        onBatch: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        var random = SeededRandom(seed)
        var segments = [[Entry]](repeating: [], count: count)
        for entry in entries.shuffled(using: &random) { segments[random.below(count)].append(entry) }
        self.segments = segments
        self.failing = failing
        self.delivered = Mutex([Int](repeating: 0, count: count))
        self.onBatch = onBatch
    }

    func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] {
        segments.indices.map { StoragePartition(from: StorageKey("\($0)"), to: nil) }
    }

    func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        guard let text = request.partition.lower?.description, let segment = Int(text) else {
            throw StorageError(.unsupported, "a segment is read, not \(request.partition)")
        }
        let entries = segments[segment]
        for start in stride(from: 0, to: entries.count, by: 31) {
            if request.isCancelled() { throw StorageError.cancelled }
            let batch = request.pool.take()
            for entry in entries[start..<min(start + 31, entries.count)] {
                batch.append(key: entry.key, value: entry.value)
            }
            delivered.withLock { $0[segment] += 1 }
            onBatch(segment)
            guard try deliver(batch) else { return }
        }
        if segment == failing { throw StorageError(.io, "segment \(segment) is gone") }
    }

    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? { nil }

    func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) {
        throw StorageError(.unsupported, "segments are not written to")
    }

    func delete(_ key: StorageKey) throws(StorageError) {
        throw StorageError(.unsupported, "segments are not written to")
    }

    func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] { [] }

    func close() {}
}

/// All keys and digests of a source, as manifest lines.
func lines(of source: any DigestSource) throws -> [UInt8] {
    var lines: [UInt8] = []
    while let page = try source.next() {
        for index in 0..<page.count {
            appendHexadecimal(page.digest(index), to: &lines)
            lines += Array("  ".utf8)
            appendEscapedKey(page.key(index), to: &lines)
            lines.append(UInt8(ascii: "\n"))
        }
        page.recycle()
    }
    return lines
}

/// The lines of a store's scan.
func lines(of store: any StorageSource, spillFolder: String? = nil, start: StorageKey? = nil) throws -> [UInt8] {
    var options = DigestedScan.Options()
    options.spillFolder = spillFolder
    options.filter = EntryFilter(start: start)
    let scan = DigestedScan(store, options)
    defer { scan.stop() }
    return try lines(of: scan)
}

/// What a run works with, silent.
func context(_ cancellation: CancellationToken = CancellationToken()) -> RunContext {
    RunContext(
        logger: Logger(level: .error, output: TerminalOutput(descriptor: -1)), counters: ProgressCounters(),
        cancellation: cancellation, environment: [:], version: "test")
}
