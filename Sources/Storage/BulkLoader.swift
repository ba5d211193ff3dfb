/// Fills an empty destination as fast as it can be filled.
///
/// Calls come from one thread at a time: ``load(_:)`` any number of times, then ``finish()``; then ``sync()``, which may
/// run beside a comparison of what ``written()`` reads; then, once both are done, ``publish()``. ``abandon()`` at any
/// point before that gives up. A comparison that is to read the disk comes after `sync()` and ``readFromDisk()``.
package protocol BulkLoader: AnyObject, Sendable {
    /// Whether keys must come in strictly ascending order.
    var needsAscendingKeys: Bool { get }
    /// Takes a batch, which the loader holds until it gives it back to the plan's pool, once; others may hold it as well, so
    /// it is only read. Nothing need be visible or durable yet.
    func load(_ batch: EntryBatch) throws(StorageError)
    /// Writes all that is still held back: the store is complete and can be read, though perhaps not yet durable.
    func finish() throws(StorageError)
    /// Makes everything durable.
    func sync() throws(StorageError)
    /// The store as it lies on disk or server now, opened for the comparison.
    func written() throws(StorageError) -> any StorageSource
    /// Has what ``written()`` gives from now on come from where it is kept, and not from what the system still holds of it in
    /// memory, where that can be done. After ``sync()``: what is not on the disk yet cannot be forgotten.
    func readFromDisk()
    /// Where what ``written()`` gave has come from; asked when it was read.
    var readBackOrigin: ReadBackOrigin { get }
    /// Has every copy that the store keeps prove what it holds durably, once all is written.
    ///
    /// - Parameter keyspaceDigest: What the source gave, 64 hexadecimal digits; `nil` if the store may hold more than that.
    /// - Returns: What each copy says; empty for a store that is one copy.
    /// - Throws: If one of them differs, or too few answer.
    func proveCopies(
        keyspaceDigest: String?, isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) -> [CopyProof]
    /// Whether what ``written()`` would give holds byte for byte what another loader of the same run has built, which was read
    /// back and is what it should be. Reads both.
    func isCopy(of other: any BulkLoader) throws(StorageError) -> Bool
    /// Gives the store its final name, durably. Does nothing where it has it from the start.
    func publish() throws(StorageError)
    /// Gives up: removes what has no final name yet. Never throws, may be repeated.
    func abandon()
}

extension BulkLoader {
    package func proveCopies(
        keyspaceDigest: String?, isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) -> [CopyProof] { [] }

    package func isCopy(of other: any BulkLoader) throws(StorageError) -> Bool { false }

    package func readFromDisk() {}

    package var readBackOrigin: ReadBackOrigin { .cache }
}

/// Where it came from what was read back after a load.
package enum ReadBackOrigin: String, Sendable {
    /// From the disk: the system had forgotten what it held of it in memory.
    case disk
    /// Perhaps from the system's memory: it was not asked to forget, or did not.
    case cache
    /// From a service or nodes, which keep it.
    case service
}

/// What one copy of a store has computed over the entries that it holds durably.
package struct CopyProof: Sendable, Equatable {
    /// Its name among the copies.
    package let id: String
    package let address: String
    /// The log index at which it was computed.
    package let index: Int
    package let entries: Int
    /// The keyspace digest, 64 hexadecimal digits.
    package let digest: String
    /// Whether it is the source's.
    package let isEqual: Bool

    package init(id: String, address: String, index: Int, entries: Int, digest: String, isEqual: Bool) {
        self.id = id
        self.address = address
        self.index = index
        self.entries = entries
        self.digest = digest
        self.isEqual = isEqual
    }
}

/// What a loader is told before it starts.
package struct LoadPlan: Sendable {
    /// Whether entries that are already there may be replaced: a run that goes on where another was cut off.
    package var replacesEntries: Bool
    /// Owner of everything created, where the system allows it; `nil` leaves it to the system.
    package var owner: FileOwner?
    /// Where batches go when they are written.
    package var pool: BatchPool
    /// Asked by what takes long once all is loaded.
    package var isCancelled: @Sendable () -> Bool = { false }

    package init(replacesEntries: Bool = false, owner: FileOwner? = nil, pool: BatchPool = BatchPool()) {
        self.replacesEntries = replacesEntries
        self.owner = owner
        self.pool = pool
    }
}

/// User and group that files are to belong to.
package struct FileOwner: Hashable, Sendable {
    package let user: UInt32
    package let group: UInt32

    package init(user: UInt32, group: UInt32) {
        self.user = user
        self.group = group
    }
}

/// What a look at a store found before the first write.
package struct StoreFinding: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// The run must not start.
        case obstacle(StorageError.Code)
        /// Worth saying; the run may start.
        case remark
    }

    /// A wish of the user that makes an obstacle a remark.
    package enum Waiver: Sendable, Equatable {
        /// Do without log entries that a node's data lacks.
        case missingLog
    }

    package let kind: Kind
    /// What was found, where, and what to do about it.
    package let message: String
    /// What of the user's wishes makes the obstacle a remark; `nil` if none does.
    package let waiver: Waiver?

    package init(_ kind: Kind, _ message: String, waiver: Waiver? = nil) {
        self.kind = kind
        self.message = message
        self.waiver = waiver
    }
}

/// How a server is set up on a store that was filled.
package struct ServerGuide: Sendable, Equatable {
    /// Lines for the server's configuration file.
    package let stanza: [String]
    /// What to do next, one step a line.
    package var steps: [String]

    package init(stanza: [String], steps: [String]) {
        self.stanza = stanza
        self.steps = steps
    }
}
