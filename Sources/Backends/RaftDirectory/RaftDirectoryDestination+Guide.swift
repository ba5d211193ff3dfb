import Glibc
package import Storage

extension RaftDirectoryDestination {
    /// What is to be said about the node's id.
    var nodeIDFindings: [StoreFinding] {
        if nodeID.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) {
            guard node.configuredID == nil else {
                return [
                    StoreFinding(
                        .obstacle(.configuration),
                        "node_id \(shownNodeID) has a line feed or another control character in it. Write it on one line, "
                            + "as in node_id = \"node1\".")
                ]
            }
            return [
                StoreFinding(
                    .remark,
                    "node_id is not set: the node keeps the id \(shownNodeID) of its node-id file. The line feed or control "
                        + "character belongs to the id, as a server reads it.")
            ]
        }
        if node.configuredID == nil {
            return [
                StoreFinding(
                    .remark, "node_id is not set: the node gets the id \(shownNodeID), kept in its node-id file.")
            ]
        }
        guard let variable = node.idVariable else { return [] }
        return [
            StoreFinding(
                .remark,
                "The node gets the id \(shownNodeID) from \(variable), which wins over node_id in the file. The server must "
                    + "find it there too, or in its stanza.")
        ]
    }

    /// Whether the file `node-id` must say the id because the configuration does not.
    private var writesNodeIDFile: Bool { node.configuredID == nil || node.writesIDFile }

    /// The id on one line.
    private var shownNodeID: String { "\(StorageKey(nodeID))" }

    package func serverGuide(largestEntry: Int, seal: SealDescription?) -> ServerGuide? {
        ServerGuide(stanza: stanza(largestEntry), steps: steps(seal))
    }

    private func stanza(_ largestEntry: Int) -> [String] {
        var stanza = ["storage \"raft\" {", "  path    = \(hclQuoted(absolutePath(location)))"]
        if !writesNodeIDFile { stanza.append("  node_id = \(hclQuoted(nodeID))") }
        // A log entry holds key and value with a few bytes around them; the server's default is 1 MiB.
        let entryBytes = largestEntry + 64
        if entryBytes > 1 << 20 {
            let size = ((entryBytes + (1 << 20) - 1) >> 20) << 20
            stanza.append("  max_entry_size = \"\(size)\"")
        }
        stanza.append("}")
        stanza.append("cluster_addr  = \(hclQuoted("https://\(node.address.hostAndPort)"))")
        stanza.append("api_addr      = \(hclQuoted("https://\(node.address.hostWithBrackets):8200"))")
        // Vault 1.20 and later end with "disable_mlock must be configured" on raft without it.
        stanza.append("disable_mlock = true")
        return stanza
    }

    private func steps(_ seal: SealDescription?) -> [String] {
        let idNote = writesNodeIDFile ? "the id in the file node-id" : "node_id"
        return [
            "Give the directory to the user who runs the server (chown -R), unless it is already theirs.",
            "Put the stanza above into that node's configuration in place of the old storage stanza, beside its listener. "
                + "An api_addr that is there already stays. Vault 1.20 and later do not start on raft without disable_mlock; "
                + "servers that do not know it pass over it.",
            "In the server's environment (unit file, chart) see that BAO_RAFT_NODE_ID and VAULT_RAFT_NODE_ID are unset or "
                + "say \(group == nil ? shownNodeID : "this node's own id"), and that neither BAO_/VAULT_RAFT_PATH nor BAO_/VAULT_CLUSTER_ADDR says otherwise: "
                + "they win over \(idNote), path and cluster_addr.",
        ] + clusterSteps(seal) + [
            "Keep the old store, untouched and stopped, until the new cluster has proved itself."
        ]
    }

    private func clusterSteps(_ seal: SealDescription?) -> [String] {
        let ports = "the cluster's port (\(node.address.port)) and the API's (8200 by default)"
        guard node.members.count > 1 else {
            return [
                "Start it. " + SealDescription.unsealStep(seal),
                "Check `operator raft list-peers`: one voter, \(shownNodeID), at \(node.address.hostAndPort).",
                "Let the nodes reach each other on \(ports). "
                    + "Start the other nodes with empty directories and join them: retry_join, or `operator raft join`."
                    + SealDescription.joinStep(seal),
            ]
        }
        let voters = node.members.count { $0.isVoter }
        func list(_ members: [RaftDirectoryDestination.Member]) -> String {
            members.map { "\(StorageKey($0.id)) at \($0.address)\($0.isVoter ? "" : ", without a vote")" }
                .joined(separator: "; ")
        }
        var steps: [String] = []
        if group == nil {
            let others = node.members.filter { !$0.id.utf8.elementsEqual(nodeID.utf8) }
            steps.append(
                "Make the directories of the other nodes in the same way, from the same entries: \(list(others)). "
                    + "No retry_join is needed: every directory names all \(node.members.count) nodes.")
        } else {
            steps.append(
                "Carry each directory whole to its machine, where nothing is beside it; the path in its stanza is the one here. "
                    + "Each names all nodes, so that no retry_join is needed: \(list(node.members)). Start no server on a second "
                    + "copy of any of them.")
        }
        steps.append(
            "Let the nodes reach each other on \(ports). Start all of them, then unseal one after the other, in any order; the "
                + "cluster forms once most of its \(voters) voters are unsealed. " + SealDescription.unsealStep(seal))
        if voters < node.members.count {
            steps.append(
                "OpenBao's autopilot makes a voter of every node that the entry autopilot/non-voters does not name, and Vault has "
                    + "nodes without a vote in its Enterprise edition only: see with `operator raft list-peers` what became of them."
            )
        }
        return steps + ["Check `operator raft list-peers`: \(node.members.count) nodes, of them \(voters) voters."]
    }

    private func absolutePath(_ path: String) -> String {
        guard !path.hasPrefix("/"), let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        let rest = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
        return "\(String(cString: current))/\(rest)"
    }
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
