import LMDB
import RaftCore
import RaftFormat
package import Storage
import Synchronization

/// What a stopped node holds, opened to be read.
package final class NodeCopy: StorageSource {
    package let kind = "raft log store"
    package let location: String
    /// The node's name.
    package let id: String
    /// Its cluster's members: name, `host:port`, whether it votes.
    package let members: [(id: String, address: String, isVoter: Bool)]
    /// The last entry of the log that is in it.
    package let index: UInt64
    /// Entries of the log behind that, of which a stopped node does not know whether they were committed.
    package let missing: UInt64
    /// The entry at which it was found to hold something else than the majority; `nil` if it was not.
    package let quarantine: UInt64?
    private let folder: NodeFolder
    private let isClosed = Mutex(false)

    /// Opens a node's folder; a running node holds it.
    ///
    /// - Throws: `.missingStore` if there is no node, `.inUse` if it runs, `.damagedStore`.
    package init(path: String) throws(StorageError) {
        location = path
        do throws(ClusterError) {
            folder = try NodeFolder(reading: path)
        } catch {
            let code: StorageError.Code =
                switch error.code {
                case .inUse: .inUse
                case .damaged: .damagedStore
                case .configuration: .missingStore
                case .noSpace: .noSpace
                default: .io
                }
            throw StorageError(
                code,
                code == .inUse
                    ? "\(path): the node runs. Stop it first, and all others of its cluster." : error.description)
        }
        id = "\(folder.id)"
        members = folder.found.outline.membership.members.map { member in
            ("\(member.id)", String(decoding: member.address, as: UTF8.self), member.suffrage == .voter)
        }
        let applied = folder.state.applied.index
        index = applied
        missing = folder.found.outline.lastIndex - applied
        quarantine = Quarantine.noted(in: path)
    }

    package var identity: StoreIdentity { StoreIdentity("raft log store:\(location)", path: location) }

    package var rules: EntryRules { [.emptyKey, .longerKey(than: StateKey.longest)] }

    package var traits: SourceTraits { SourceTraits(isAscending: true) }

    package func estimatedEntries() -> Int? { Int(clamping: folder.state.applied.entries) }

    package func estimatedBytes() -> Int? {
        Int(clamping: folder.state.applied.keyBytes &+ folder.state.applied.valueBytes)
    }

    /// The keyspace digest of what it holds, but for the marker of a migration.
    package func digest(isCancelled: () -> Bool) throws(StorageError) -> KeyspaceProof {
        try translating { () throws(ClusterError) in try folder.state.digest(isCancelled: isCancelled) }
    }

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        try checkOpen()
        return try translating { () throws(ClusterError) in try folder.state.get(key.bytes) }
    }

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        try checkOpen()
        return try translating { () throws(ClusterError) in try folder.state.list(prefix.bytes) }.map { StorageKey($0) }
    }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try checkOpen()
        var after = request.cursor?.bytes
        while true {
            if request.isCancelled() { throw StorageError.cancelled }
            let page = try translating { () throws(ClusterError) in
                try folder.state.page(
                    from: request.partition.lower?.bytes, after: after, to: request.partition.upper?.bytes,
                    bytes: EntryBatch.targetBytes, entries: request.pageEntries ?? .max,
                    keysOnly: request.content == .keys)
            }
            guard let last = page.last else { return }
            let batch = request.pool.take()
            try page.frames.withUnsafeBufferPointer { frames throws(StorageError) in
                var rest = UnsafeRawBufferPointer(frames)
                while !rest.isEmpty {
                    guard case (.entry(let key, let value), let count)?? = try? EntryFrame.next(in: rest, most: .max)
                    else {
                        throw StorageError(.damagedStore, "\(location): an entry cannot be read.")
                    }
                    batch.append(key: key, value: value)
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                }
            }
            batch.cursor = ScanCursor(last)
            after = last
            folder.state.environment.letPagesGo()
            guard try deliver(batch), !page.isEnd else { return }
        }
    }

    package func close() {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        if isFirst { folder.close() }
    }

    private func checkOpen() throws(StorageError) {
        if isClosed.withLock({ $0 }) { throw StorageError(.io, "\(location): the store was closed.") }
    }

    private func translating<Result>(_ body: () throws(ClusterError) -> Result) throws(StorageError) -> Result {
        do throws(ClusterError) {
            return try body()
        } catch {
            let code: StorageError.Code =
                error.code == .damaged ? .damagedStore : error.code == .unavailable ? .cancelled : .io
            throw StorageError(code, error.description)
        }
    }
}
