/// A store of entries: a flat map from keys to opaque values, listed as if `/` made directories.
///
/// All calls block. All may be made from several threads at once. After ``close()`` every call throws.
package protocol StorageBackend: AnyObject, Sendable {
    /// The type name used in configuration files: `file`, `raft`, …
    var kind: String { get }
    /// Where the store is, for messages; never with credentials.
    var location: String { get }
    /// What tells this store from every other one, to find out that two configurations mean the same store.
    var identity: StoreIdentity { get }
    var capabilities: StorageCapabilities { get }
    /// What this backend can hold.
    var rules: EntryRules { get }
    /// Facts about the store worth telling the user, found on opening it.
    var remarks: [String] { get }

    /// The value of an entry, `nil` if there is none.
    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]?
    /// Writes an entry, replacing any value it had.
    func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError)
    /// Removes an entry; success if there is none.
    func delete(_ key: StorageKey) throws(StorageError)
    /// Writes an entry if its value is still the one that was seen, so that of two programs that write at once one is told.
    ///
    /// - Parameter expected: The value that was seen; `nil` if there was none.
    /// - Returns: Whether the entry was written. Stores that cannot tell write it in any case.
    func replace(_ key: StorageKey, _ expected: [UInt8]?, with value: [UInt8]) throws(StorageError) -> Bool
    /// The direct children of a directory: entry names as they are, sub-directories with a trailing `/`, an entry and
    /// a directory of one name side by side; ascending, empty for a missing directory.
    ///
    /// - Parameter prefix: Empty for the root, else ending in `/`.
    func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey]

    /// Cuts the store into parts that together hold each entry exactly once.
    ///
    /// - Parameter count: The number wanted; the answer may have fewer, never more.
    func partitions(_ count: Int) throws(StorageError) -> [StoragePartition]
    /// Streams every entry of one partition.
    ///
    /// - Parameter deliver: Is handed one batch after the other on the calling thread and owns it; `false` ends the
    ///   scan without an error.
    func scan(_ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool) throws(StorageError)

    /// An estimate of the bytes in keys and values, from what can be known without reading them all.
    func estimatedBytes() -> Int?
    /// An estimate of the number of entries, from what can be known without reading them all.
    func estimatedEntries() -> Int?
    /// What tells this store's present content from that of another store that had its place before, such as the
    /// number a table was given when it was created; empty where there is nothing of the kind.
    func incarnation() throws(StorageError) -> String
    /// What was asked of a service so far; `nil` for a store that is no service.
    func activity() -> StoreActivity?

    /// What reading the whole store would ask of its service; `nil` for a store that is no service.
    func readPlan() throws(StorageError) -> ServicePlan?
    /// Adds up what writing would ask of the store's service; `nil` for a store that is no service.
    func writeEstimator() throws(StorageError) -> (any WriteEstimator)?

    /// Looks at the store as a source, changing nothing.
    func sourceFindings() throws(StorageError) -> [StoreFinding]
    /// Looks whether a source may be given the migration marker, and have it taken back, changing nothing.
    func markerFindings() throws(StorageError) -> [StoreFinding]
    /// Looks at the store as a destination, changing nothing that stays.
    func destinationFindings() throws(StorageError) -> [StoreFinding]
    /// Takes the store, as a destination, for this process alone until it is closed or filled, where its migration marker
    /// does not do that.
    ///
    /// - Parameter holder: Who takes it, in a few words for whoever is refused.
    /// - Throws: `.inUse` if another process has it.
    func claim(_ holder: String) throws(StorageError)
    /// Removes what a run that was killed after it had finished the store left beside it, as far as that can be.
    func removeRemains()
    /// Starts filling the store.
    func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader

    /// Bytes that keys and values cannot exceed, known without looking into the store; `nil` where nothing tells.
    func greatestBytes() -> Int?
    /// Counts what the store holds by looking at every entry but not into it; `nil` where that cannot be done.
    func measure(isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) -> StoreSize?

    /// What must be free to take a store of this size; `nil` where that cannot be told.
    func roomNeeded(for size: StoreSize) -> RoomNeeded?
    /// What a server's configuration must say to run on the store that was filled, and what to do next.
    ///
    /// - Parameters:
    ///   - largestEntry: Bytes of key and value of the largest entry.
    ///   - seal: How the source is sealed, if it says so.
    func serverGuide(largestEntry: Int, seal: SealDescription?) -> ServerGuide?

    /// Gives back memory and connections that are only kept for the next call; for after a long read.
    func letIdleGo()

    /// Gives back files, locks and connections. Repeated calls do nothing.
    func close()
}

