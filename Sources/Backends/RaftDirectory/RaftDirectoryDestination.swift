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

        package init(configuredID: String?, address: ClusterAddress, isPractice: Bool) {
            self.configuredID = configuredID
            self.address = address
            self.isPractice = isPractice
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
        findings += try RaftDirectoryPlacement(path: location).findings()
        if writesNodeIDFile {
            findings.append(
                StoreFinding(
                    .remark, "node_id is not set: the node gets the id \(nodeID), kept in its node-id file."))
        }
        return findings
    }

    package func roomNeeded(for bytes: Int) -> (folder: String, bytes: Int)? {
        // Entries of a kibibyte fill a page to about 80 %; the manifest adds about a tenth.
        (RaftDirectoryPlacement.existingFolder(of: location), bytes + bytes / 3 + (1 << 20))
    }

    package func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try RaftDirectoryLoader(self, plan)
    }

    package func serverGuide(largestEntry: Int) -> ServerGuide? {
        var stanza = ["storage \"raft\" {", "  path    = \(hclQuoted(location))"]
        if !writesNodeIDFile { stanza.append("  node_id = \(hclQuoted(nodeID))") }
        // A log entry holds key and value with a few bytes around them; the server's default is 1 MiB.
        let entryBytes = largestEntry + 64
        if entryBytes > 1 << 20 {
            let size = ((entryBytes + (1 << 20) - 1) >> 20) << 20
            stanza.append("  max_entry_size = \"\(size)\"")
        }
        stanza.append("}")
        stanza.append("cluster_addr = \(hclQuoted("https://\(node.address.hostAndPort)"))")
        return ServerGuide(
            stanza: stanza,
            steps: [
                "Give the directory to the user who runs the server (chown -R), unless it is already theirs.",
                "Put the stanza above into that node's configuration in place of the old storage stanza, and start it.",
                "Unseal it with the same key shares (or the same auto-unseal key) as before.",
                "Check `operator raft list-peers`: one voter, \(nodeID), at \(node.address.hostAndPort).",
                "Start the other nodes with empty directories and join them: retry_join, or `operator raft join`.",
                "Keep the old store, untouched and stopped, until the new cluster has proved itself.",
            ])
    }

    package func close() {}
}

/// A text as an HCL string.
private func hclQuoted(_ text: String) -> String {
    var quoted = "\""
    for character in text {
        switch character {
        case "\"": quoted += "\\\""
        case "\\": quoted += "\\\\"
        case "\n": quoted += "\\n"
        default: quoted.append(character)
        }
    }
    return quoted + "\""
}
