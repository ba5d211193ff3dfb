/// A store that is read.
package protocol StorageSource: StorageBackend {
    var traits: SourceTraits { get }

    /// The value of an entry, `nil` if there is none.
    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]?
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
    /// Bytes that keys and values cannot exceed, known without looking into the store; `nil` where nothing tells.
    func greatestBytes() -> Int?
    /// Counts what the store holds by looking at every entry but not into it; `nil` where that cannot be done.
    func measure(isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) -> StoreSize?
    /// Looks at the store as a source, changing nothing.
    func sourceFindings() throws(StorageError) -> [StoreFinding]
}

/// How a store gives its entries.
package struct SourceTraits: Sendable {
    /// Every partition is scanned in ascending key order, and partitions ascend among each other.
    package var isAscending: Bool
    /// Records of their own name the store's directories; entries below a directory without one are there and are not
    /// listed.
    package var keepsDirectoryMarkers: Bool
    /// A read may miss what was written shortly before, as the user wants it.
    package var readsEventually: Bool
    /// A single entry or directory outside `core/` is looked for from the store's beginning: nothing is asked that can
    /// be done without.
    package var readsFromTheStart: Bool

    package init(
        isAscending: Bool, keepsDirectoryMarkers: Bool = false, readsEventually: Bool = false,
        readsFromTheStart: Bool = false
    ) {
        self.isAscending = isAscending
        self.keepsDirectoryMarkers = keepsDirectoryMarkers
        self.readsEventually = readsEventually
        self.readsFromTheStart = readsFromTheStart
    }
}

extension StorageSource {
    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] { [.whole] }

    package func estimatedBytes() -> Int? { nil }

    package func estimatedEntries() -> Int? { nil }

    package func greatestBytes() -> Int? { nil }

    package func measure(isCancelled: @escaping @Sendable () -> Bool) throws(StorageError) -> StoreSize? { nil }

    package func sourceFindings() throws(StorageError) -> [StoreFinding] { [] }

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