extension StorageBackend {
    package var remarks: [String] { [] }

    package func estimatedBytes() -> Int? { nil }

    package func estimatedEntries() -> Int? { nil }

    package func incarnation() throws(StorageError) -> String { "" }

    package func activity() -> StoreActivity? { nil }

    package func letIdleGo() {}

    package func readPlan() throws(StorageError) -> ServicePlan? { nil }

    package func writeEstimator() throws(StorageError) -> (any WriteEstimator)? { nil }

    package func sourceFindings() throws(StorageError) -> [StoreFinding] { [] }

    package func markerFindings() throws(StorageError) -> [StoreFinding] { [] }

    package func destinationFindings() throws(StorageError) -> [StoreFinding] { [] }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        throw StorageError(.unsupported, "\(kind) cannot be written to in bulk.")
    }

    package func claim(_ holder: String) throws(StorageError) {}

    package func removeRemains() {}

    package func replace(
        _ key: StorageKey, _ expected: [UInt8]?, with value: [UInt8]
    ) throws(StorageError) -> Bool {
        try put(key, value)
        return true
    }

    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] { [.whole] }

    package func greatestBytes() -> Int? { nil }

    package func measure(isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) -> StoreSize? { nil }

    package func roomNeeded(for size: StoreSize) -> RoomNeeded? { nil }

    package func serverGuide(largestEntry: Int, seal: SealDescription?) -> ServerGuide? { nil }

    /// Streams the whole store in its own order, one partition after the other.
    package func scanAll(
        _ request: ScanRequest = ScanRequest(), _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        var goesOn = true
        for partition in try partitions(1) where goesOn {
            var part = request
            part.partition = partition
            try scan(part) { batch throws(StorageError) in
                goesOn = try deliver(batch)
                return goesOn
            }
        }
    }
}

/// What a backend can do beyond the common model.
package struct StorageCapabilities: Sendable {
    /// Every partition is scanned in ascending key order, and partitions ascend among each other.
    package var ascendingScan: Bool
    /// `put` and `delete` work.
    package var writable: Bool
    /// The store carries `core/migration` as a guard while it is being filled or read; a Raft directory does not: its
    /// file lock and its final name guard it.
    package var usesMigrationMarker: Bool

    /// Records of their own name the store's directories; entries below a directory without one are there and are not
    /// listed.
    package var keepsDirectoryMarkers = false
    /// Reading goes over a network and may cost money: nothing is read twice that need not be.
    package var isRemote = false
    /// A read may miss what was written shortly before, as the user wants it.
    package var readsEventually = false

    package init(ascendingScan: Bool, writable: Bool, usesMigrationMarker: Bool) {
        self.ascendingScan = ascendingScan
        self.writable = writable
        self.usesMigrationMarker = usesMigrationMarker
    }
}

/// What tells one store from another: equal exactly if both configurations reach the same store.
package struct StoreIdentity: Hashable, Sendable {
    package let text: String
    /// The resolved folder or file, for stores on a file system: such stores must not lie inside one another.
    package let path: String?

    package init(_ text: String, path: String? = nil) {
        self.text = text
        self.path = path
    }
}

/// What was asked of a service, and what became of it.
package struct StoreActivity: Sendable, Equatable {
    /// Requests that were answered, by action.
    package var requests: [String: Int] = [:]
    /// Requests that were made again, for whatever reason.
    package var retries = 0
    /// Of them, those that the service refused for their rate.
    package var throttles = 0
    /// Capacity units that the service says were used.
    package var readUnits = 0.0
    package var writeUnits = 0.0
    /// Seconds that requests were held back to keep to a rate, all threads together.
    package var secondsHeldBack = 0.0

    package init() {}
}
