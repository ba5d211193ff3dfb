import Bolt
import CSystem
import Files
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
    private let building: BuildingFolder
    private let owner: FileOwner?
    private let pool: BatchPool
    private let builder: BoltBuilder
    private var entries: UInt64 = 0
    private var isDone = false

    private var folder: String { building.node }

    init(_ destination: RaftDirectoryDestination, _ plan: LoadPlan) throws(StorageError) {
        self.destination = destination
        self.owner = plan.owner
        self.pool = plan.pool
        let building = try destination.takeBuildingFolder()
        self.building = building
        do throws(StorageError) {
            try building.clear()
            for name in ["", "/raft", "/raft/snapshots"] where mkdir(building.node + name, 0o700) != 0 {
                throw StorageError.system("mkdir", building.node + name, errno: errno)
            }
            builder = try Self.begin("\(building.node)/vault.db")
        } catch {
            Self.giveUp(building, destination)
            throw error
        }
    }

    private static func begin(_ path: String) throws(StorageError) -> BoltBuilder {
        do throws(BoltError) {
            let builder = try BoltBuilder(path: path)
            try builder.beginBucket(StateMachineNames.data)
            return builder
        } catch {
            throw StorageError(error)
        }
    }

    /// What cannot be removed now is found by the next run, by its mark.
    private static func giveUp(_ building: BuildingFolder, _ destination: RaftDirectoryDestination) {
        try? building.clear()
        destination.releaseBuildingFolder()
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
        if let id = destination.nodeIDFile { try NodeIDFile.write(id, in: folder) }
        if let owner { try building.give(to: owner) }
        for name in ["/raft/snapshots", "/raft", ""] { try syncFolder(at: folder + name) }
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

    func written() throws(StorageError) -> any StorageSource {
        try RaftDirectoryBackend(path: folder, isSettled: false)
    }

    func publish() throws(StorageError) {
        // An owner that was asked for has been given in `sync`.
        try building.publish(keptNodeID: destination.keptNodeID, adoptsOwner: owner == nil)
        isDone = true
        // A directory that has its name is done, whatever is left beside it.
        Self.giveUp(building, destination)
    }

    func abandon() {
        guard !isDone else { return }
        isDone = true
        builder.discard()
        Self.giveUp(building, destination)
    }
}
