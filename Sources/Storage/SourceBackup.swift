/// A copy of a store that its own service keeps.
package struct SourceBackup: Sendable, Equatable {
    package let name: String
    /// Its name for the service's other operations, such as an ARN.
    package let resourceName: String

    package init(name: String, resourceName: String) {
        self.name = name
        self.resourceName = resourceName
    }
}

/// A source whose service can copy it before it is read.
package protocol BackedUpSource: StorageSource {
    /// Looks whether a backup of that name may be made, changing nothing.
    func backupFindings(named name: String) throws(StorageError) -> [StoreFinding]
    /// Has a backup begun.
    ///
    /// - Throws: What the service refuses; nothing was begun then.
    func beginBackup(named name: String) throws(StorageError) -> SourceBackup
    /// Whether a backup is whole.
    ///
    /// - Throws: `.missingStore` if it is not there (any more).
    func isAvailable(_ backup: SourceBackup) throws(StorageError) -> Bool
}
