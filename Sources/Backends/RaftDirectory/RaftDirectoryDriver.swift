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

    /// How a directory of integrated storage is configured and opened.
    package static func driver() -> BackendDriver {
        BackendDriver(
            kind: "raft", summary: "A directory of integrated storage.",
            notes: """
                As a source the directory of a stopped node, or a copy of it; read-only, under a shared lock. Writes \
                in its log (raft/raft.db, else raft/wal) that the node had not applied are an obstacle until \
                apply_log says what is to become of them; a log that is missing or one that cannot be read is one, \
                too. -allow-missing-log takes the data as it stands, for one run. As a destination a directory for \
                one voter, with cluster_addr at the top level of the file.
                """, options: options, isBuiltWhole: true,
            openSource: { settings, _ throws(StorageError) in
                try RaftDirectoryBackend(
                    path: settings.path(pathOption),
                    applyLog: settings.word(applyLogOption).flatMap(ApplyLog.init(rawValue:)),
                    isCancelled: settings.isCancelled)
            },
            openDestination: { settings, context throws(StorageError) in
                try openDestination(settings.path(pathOption), settings, context)
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

    /// Everything a server's `storage "raft"` stanza may say; only the first three matter for a directory at rest.
    private static let options: [BackendOption] =
        [pathOption, nodeIDOption, applyLogOption]
        + [
            "performance_multiplier", "trailing_logs", "snapshot_threshold", "snapshot_interval", "max_entry_size",
            "max_transaction_size", "max_mount_and_namespace_table_entry_size", "raft_wal",
            "raft_log_verifier_enabled", "raft_log_verification_interval", "retry_join", "retry_join_as_non_voter",
            "autopilot_reconcile_interval", "autopilot_update_interval", "autopilot_upgrade_version",
            "autopilot_redundancy_zone", "apply_delay", "snapshot_delay", "max_parallel",
        ].map { BackendOption(ignored: $0) }
}
