package import Storage

extension RaftDirectoryBackend {
    /// How a directory of integrated storage is configured and opened.
    package static func driver() -> BackendDriver {
        BackendDriver(
            kind: "raft", summary: "A directory of integrated storage.", options: options, isBuiltWhole: true
        ) { settings, purpose throws(StorageError) in
            let path = try settings.path("path", environment: "BAO_RAFT_PATH", "VAULT_RAFT_PATH")
            switch purpose {
            case .source: return try RaftDirectoryBackend(path: path)
            case .destination(let context):
                return try openDestination(path, settings, context)
            }
        }
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
        let variables = ["BAO_RAFT_NODE_ID", "VAULT_RAFT_NODE_ID"]
        let variable = variables.first { !(settings.environment[$0] ?? "").isEmpty }
        let id = variable.flatMap { settings.environment[$0] } ?? settings.string("node_id")
        return try RaftDirectoryDestination(
            path: path,
            node: RaftDirectoryDestination.Node(
                configuredID: id.flatMap { $0.isEmpty ? nil : $0 }, address: try ClusterAddress(parsing: address),
                isPractice: context.isPractice, idVariable: variable))
    }

    /// Everything a server's `storage "raft"` stanza may say; only the first two matter for a directory at rest.
    private static let options: [BackendOption] =
        [
            BackendOption("path", "the directory that holds vault.db"),
            BackendOption("node_id", "the node's id; a random one if absent"),
        ]
        + [
            "performance_multiplier", "trailing_logs", "snapshot_threshold", "snapshot_interval", "max_entry_size",
            "max_transaction_size", "max_mount_and_namespace_table_entry_size", "raft_wal",
            "raft_log_verifier_enabled", "raft_log_verification_interval", "retry_join", "retry_join_as_non_voter",
            "autopilot_reconcile_interval", "autopilot_update_interval", "autopilot_upgrade_version",
            "autopilot_redundancy_zone", "apply_delay", "snapshot_delay", "max_parallel",
        ].map { BackendOption($0, "", ignored: true) }
}
