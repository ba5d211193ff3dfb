import Digest
import Files
import Glibc
import RaftFormat
package import Storage
import Synchronization

/// A directory of integrated storage that is to be built: what is known before the first write.
package final class RaftDirectoryDestination: StorageDestination {
    /// What the configuration says about the node.
    package struct Node: Sendable {
        /// From the environment or the option; `nil` if neither gives one.
        package var configuredID: String?
        package var address: ClusterAddress
        package var isPractice: Bool
        /// The environment variable that gives the id, if one does.
        package var idVariable: String?
        /// All members of the cluster that the directory is one node of, this one among them, in the order in which every node
        /// has them; empty for a cluster of one.
        package var members: [Member]
        /// Whether the directory gets a file `node-id` although the configuration names the node.
        package var writesIDFile = false

        package init(
            configuredID: String?, address: ClusterAddress, isPractice: Bool, idVariable: String? = nil,
            members: [Member] = []
        ) {
            self.members = members
            self.configuredID = configuredID
            self.address = address
            self.isPractice = isPractice
            self.idVariable = idVariable
        }
    }

    /// A member of a cluster.
    package struct Member: Hashable, Sendable {
        package let id: String
        /// `host:port`.
        package let address: String
        package let isVoter: Bool

        package init(id: String, address: String, isVoter: Bool = true) {
            self.id = id
            self.address = address
            self.isVoter = isVoter
        }

        var server: ClusterServer {
            ClusterServer(suffrage: isVoter ? .voter : .nonvoter, id: id, address: address)
        }
    }

    package let kind = "raft"
    package let location: String
    package let node: Node
    /// The id the node will have.
    let nodeID: String
    /// What the file `node-id` of the directory held when it was looked at; `nil` if there is none.
    let keptNodeID: [UInt8]?
    /// What the file `node-id` is to hold: what it held, or the id that no configuration names.
    let nodeIDFile: [UInt8]?
    /// The nodes of the same run, where there are several.
    let group: NodeGroup?
    /// The folder it is built in, once it is taken.
    private let building = Mutex<BuildingFolder?>(nil)

    /// Looks at the directory; creates nothing.
    ///
    /// - Parameter group: What nodes that are filled by one run share.
    package init(path: String, node: Node, group: NodeGroup? = nil) throws(StorageError) {
        self.location = path
        self.node = node
        self.group = group
        keptNodeID = try NodeIDFile.bytes(in: path)
        if let configured = node.configuredID {
            nodeID = configured
            nodeIDFile = keptNodeID ?? (node.writesIDFile ? Array(configured.utf8) : nil)
        } else if let keptNodeID {
            nodeID = try NodeIDFile.id(keptNodeID, in: path)
            nodeIDFile = keptNodeID
        } else {
            do throws(DigestError) {
                nodeID = try randomUUID()
            } catch {
                throw StorageError(.io, "\(error)")
            }
            nodeIDFile = Array(nodeID.utf8)
        }
    }

    package func claim(_ holder: String) throws(StorageError) {
        let placement = try takeBuildingFolder(holder).placement
        // What came since the look is seen now, before the source is read.
        guard let found = try placement.findings(isClaimed: true).first else { return }
        releaseBuildingFolder()
        if case .obstacle(let code) = found.kind { throw StorageError(code, found.message) }
    }

    /// The folder to build in, taken for this process.
    func takeBuildingFolder(_ holder: String = "") throws(StorageError) -> BuildingFolder {
        try building.withLock { building throws(StorageError) in
            if let building { return building }
            let taken = try BuildingFolder.take(for: location, holder: holder)
            building = taken
            return taken
        }
    }

    /// Gives the building folder up; it goes if nothing is in it.
    func releaseBuildingFolder() {
        let taken = building.withLock { building in
            defer { building = nil }
            return building
        }
        taken?.release()
    }

    package var identity: StoreIdentity {
        let resolved = resolvedPath(location)
        return StoreIdentity("raft:\(resolved)", path: resolved)
    }

    package var rules: EntryRules { .raftDirectory }

    package var serverUse: ServerUse? { .transactions }

    package var stateNeighbour: String? { identity.path }

    /// Whether the node is to have a vote.
    var isVoter: Bool { node.members.first { $0.id.utf8.elementsEqual(nodeID.utf8) }?.isVoter ?? true }

    /// The members as `vault.db` keeps them.
    var servers: [ClusterServer] {
        guard node.members.isEmpty else { return node.members.map(\.server) }
        return [ClusterServer(id: nodeID, address: node.address.hostAndPort)]
    }

    package var neededEntries: [NeededEntry] {
        guard node.members.count > 1 else { return [] }
        return [
            NeededEntry(
                .raftKeyRing,
                because: """
                    the source has no core/raft/tls, the key ring by which the nodes of a cluster know each other: each of \
                    \(node.members.count) nodes would make its own, and wait for the others for ever. With key shares at hand, \
                    -generate-raft-tls makes one. Without: write one node alone (path, and cluster_addr at the top level), start \
                    and unseal it once, which makes the key ring, stop it, and have `sealift raft spread` make the others' \
                    directories from its; or let empty nodes join the one that runs, with retry_join.
                    """)
        ]
    }

    package func destinationFindings() throws(StorageError) -> [StoreFinding] {
        var findings: [StoreFinding] = []
        if let objection = node.address.objection {
            let message =
                "cluster_addr \(node.address.hostAndPort.isEmpty ? "" : "\(node.address.hostAndPort) ")\(objection)"
            if node.isPractice, node.address.isExcusedInPractice {
                findings.append(StoreFinding(.remark, "\(message). Accepted for this practice run only."))
            } else {
                let way = node.address.isExcusedInPractice ? " For a practice run on this machine add -practice." : ""
                findings.append(
                    StoreFinding(
                        .obstacle(.configuration),
                        "\(message). Set cluster_addr to this node's own, reachable address.\(way)"))
            }
        }
        findings += node.address.remarks.map { StoreFinding(.remark, $0) }
        let obstacles = try RaftDirectoryPlacement(path: location).findings(isClaimed: building.withLock { $0 != nil })
        findings += obstacles
        if obstacles.isEmpty, let keptNodeID, let configured = node.configuredID,
            !NodeIDFile.says(configured, keptNodeID)
        {
            findings.append(StoreFinding(.obstacle(.notEmpty), otherNode(keptNodeID, configured)))
        }
        return findings + nodeIDFindings
    }

    private func otherNode(_ kept: [UInt8], _ configured: String) -> String {
        "\(location)/node-id says that this is the node \(StorageKey(kept)), the configuration that it is "
            + "\(StorageKey(configured)). A server takes the configuration's id while there is one, else the "
            + "file's, and with the other one it has no vote. If the directory is the right one, give node_id the file's "
            + "id, or remove the file."
    }

    package func roomNeeded(for size: StoreSize) -> RoomNeeded? {
        guard let bytes = size.bytes else { return nil }
        // Entries of a kibibyte fill a page to about 80 %; the manifest adds about a tenth. Beside the node's files and
        // folders there are those of the run.
        return RoomNeeded(
            folder: RaftDirectoryPlacement.existingFolder(of: location),
            bytes: max(bytes.clampedSum(bytes / 3).clampedSum(1 << 20) - BuildingFolder.bytesLeft(for: location), 0),
            files: 16)
    }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try RaftDirectoryLoader(self, plan, group)
    }

    package func removeRemains() {
        do throws(StorageError) {
            try takeBuildingFolder().clear()
        } catch {
            // Another run is at it, or it is none of ours: either way it is not for this one to remove.
        }
        releaseBuildingFolder()
    }

    package func close() {
        releaseBuildingFolder()
    }
}
