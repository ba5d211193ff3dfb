extension StorageKey {
    /// The migration marker, in clear; a server does not start while it is there
    /// (Vault 1.14 `command/operator_migrate.go`).
    package static let migrationMarker: StorageKey = "core/migration"
    /// The lock of the active node where a backend keeps it among the data; never copied.
    package static let activeNodeLock: StorageKey = "core/lock"
    /// The barrier's keys, encrypted by the root key; an initialised store has it.
    package static let keyring: StorageKey = "core/keyring"
    /// The seal's configuration, in clear; an initialised store has it.
    package static let sealConfiguration: StorageKey = "core/seal-config"
    /// The root key under the seal (Vault 1.3 and later; all auto-unsealed stores).
    package static let storedRootKey: StorageKey = "core/hsm/barrier-unseal-keys"
    /// The key that the shares make up, encrypted (Vault 1.3 and later).
    package static let shamirKey: StorageKey = "core/shamir-kek"
    /// The keys with which the nodes of integrated storage know each other, encrypted by the barrier; made at the first
    /// unseal of the first node.
    package static let raftKeyRing: StorageKey = "core/raft/tls"

    /// The keyring of the first releases; Vault replaces it at the first unseal, OpenBao no longer reads it.
    package static let firstKeyring: StorageKey = "barrier/init"

    /// The folders at the top of a store in which servers keep entries: those of every edition, namespaces, and what
    /// replication keeps (`wal`, `index`, `index-dr`); `barrier` in stores of the first releases, `raftchunking` in
    /// those of integrated storage.
    package static let serverFolders: Set<StorageKey> = [
        "core/", "sys/", "logical/", "auth/", "audit/", "namespaces/", "wal/", "index/", "index-dr/", "barrier/",
        "raftchunking/",
    ]
}
