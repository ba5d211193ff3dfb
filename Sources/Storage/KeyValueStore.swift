/// A store whose entries can be written and removed one by one: it can carry the migration marker.
package protocol KeyValueStore: StorageSource {
    /// Writes an entry, replacing any value it had.
    func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError)
    /// Removes an entry; success if there is none.
    func delete(_ key: StorageKey) throws(StorageError)
    /// Removes entries, in any order, at once where the store can; those that are not there are passed over.
    ///
    /// - Throws: Perhaps after some are gone.
    func delete(_ keys: [StorageKey]) throws(StorageError)
    /// Writes an entry if its value is still the one that was seen, so that of two programs that write at once one is told.
    ///
    /// - Parameter expected: The value that was seen; `nil` if there was none.
    /// - Returns: Whether the entry was written. Stores that cannot tell write it in any case.
    func replace(_ key: StorageKey, _ expected: [UInt8]?, with value: [UInt8]) throws(StorageError) -> Bool
    /// Looks whether the store may be given the migration marker, and have it taken back, changing nothing.
    func markerFindings() throws(StorageError) -> [StoreFinding]
}

extension KeyValueStore {
    package func delete(_ keys: [StorageKey]) throws(StorageError) {
        for key in keys { try delete(key) }
    }

    package func replace(
        _ key: StorageKey, _ expected: [UInt8]?, with value: [UInt8]
    ) throws(StorageError) -> Bool {
        try put(key, value)
        return true
    }

    package func markerFindings() throws(StorageError) -> [StoreFinding] { [] }
}
