import Files
import Glibc
import RaftFormat
import Storage

/// Builds a directory for a single voter in one pass, where nothing has its name yet: what is the same on every node is
/// ``RaftStoreBuilder``'s, what is this node's own is done here: its place, its `node-id`, its owner.
// Unchecked: one thread at a time calls a loader, as the protocol says.
final class RaftDirectoryLoader: BulkLoader, @unchecked Sendable {
    private let destination: RaftDirectoryDestination
    private let building: BuildingFolder
    private let owner: FileOwner?
    private let pool: BatchPool
    private let builder: RaftStoreBuilder
    private var isDone = false
    private(set) var readBackOrigin = ReadBackOrigin.cache

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
            let own = ClusterServer(id: destination.nodeID, address: destination.node.address.hostAndPort)
            let voters = destination.node.voters.map { ClusterServer(id: $0.id, address: $0.address) }
            builder = try RaftStoreBuilder(path: "\(building.node)/vault.db", voters: voters.isEmpty ? [own] : voters)
        } catch {
            Self.giveUp(building, destination)
            throw error
        }
    }

    /// What cannot be removed now is found by the next run, by its mark.
    private static func giveUp(_ building: BuildingFolder, _ destination: RaftDirectoryDestination) {
        try? building.clear()
        destination.releaseBuildingFolder()
    }

    let needsAscendingKeys = true

    func load(_ batch: EntryBatch) throws(StorageError) {
        try builder.add(batch)
        pool.recycle(batch)
    }

    func finish() throws(StorageError) { try builder.finish() }

    func sync() throws(StorageError) {
        try builder.sync()
        try builder.createLog(in: folder)
        if let id = destination.nodeIDFile { try NodeIDFile.write(id, in: folder) }
        if let owner { try building.give(to: owner) }
        for path in ["\(folder)/raft/snapshots", "\(folder)/raft", folder, building.path] { try syncFolder(at: path) }
    }

    func readFromDisk() {
        if dropCache(ofFileAt: "\(folder)/vault.db") { readBackOrigin = .disk }
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
