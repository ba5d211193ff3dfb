package import Storage
import Synchronization

/// A store in this process's memory, as Vault's `inmem`: for tests and dry runs; empty as a source, gone at exit.
package final class InMemoryBackend: KeyValueStore, StorageDestination {
    private let entries = Mutex<[StorageKey: [UInt8]]>([:])
    private let isClosed = Mutex(false)
    private let maximumValueBytes: Int?

    package let kind = "inmem"
    package let location = "memory"
    package let identity: StoreIdentity

    /// - Parameter maximumValueBytes: Largest value `put` takes (option `max_value_size`), `nil` for no limit.
    package init(maximumValueBytes: Int? = nil) {
        self.maximumValueBytes = maximumValueBytes
        self.identity = StoreIdentity("inmem:\(Self.nextNumber())")
    }

    private static let number = Mutex(0)

    private static func nextNumber() -> Int {
        number.withLock { number in
            number += 1
            return number
        }
    }

    package var traits: SourceTraits { SourceTraits(isAscending: true) }

    package var serverUse: ServerUse? { nil }

    package var rules: EntryRules { EntryRules(maximumValueBytes.map { [.largerValue(than: $0)] } ?? []) }

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        try checkOpen()
        return entries.withLock { $0[key] }
    }

    package func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) {
        try checkOpen()
        if let maximumValueBytes, value.count > maximumValueBytes {
            throw StorageError(
                .limit, "put failed due to value being too large; got \(value.count) bytes, max: \(maximumValueBytes)",
                key: key)
        }
        entries.withLock { $0[key] = value }
    }

    package func delete(_ key: StorageKey) throws(StorageError) {
        try checkOpen()
        entries.withLock { _ = $0.removeValue(forKey: key) }
    }

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        try checkOpen()
        let names = entries.withLock { entries in
            entries.keys.compactMap { key -> StorageKey? in
                guard key.bytes.count > prefix.bytes.count, key.hasPrefix(prefix) else { return nil }
                let rest = key.bytes[prefix.bytes.count...]
                guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return StorageKey(Array(rest)) }
                return StorageKey(Array(rest[...slash]))
            }
        }
        return Set(names).sorted()
    }

    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] {
        try checkOpen()
        let keys = entries.withLock { $0.keys.sorted() }
        guard count > 1, keys.count > 1 else { return [.whole] }
        let parts = min(count, keys.count)
        return StoragePartition.split(at: (1..<parts).map { keys[$0 * keys.count / parts] })
    }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try checkOpen()
        let part = request.partition
        let after = request.cursor.map { StorageKey($0.bytes) }
        let selected = entries.withLock { entries in
            entries.filter { entry in
                (part.lower.map { entry.key >= $0 } ?? true) && (part.upper.map { entry.key < $0 } ?? true)
                    && (after.map { entry.key > $0 } ?? true)
            }.sorted { $0.key < $1.key }
        }
        var batch = request.pool.take()
        for (key, value) in selected {
            if request.isCancelled() { throw StorageError.cancelled }
            batch.append(key: key, value: request.content == .keys ? [] : value)
            batch.cursor = ScanCursor(key.bytes)
            if batch.isFull {
                guard try deliver(batch) else { return }
                batch = request.pool.take()
            }
        }
        if batch.count > 0 { _ = try deliver(batch) }
    }

    package func destinationFindings() throws(StorageError) -> [StoreFinding] {
        [StoreFinding(.remark, "inmem keeps nothing: the copy is gone when the command ends.")]
    }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try checkOpen()
        return InMemoryLoader(self, plan.pool)
    }

    package func close() {
        isClosed.withLock { $0 = true }
    }

    private func checkOpen() throws(StorageError) {
        if isClosed.withLock({ $0 }) { throw StorageError(.io, "inmem: the store was closed.") }
    }
}

private final class InMemoryLoader: BulkLoader {
    private let store: InMemoryBackend
    private let pool: BatchPool

    init(_ store: InMemoryBackend, _ pool: BatchPool) {
        self.store = store
        self.pool = pool
    }

    var needsAscendingKeys: Bool { false }

    func load(_ batch: EntryBatch) throws(StorageError) {
        for index in 0..<batch.count {
            try store.put(StorageKey(copying: batch.key(index)), Array(batch.value(index)))
        }
        pool.recycle(batch)
    }

    func finish() throws(StorageError) {}

    func sync() throws(StorageError) {}

    func written() throws(StorageError) -> any StorageSource { store }

    func publish() throws(StorageError) {}

    func abandon() {}
}
