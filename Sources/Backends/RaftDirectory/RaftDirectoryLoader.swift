import Files
import Glibc
import RaftFormat
import Storage

/// Builds a node's directory in one pass, where nothing has its name yet: what is the same on every node is
/// ``RaftStoreBuilder``'s, or copied from another node of the same run; what is this node's own is done here: its place, its
/// `node-id`, its owner.
// Unchecked: one thread at a time calls a loader, as the protocol says.
final class RaftDirectoryLoader: BulkLoader, @unchecked Sendable {
    private let destination: RaftDirectoryDestination
    private let building: BuildingFolder
    private let plan: LoadPlan
    private let group: NodeGroup?
    /// `nil` for a copy.
    private var builder: RaftStoreBuilder?
    /// The node whose `vault.db` this one gets a copy of.
    private var original: RaftDirectoryLoader?
    private var isDone = false
    private(set) var readBackOrigin = ReadBackOrigin.cache

    private var folder: String { building.node }
    private var dataFile: String { "\(folder)/vault.db" }

    init(
        _ destination: RaftDirectoryDestination, _ plan: LoadPlan, _ group: NodeGroup?
    ) throws(StorageError) {
        self.destination = destination
        self.plan = plan
        self.group = group
        let building = try destination.takeBuildingFolder()
        self.building = building
        do throws(StorageError) {
            try building.clear()
            for name in ["", "/raft", "/raft/snapshots"] where mkdir(building.node + name, 0o700) != 0 {
                throw StorageError.system("mkdir", building.node + name, errno: errno)
            }
            // A node without a vote says so in its own file, which is not quite that of the others then.
            if destination.isVoter { original = group?.original(for: self) }
            if original == nil {
                builder = try RaftStoreBuilder(
                    path: "\(building.node)/vault.db", servers: destination.servers,
                    local: destination.isVoter ? .voter : .nonVoter)
            }
        } catch {
            group?.leave(self)
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
        try builder?.add(batch)
        plan.pool.recycle(batch)
    }

    func finish() throws(StorageError) {
        if let builder { return try builder.finish() }
        guard let original else { return }
        _ = try copyFile(original.dataFile, to: dataFile, isCancelled: plan.isCancelled)
    }

    func sync() throws(StorageError) {
        if let builder {
            try builder.sync()
        } else {
            try syncFile(at: dataFile)
        }
        try RaftStoreBuilder.createLog(in: folder)
        if let id = destination.nodeIDFile { try NodeIDFile.write(id, in: folder) }
        if let owner = plan.owner { try building.give(to: owner) }
        for path in ["\(folder)/raft/snapshots", "\(folder)/raft", folder, building.path] { try syncFolder(at: path) }
    }

    func readFromDisk() {
        if dropCache(ofFileAt: dataFile) { readBackOrigin = .disk }
    }

    func written() throws(StorageError) -> any StorageSource {
        try RaftDirectoryBackend(path: folder, isSettled: false)
    }

    func isCopy(of other: any BulkLoader) throws(StorageError) -> Bool {
        guard let original, original === other else { return false }
        return try holdSameBytes(original.dataFile, dataFile, isCancelled: plan.isCancelled)
    }

    func publish() throws(StorageError) {
        // An owner that was asked for has been given in `sync`.
        try building.publish(keptNodeID: destination.keptNodeID, adoptsOwner: plan.owner == nil)
        isDone = true
        group?.leave(self)
        // A directory that has its name is done, whatever is left beside it.
        Self.giveUp(building, destination)
    }

    func abandon() {
        guard !isDone else { return }
        isDone = true
        builder?.discard()
        group?.leave(self)
        Self.giveUp(building, destination)
    }
}
