import Bolt
import CSystem
import Glibc
import RaftFormat
import Storage
import Synchronization

/// Builds a directory for a single voter in one pass: exactly the state a node has after it installed a snapshot. Why
/// each value is what it is stands in the page of `RaftFormat`.
///
/// `latest_indexes` stands at the number of entries + 2 in term 1 and the log is empty, so that a joining node is sent
/// the snapshot; with any index of 1, or a log that runs on from entry 1, it would silently get no data.
// Unchecked: one thread at a time calls a loader, as the protocol says.
final class RaftDirectoryLoader: BulkLoader, @unchecked Sendable {
    private static let term: UInt64 = 1

    private let destination: RaftDirectoryDestination
    private let placement: RaftDirectoryPlacement
    private let owner: FileOwner?
    private let pool: BatchPool
    private let builder: BoltBuilder
    private var entries: UInt64 = 0
    private var isDone = false

    private var folder: String { placement.buildingFolder }

    init(_ destination: RaftDirectoryDestination, _ plan: LoadPlan) throws(StorageError) {
        self.destination = destination
        self.owner = plan.owner
        self.pool = plan.pool
        let placement = try RaftDirectoryPlacement(path: destination.location)
        self.placement = placement
        placement.removeLeftOver()
        let folder = placement.buildingFolder
        for name in ["", "/raft", "/raft/snapshots"] where mkdir(folder + name, 0o700) != 0 {
            throw StorageError.system("mkdir", folder + name, errno: errno)
        }
        do throws(BoltError) {
            builder = try BoltBuilder(path: "\(folder)/vault.db")
            try builder.beginBucket(StateMachineNames.data)
        } catch {
            placement.removeLeftOver()
            throw StorageError(error)
        }
    }

    let needsAscendingKeys = true

    func load(_ batch: EntryBatch) throws(StorageError) {
        do throws(BoltError) {
            for index in 0..<batch.count {
                try builder.add(key: batch.key(index), value: batch.value(index))
            }
        } catch {
            throw StorageError(error)
        }
        entries += UInt64(batch.count)
        pool.recycle(batch)
    }

    func finish() throws(StorageError) {
        do throws(BoltError) {
            try builder.endBucket()
            try writeConfiguration()
            try builder.complete()
        } catch {
            throw StorageError(error)
        }
    }

    func sync() throws(StorageError) {
        do throws(BoltError) {
            try builder.sync()
            try RaftLogFile.create(path: "\(folder)/raft/raft.db", term: Self.term)
        } catch {
            throw StorageError(error)
        }
        if destination.writesNodeIDFile { try writeNodeID() }
        if let owner { try chownAll(owner) }
        for name in ["/raft/snapshots", "/raft", ""] { try RaftDirectoryPlacement.syncFolder(folder + name) }
    }

    private func writeConfiguration() throws(BoltError) {
        let server = ClusterServer(id: destination.nodeID, address: destination.node.address.hostAndPort)
        let records = [
            (StateMachineNames.latestConfiguration, ClusterConfiguration(index: 1, servers: [server]).encoded),
            (StateMachineNames.latestIndexes, LogPosition(term: Self.term, index: entries + 2).encoded),
            (StateMachineNames.localNodeConfiguration, LocalNodeConfiguration.voter.encoded),
        ]
        try builder.beginBucket(StateMachineNames.config)
        for (name, value) in records {
            try name.withBytes { name throws(BoltError) in
                try value.withBytes { value throws(BoltError) in try builder.add(key: name, value: value) }
            }
        }
        try builder.endBucket()
    }

    private func writeNodeID() throws(StorageError) {
        let path = "\(folder)/node-id"
        let descriptor = cs_open_write(AT_FDCWD, path, 0o600)
        guard descriptor >= 0 else { throw StorageError.system("create", path, errno: errno) }
        defer { Glibc.close(descriptor) }
        let bytes = Array(destination.nodeID.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            throw StorageError.system("write", path, errno: errno)
        }
    }

    private func chownAll(_ owner: FileOwner) throws(StorageError) {
        for name in ["/vault.db", "/raft/raft.db", "/raft/snapshots", "/raft", "/node-id", ""] {
            guard chown(folder + name, owner.user, owner.group) == 0 || errno == ENOENT else {
                throw StorageError.system("chown", folder + name, errno: errno)
            }
        }
    }

    func written() throws(StorageError) -> any StorageBackend {
        try RaftDirectoryBackend(path: folder, isSettled: false)
    }

    func publish() throws(StorageError) {
        // An owner that was asked for has been given in `sync`.
        try placement.publish(adoptsOwner: owner == nil)
        isDone = true
    }

    func abandon() {
        guard !isDone else { return }
        builder.discard()
        placement.removeLeftOver()
    }
}
