import Barrier
import Digest
package import Storage

/// What is made with key shares for a destination, and stands in it beside or in place of what the source has.
struct StoreAmendment {
    var entries: [(key: StorageKey, value: [UInt8])] = []
    var added: [StorageKey] = []
    var changed: [StorageKey] = []
    var removed: [StorageKey] = []
    /// What tells a journal of a run with it from that of another; a line.
    var manner = ""

    init() {}

    init(_ upgrade: SealUpgrade) {
        entries = upgrade.entries
        (added, changed, removed) = (upgrade.added, upgrade.changed, upgrade.removed)
        manner = "seal upgraded\n"
    }

    /// With a key ring for the nodes of integrated storage, which the source lacks.
    func adding(keyRing value: [UInt8]) throws(DigestError) -> StoreAmendment {
        var all = self
        all.entries.append((.raftKeyRing, value))
        all.added.append(.raftKeyRing)
        let digest = try value.withBytes { (bytes) throws(DigestError) in try SHA256Digest.of(bytes) }
        // Another one would contradict the one that was read with what is kept.
        all.manner += "key ring \(digest.hexadecimal)\n"
        return all
    }
}

/// A source as a destination is to have it, with what is made for it with key shares: a store of before Vault 1.3 fit for today's
/// servers (``SealUpgrade``), a key ring for the nodes of integrated storage. The entries that are added or changed stand in their
/// places, and everything else is the source's. The source itself stays as it is.
package class SealUpgradedSource: StorageSource, @unchecked Sendable {
    // Unchecked: nothing changes after the initialiser.
    /// The source as it is.
    let inner: any StorageSource
    /// The entries that are added, or stand in place of the source's.
    let values: [StorageKey: [UInt8]]
    /// Keys of the source that are replaced or left out.
    let hidden: Set<StorageKey>
    /// Entries that come with the batch that holds another one: the next of the source in key order, where it has one.
    private let anchored: [(anchor: StorageKey, key: StorageKey)]
    /// Folders whose markers come with an entry that is added, where the source has none.
    private let lackedFolders: [(key: StorageKey, folder: StorageKey)]
    /// What tells a journal of such a run from that of another.
    let manner: String

    private static let folders: [(key: StorageKey, folder: StorageKey)] = [
        (.storedRootKey, "core/hsm/"), (.raftKeyRing, "core/raft/"),
    ]

    /// The source with what is made for its destination; one that can be written to is so still, for the migration marker.
    static func make(
        _ source: any StorageSource, _ amendment: StoreAmendment
    ) throws(StorageError) -> any StorageSource {
        guard let store = source as? any KeyValueStore else { return try SealUpgradedSource(source, amendment) }
        return try SealUpgradedStore(store, amendment)
    }

    fileprivate init(_ source: any StorageSource, _ amendment: StoreAmendment) throws(StorageError) {
        inner = source
        manner = amendment.manner
        values = Dictionary(amendment.entries.map { ($0.key, $0.value) }) { first, _ in first }
        hidden = Set(amendment.changed + amendment.removed)
        var anchored: [(anchor: StorageKey, key: StorageKey)] = []
        for key in amendment.added { anchored.append((try Self.successor(of: key, in: source), key)) }
        for key in amendment.changed { anchored.append((key, key)) }
        self.anchored = anchored
        let names = source.traits.keepsDirectoryMarkers ? try source.list("core/") : []
        lackedFolders =
            source.traits.keepsDirectoryMarkers
            ? Self.folders.filter { folder in !names.contains { "core/\($0)" == "\(folder.folder)" } } : []
    }

    /// The entry that comes behind a place in key order: a partition, and a scan that is taken up behind a cursor, give it once
    /// and all at once. `core/keyring` or `core/seal-config` is behind all places here.
    ///
    /// A scan of keys alone also gives those of which nothing but the name is left, and a scan of entries never comes to them:
    /// the entry must be there.
    private static func successor(of key: StorageKey, in source: any StorageSource) throws(StorageError) -> StorageKey {
        guard source.traits.isAscending else { return .keyring }
        let last = key < .keyring ? StorageKey.keyring : .sealConfiguration
        var request = ScanRequest(content: .keys, readers: 1)
        request.partition = StoragePartition(
            from: StorageKey(key.bytes + [0]), to: StorageKey(last.bytes + [0]))
        request.pageEntries = 1
        var found: StorageKey?
        try source.scan(request) { batch throws(StorageError) in
            let keys = (0..<batch.count).map { StorageKey(copying: batch.key($0)) }
            for other in keys.sorted() where found == nil {
                if try source.get(other) != nil { found = other }
            }
            return found == nil
        }
        return found ?? last
    }

    package var kind: String { inner.kind }
    package var location: String { inner.location }
    package var identity: StoreIdentity { inner.identity }
    package var rules: EntryRules { inner.rules }
    package var remarks: [String] { inner.remarks }
    package var isRemote: Bool { inner.isRemote }
    package var meter: (any ServiceMeter)? { inner.meter }
    package var traits: SourceTraits { inner.traits }

    package func incarnation() throws(StorageError) -> String { try inner.incarnation() }
    package func letIdleGo() { inner.letIdleGo() }
    package func close() { inner.close() }
    package func estimatedBytes() -> Int? { inner.estimatedBytes() }
    package func estimatedEntries() -> Int? { inner.estimatedEntries() }
    package func sourceFindings() throws(StorageError) -> [StoreFinding] { try inner.sourceFindings() }

    package func greatestBytes() -> Int? {
        inner.greatestBytes().map { values.reduce($0) { $0.clampedSum($1.key.bytes.count + $1.value.count) } }
    }

    package func measure(isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) -> StoreSize? {
        guard var size = try inner.measure(isCancelled: isCancelled) else { return nil }
        size.entries = size.entries.map { $0 + values.count }
        return size
    }

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        if let value = values[key] { return value }
        return hidden.contains(key) ? nil : try inner.get(key)
    }

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        var names = Set(try inner.list(prefix))
        for key in hidden where values[key] == nil && key.hasPrefix(prefix) {
            names.remove(StorageKey(Array(key.bytes.dropFirst(prefix.bytes.count))))
        }
        for key in values.keys where key.hasPrefix(prefix) {
            let rest = key.bytes.dropFirst(prefix.bytes.count)
            names.insert(StorageKey(Array(rest.firstIndex(of: UInt8(ascii: "/")).map { rest[...$0] } ?? rest)))
        }
        return names.sorted()
    }

    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] { try inner.partitions(count) }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try inner.scan(request) { batch throws(StorageError) in
            amend(batch, request)
            return try deliver(batch)
        }
    }

    /// Puts the entries of the upgrade into the batch that they belong into.
    private func amend(_ batch: EntryBatch, _ request: ScanRequest) {
        guard batch.count > 0, mayConcern(batch) else { return }
        var found: [StorageKey] = []
        for index in 0..<batch.count {
            let key = batch.key(index)
            for (anchor, added) in anchored where key.count == anchor.bytes.count && key.elementsEqual(anchor.bytes) {
                found.append(added)
            }
        }
        batch.removeEntries { index in
            let key = batch.key(index)
            return hidden.contains { key.count == $0.bytes.count && key.elementsEqual($0.bytes) }
        }
        guard !found.isEmpty else { return }
        for key in found {
            batch.append(key: key, value: request.content == .keys ? [] : values[key] ?? [])
        }
        if request.includesDirectoryMarkers {
            for lacked in lackedFolders where found.contains(lacked.key) { batch.append(key: lacked.folder, value: []) }
        }
        batch.sortByKey()
    }

    /// Whether a batch can hold anything that the upgrade is about.
    private func mayConcern(_ batch: EntryBatch) -> Bool {
        guard traits.isAscending else { return true }
        let (first, last) = (batch.key(0), batch.key(batch.count - 1))
        return (anchored.map(\.anchor) + Array(hidden)).contains { key in
            key.bytes.withBytes { compareBytes(first, $0) <= 0 && compareBytes(last, $0) >= 0 }
        }
    }
}

