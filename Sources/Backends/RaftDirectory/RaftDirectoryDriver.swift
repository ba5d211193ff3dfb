import Files
package import Storage

extension RaftDirectoryBackend {
    /// Where the directory is.
    package static let pathOption = BackendOption(
        "path", .path, environment: ["BAO_RAFT_PATH", "VAULT_RAFT_PATH"], "The directory that holds vault.db.")
    /// Whose it is.
    package static let nodeIDOption = BackendOption(
        "node_id", .text, environment: ["BAO_RAFT_NODE_ID", "VAULT_RAFT_NODE_ID"],
        "The node's id; without it that of a node-id file in the directory, or a random one.")

    /// The nodes of a cluster that is written at once.
    static let nodeOption = BackendOption(
        "node", .text, isOwn: true,
        "A block for each node of a cluster that is to be written at once: id, cluster_addr, path, and non_voter = true for a "
            + "node without a vote. All get the same entries and know each other.")
    private static let nodeIDFileOption = BackendOption(
        "node_id_file", .boolean, isOwn: true,
        "With node blocks: write each node's id into the file node-id, too, for servers whose file has no node_id.")

    /// How a directory of integrated storage is configured and opened.
    package static func driver() -> BackendDriver {
        BackendDriver(
            kind: "raft", summary: "A directory of integrated storage.",
            notes: """
                As a source the directory of a stopped node, or a copy of it; read-only, under a shared lock. Writes \
                in its log (raft/raft.db, else raft/wal) that the node had not applied are an obstacle until \
                apply_log says what is to become of them; a log that is missing or one that cannot be read is one, \
                too. -allow-missing-log takes the data as it stands, for one run. As a destination a directory for \
                one voter, with cluster_addr at the top level of the file; or, with node blocks, one directory for each node \
                of a cluster that forms by itself, from one pass over a source that has core/raft/tls. To read one of those \
                with the same file, name it: VAULT_RAFT_NODE_ID=node1.
                """, options: options, isBuiltWhole: true,
            openSource: { settings, _ throws(StorageError) in
                let path = if let path = try nodePath(settings) { path } else { try settings.path(pathOption) }
                return try RaftDirectoryBackend(
                    path: path,
                    applyLog: settings.word(applyLogOption).flatMap(ApplyLog.init(rawValue:)),
                    isCancelled: settings.isCancelled)
            },
            openDestination: { settings, context throws(StorageError) in
                try openDestination(settings.path(pathOption), settings, context)
            },
            openDestinations: { settings, context throws(StorageError) in
                if settings.text(nodeOption) != nil { return try openNodes(settings, context) }
                return [opened(try openDestination(settings.path(pathOption), settings, context))]
            })
    }

    private static func openDestination(
        _ path: String, _ settings: BackendSettings, _ context: DestinationContext
    ) throws(StorageError) -> RaftDirectoryDestination {
        guard let address = context.clusterAddress, !address.isEmpty else {
            throw StorageError(
                .configuration,
                "cluster_addr config not set\nA Raft destination needs this node's address at the top level of the "
                    + "file, for example: cluster_addr = \"https://10.0.0.11:8201\"")
        }
        let id = settings.text(nodeIDOption)
        return try RaftDirectoryDestination(
            path: path,
            node: RaftDirectoryDestination.Node(
                configuredID: id.flatMap { $0.isEmpty ? nil : $0 }, address: try ClusterAddress(parsing: address),
                isPractice: context.isPractice, idVariable: settings.environmentVariable(of: nodeIDOption)))
    }

    /// The directory of the node that the environment names, of a block with several; `nil` for a block without.
    private static func nodePath(_ settings: BackendSettings) throws(StorageError) -> String? {
        guard settings.text(nodeOption) != nil else { return nil }
        let nodes = try NodeBlock.read(settings)
        let names = nodes.map { "\(StorageKey($0.id))" }.joined(separator: ", ")
        let wanted = settings.environmentVariable(of: nodeIDOption).flatMap { settings.environment[$0] }
        if let wanted, let node = nodes.first(where: { $0.id.utf8.elementsEqual(wanted.utf8) }) { return node.path }
        throw StorageError(
            .configuration,
            "the block stands for \(nodes.count) directories, of which one is read at a time. Name its node in the environment, "
                + "as in VAULT_RAFT_NODE_ID=\(StorageKey(nodes[0].id)): there are \(names).",
            place: settings.place(of: nodeOption))
    }

    private static func openNodes(
        _ settings: BackendSettings, _ context: DestinationContext
    ) throws(StorageError) -> [OpenDestination] {
        for option in [pathOption, nodeIDOption] where settings.text(option) != nil {
            guard let variable = settings.environmentVariable(of: option) else {
                throw StorageError(
                    .configuration, "\(option.name) stands beside node blocks, each of which says its own. Remove it.",
                    place: settings.place(of: option))
            }
            throw StorageError(
                .configuration,
                "\(variable) is set and would win over every node's own \(option.name == "path" ? "path" : "id"). Unset it."
            )
        }
        guard context.clusterAddress == nil else {
            throw StorageError(
                .configuration,
                "cluster_addr is set at the top level of the file, and in each node block. Remove the one at the top level."
            )
        }
        let nodes = try NodeBlock.read(settings)
        let writesIDFile = try settings.boolean(nodeIDFileOption) ?? false
        let members = nodes.map(\.member)
        let group = NodeGroup()
        var destinations: [OpenDestination] = []
        for node in nodes {
            var own = RaftDirectoryDestination.Node(
                configuredID: node.id, address: node.address, isPractice: context.isPractice, members: members)
            own.writesIDFile = writesIDFile
            destinations.append(Self.opened(try RaftDirectoryDestination(path: node.path, node: own, group: group)))
        }
        return destinations
    }

    private static func opened(_ destination: RaftDirectoryDestination) -> OpenDestination {
        OpenDestination(destination) { [path = destination.location] () throws(StorageError) in
            try RaftDirectoryBackend(path: path)
        }
    }

    /// Everything a server's `storage "raft"` stanza may say; only the first three matter for a directory at rest.
    private static let options: [BackendOption] =
        [pathOption, nodeIDOption, nodeOption, nodeIDFileOption, applyLogOption]
        + [
            "performance_multiplier", "trailing_logs", "snapshot_threshold", "snapshot_interval", "max_entry_size",
            "max_transaction_size", "max_mount_and_namespace_table_entry_size", "raft_wal",
            "raft_log_verifier_enabled", "raft_log_verification_interval", "retry_join", "retry_join_as_non_voter",
            "autopilot_reconcile_interval", "autopilot_update_interval", "autopilot_upgrade_version",
            "autopilot_redundancy_zone", "apply_delay", "snapshot_delay", "max_parallel",
        ].map { BackendOption(ignored: $0) }
}
