import CSystem
import Digest
import Glibc
import RaftFormat
package import Storage

/// A directory of integrated storage that is to be built: what is known before the first write.
package final class RaftDirectoryDestination: StorageBackend {
    /// What the configuration says about the node.
    package struct Node: Sendable {
        /// From the environment or the option; `nil` if neither gives one.
        package var configuredID: String?
        package var address: ClusterAddress
        package var isPractice: Bool
        /// The environment variable that gives the id, if one does.
        package var idVariable: String?

        package init(configuredID: String?, address: ClusterAddress, isPractice: Bool, idVariable: String? = nil) {
            self.configuredID = configuredID
            self.address = address
            self.isPractice = isPractice
            self.idVariable = idVariable
        }
    }

    package let kind = "raft"
    package let location: String
    package let node: Node
    /// The id the node will have, and whether the file `node-id` must say so because the configuration does not.
    let nodeID: String
    let writesNodeIDFile: Bool

    /// Looks at the directory; creates nothing.
    package init(path: String, node: Node) throws(StorageError) {
        self.location = path
        self.node = node
        if let configured = node.configuredID {
            nodeID = configured
            writesNodeIDFile = false
        } else if let kept = try Self.keptNodeID(in: path) {
            nodeID = kept
            writesNodeIDFile = true
        } else {
            do throws(DigestError) {
                nodeID = try randomUUID()
            } catch {
                throw StorageError(.io, "\(error)")
            }
            writesNodeIDFile = true
        }
    }

    /// What an earlier start of the node left in the file `node-id`, as it is, without trimming.
    private static func keptNodeID(in path: String) throws(StorageError) -> String? {
        let file = "\(path)/node-id"
        let descriptor = cs_open_read(AT_FDCWD, file)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw StorageError.system("open", file, errno: errno)
        }
        defer { Glibc.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw StorageError.system("read", file, errno: errno) }
        return count == 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }

    package var identity: StoreIdentity {
        let resolved = resolvedPath(location)
        return StoreIdentity("raft:\(resolved)", path: resolved)
    }

    package var capabilities: StorageCapabilities {
        StorageCapabilities(ascendingScan: true, writable: false, usesMigrationMarker: false)
    }

    package var limits: StorageLimits { .raftDirectory }

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? { nil }

    package func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) {
        throw StorageError(.unsupported, "A Raft directory is built whole; single entries cannot be written to it.")
    }

    package func delete(_ key: StorageKey) throws(StorageError) {
        throw StorageError(.unsupported, "A Raft directory is built whole; single entries cannot be deleted from it.")
    }

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] { [] }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {}

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
        findings += try RaftDirectoryPlacement(path: location).findings()
        return findings + nodeIDFindings
    }

    package func roomNeeded(for size: StoreSize) -> RoomNeeded? {
        guard let bytes = size.bytes else { return nil }
        // Entries of a kibibyte fill a page to about 80 %; the manifest adds about a tenth. Beside the node's files and
        // folders there are those of the run.
        return RoomNeeded(
            folder: RaftDirectoryPlacement.existingFolder(of: location),
            bytes: bytes.clampedSum(bytes / 3).clampedSum(1 << 20), files: 16)
    }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try RaftDirectoryLoader(self, plan)
    }

    package func close() {}
}