/// Holds what passes on its way to a destination against what an upgrade of the seal makes: an entry of it that was not given
/// would leave a destination that looks whole, and that no server unseals.
struct SealUpgradeWatch {
    private let values: [StorageKey: [UInt8]]
    private let removed: Set<StorageKey>
    private var missing: Set<StorageKey>
    /// Those that came otherwise than they were made, or that should not have come.
    private var wrong: Set<StorageKey> = []

    /// - Parameter source: Nothing is awaited of one without an upgrade.
    init(_ source: any StorageSource) {
        let upgraded = source as? SealUpgradedSource
        values = upgraded?.values ?? [:]
        removed = (upgraded?.hidden ?? []).subtracting(values.keys)
        missing = Set(values.keys)
    }

    /// Looks at a batch in key order, of entries with their values or of names alone.
    mutating func take(_ batch: EntryBatch) {
        guard batch.count > 0, !(values.isEmpty && removed.isEmpty) else { return }
        let (first, last) = (batch.key(0), batch.key(batch.count - 1))
        let awaited = (Array(values.keys) + removed).filter { key in
            key.bytes.withBytes { compareBytes(first, $0) <= 0 && compareBytes(last, $0) >= 0 }
        }
        guard !awaited.isEmpty else { return }
        for index in 0..<batch.count {
            let key = batch.key(index)
            guard let found = awaited.first(where: { $0.bytes.count == key.count && key.elementsEqual($0.bytes) })
            else { continue }
            missing.remove(found)
            let isRight = values[found].map { !batch.keepsValues || batch.value(index).elementsEqual($0) } ?? false
            if !isRight { wrong.insert(found) }
        }
    }

    /// Ends a run whose destination would not have what the upgrade makes.
    func demand() throws(MigrationFailure) {
        let keys = missing.union(wrong).sorted()
        guard !keys.isEmpty else { return }
        throw .migrating(
            "\(keys.map { "\($0)" }.joined(separator: ", ")) did not come to the destination as "
                + "\(keys.count == 1 ? "it was" : "they were") made with the key shares, so that it was not released. Somebody writes to the "
                + "source: stop every server on it and run the same command again.")
    }

    /// The same of a destination that is there already.
    func demand(of store: any StorageSource) throws {
        var watch = self
        for (key, value) in values where try store.get(key) == value { watch.missing.remove(key) }
        for key in removed where try store.get(key) != nil { watch.wrong.insert(key) }
        try watch.demand()
    }
}

/// The same of a source that carries a migration marker.
private final class SealUpgradedStore: SealUpgradedSource, KeyValueStore, @unchecked Sendable {
    private let store: any KeyValueStore

    fileprivate init(_ store: any KeyValueStore, _ amendment: StoreAmendment) throws(StorageError) {
        self.store = store
        try super.init(store as any StorageSource, amendment)
    }

    func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) { try store.put(key, value) }
    func delete(_ key: StorageKey) throws(StorageError) { try store.delete(key) }
    func markerFindings() throws(StorageError) -> [StoreFinding] { try store.markerFindings() }

    func replace(
        _ key: StorageKey, _ expected: [UInt8]?, with value: [UInt8]
    ) throws(StorageError) -> Bool {
        try store.replace(key, expected, with: value)
    }
}
