import Files
package import Storage

extension SnapshotSource {
    private static let pathOption = BackendOption(
        "path", .path,
        "The archive, as `operator raft snapshot save` writes it; as a destination a file that is not there yet.")

    /// The driver for storage blocks.
    package static func driver() -> BackendDriver {
        BackendDriver(
            kind: storeKind,
            summary: "A snapshot archive of integrated storage, as a server saves it and restores it.",
            notes: """
                As a source an archive of Vault's or OpenBao's `operator raft snapshot save`, read once from \
                beginning to end; a \
                damaged one fails the run at the end at the latest, before the destination is released. Single \
                entries and \
                directories outside core/ are looked for from the beginning of an archive of more than 32 MiB. As a \
                destination an \
                archive for `operator raft snapshot restore -force`; refused if the source has no core/raft/tls.
                """,
            options: [pathOption], isBuiltWhole: true,
            openSource: { settings, _ throws(StorageError) in
                try SnapshotSource(path: settings.path(pathOption), isCancelled: settings.isCancelled)
            },
            openDestination: { settings, _ throws(StorageError) in
                SnapshotDestination(path: try settings.path(pathOption))
            })
    }
}
