/// What every store is, whatever is done with it: a flat map from keys to opaque values, listed as if `/` made
/// directories.
///
/// What can be done with a store is its roles: ``StorageSource``, ``StorageDestination``, ``KeyValueStore``. A backend has
/// those that it can play, and no other. All calls block. All may be made from several threads at once. After ``close()``
/// every call throws.
package protocol StorageBackend: AnyObject, Sendable {
    /// The type name used in configuration files: `file`, `raft`, …
    var kind: String { get }
    /// Where the store is, for messages; never with credentials.
    var location: String { get }
    /// What tells this store from every other one, to find out that two configurations mean the same store.
    var identity: StoreIdentity { get }
    /// What this backend can hold.
    var rules: EntryRules { get }
    /// Facts about the store worth telling the user, found on opening it.
    var remarks: [String] { get }
    /// Reading and writing go over a network and may cost money: nothing is asked twice that need not be.
    var isRemote: Bool { get }
    /// What the store's service counts; `nil` for a store that is no service.
    var meter: (any ServiceMeter)? { get }

    /// What tells this store's present content from that of another store that had its place before, such as the
    /// number a table was given when it was created; empty where there is nothing of the kind.
    func incarnation() throws(StorageError) -> String
    /// Gives back memory and connections that are only kept for the next call; for after a long read.
    func letIdleGo()
    /// Gives back files, locks and connections. Repeated calls do nothing.
    func close()
}

extension StorageBackend {
    package var remarks: [String] { [] }

    package var isRemote: Bool { false }

    package var meter: (any ServiceMeter)? { nil }

    package func incarnation() throws(StorageError) -> String { "" }

    package func letIdleGo() {}
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
