package import Storage

extension InMemoryBackend {
    /// How `inmem` is configured and opened. Its `_ha` and `_transactional` forms are the same store
    /// (Vault 1.14 `physical/inmem`).
    package static func driver(kind: String = "inmem") -> BackendDriver {
        BackendDriver(
            kind: kind, summary: "Memory of this process; for dry runs.",
            options: [
                BackendOption("max_value_size", "largest value in bytes; 0 for no limit"),
                BackendOption("max_parallel", "", ignored: true),
                BackendOption("disable_transactions", "", ignored: true),
            ]
        ) { settings, _ throws(StorageError) in
            let limit = try settings.integer("max_value_size") ?? 0
            return InMemoryBackend(maximumValueBytes: limit > 0 ? limit : nil)
        }
    }
}
