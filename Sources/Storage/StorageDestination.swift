/// A store that is filled.
///
/// One that is also a ``KeyValueStore`` carries the migration marker, `core/migration`, while it is filled, as a guard
/// against servers. Any other guards itself: it has no final name before it is proven.
package protocol StorageDestination: StorageBackend {
    /// What servers do with such a store; `nil` if none runs on it.
    var serverUse: ServerUse? { get }
    /// The folder beside which a run's state is kept unless the user says otherwise; `nil` if it is kept in the user's own
    /// state folder.
    var stateNeighbour: String? { get }
    /// Entries without which no server can use the store: a source that lacks one is refused before the first write.
    var neededEntries: [NeededEntry] { get }

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
    /// What must be free to take a store of this size; `nil` where that cannot be told.
    func roomNeeded(for size: StoreSize) -> RoomNeeded?
    /// What a server's configuration must say to run on the store that was filled, and what to do next.
    ///
    /// - Parameters:
    ///   - largestEntry: Bytes of key and value of the largest entry.
    ///   - seal: How the source is sealed, if it says so.
    func serverGuide(largestEntry: Int, seal: SealDescription?) -> ServerGuide?
}

/// How servers use a storage backend.
package enum ServerUse: Sendable {
    /// One write at a time.
    case singleWrites
    /// OpenBao writes several entries at once or none of them.
    case transactions
}

/// An entry that a destination cannot do without.
package struct NeededEntry: Sendable, Equatable {
    package let key: StorageKey
    /// Why, and what to do instead, in sentences.
    package let reason: String

    package init(_ key: StorageKey, because reason: String) {
        self.key = key
        self.reason = reason
    }
}

extension StorageDestination {
    package var stateNeighbour: String? { nil }

    package var neededEntries: [NeededEntry] { [] }

    package func destinationFindings() throws(StorageError) -> [StoreFinding] { [] }

    package func claim(_ holder: String) throws(StorageError) {}

    package func removeRemains() {}

    package func roomNeeded(for size: StoreSize) -> RoomNeeded? { nil }

    package func serverGuide(largestEntry: Int, seal: SealDescription?) -> ServerGuide? { nil }
}
