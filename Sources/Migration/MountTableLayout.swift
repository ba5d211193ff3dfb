import Storage

/// How the server that wrote a store kept its mount tables, which its next server may not know how to read.
///
/// OpenBao keeps them in one entry, `core/mounts`, as Vault does, on a storage without transactions; on one with
/// transactions it keeps an entry for each mount below `core/mounts/`. A server on integrated storage takes a table in
/// one entry apart at its first start; one on a storage without transactions does not look for the parts
/// (OpenBao 2.6.2 and 2.7.2, `vault/mount.go`).
enum MountTableLayout {
    /// What the user must know before a server is started on the destination. Asks the source a few questions; nothing
    /// where they would cost money.
    static func remarks(from source: any StorageSource, to destination: any StorageDestination) throws(StorageError)
        -> [String]
    {
        guard !source.isRemote, let use = destination.serverUse else { return [] }
        let tables = try source.list("core/")
        if use == .transactions {
            // A snapshot is of integrated storage, where OpenBao keeps an entry for each mount since it has namespaces.
            guard tables.contains("mounts"), !source.traits.readsFromTheStart,
                let namespace = try namespaceWithTable(source)
            else { return [] }
            return [
                "The store has OpenBao namespaces with mount tables in one entry each (namespaces/\(namespace)core/mounts). "
                    + "OpenBao 2.6.2 and 2.7.2 serve them at their first start on \(destination.kind) and crash at every "
                    + "later one and when a node joins, whatever tool moved the store. Try your release twice on a copy "
                    + "before you rely on it, or delete the namespaces on the old server first."
            ]
        }
        guard tables.contains("mounts/"), !tables.contains("mounts") else { return [] }
        return [
            unreadable(destination)
                + " Keep the copy as a copy, or move it on to integrated storage; start no server on it."
        ]
    }

    private static func unreadable(_ destination: any StorageDestination) -> String {
        "The mount tables lie in an entry for each mount (core/mounts/...), as OpenBao keeps them on integrated storage and "
            + "PostgreSQL. A server on \(destination.kind) does not read those: it would start with new, empty tables."
    }

    /// Why a rollback would leave an old store that its server cannot use, while it can use it as it is; `nil` if it would not.
    static func obstacleToRollback(
        from source: any StorageSource, to destination: any StorageDestination
    ) throws(StorageError) -> String? {
        guard destination.serverUse != .transactions else { return nil }
        let tables = try source.list("core/")
        guard tables.contains("mounts/"), !tables.contains("mounts") else { return nil }
        return unreadable(destination)
            + " The old store is as the migration left it, and its server starts on it, without what was written since. To take "
            + "that back as well, migrate to a storage with transactions. To write it all the same, add -force."
    }

    /// The first namespace whose mount table is one entry, escaped, with a slash behind.
    private static func namespaceWithTable(_ source: any StorageSource) throws(StorageError) -> String? {
        for namespace in try source.list("namespaces/") where namespace.bytes.last == UInt8(ascii: "/") {
            let folder = StorageKey(Array("namespaces/".utf8) + namespace.bytes + Array("core/".utf8))
            if try source.list(folder).contains("mounts") { return "\(namespace)" }
        }
        return nil
    }
}
