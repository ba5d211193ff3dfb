package import Storage

extension InMemoryBackend {
    private static let sizeOption = BackendOption(
        "max_value_size", .integer(minimum: 0), default: "0", "Largest value in bytes; 0 for no limit.")

    /// How `inmem` is configured and opened. Its `_ha` and `_transactional` forms are the same store
    /// (Vault 1.14 `physical/inmem`).
    package static func driver(kind: String = "inmem") -> BackendDriver {
        BackendDriver(
            kind: kind, summary: "Memory of this process; for dry runs.",
            notes: """
                Empty as a source, gone at exit; for timing a source.
                """,
            options: [
                sizeOption, BackendOption(ignored: "max_parallel"), BackendOption(ignored: "disable_transactions"),
            ],
            openSource: { settings, _ throws(StorageError) in try open(settings) },
            openDestination: { settings, _ throws(StorageError) in try open(settings) })
    }

    private static func open(_ settings: BackendSettings) throws(StorageError) -> InMemoryBackend {
        let limit = try settings.integer(sizeOption) ?? 0
        return InMemoryBackend(maximumValueBytes: limit > 0 ? limit : nil)
    }
}
