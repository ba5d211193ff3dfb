package import Storage
import Telemetry
import Wording

/// What the names of entries alone say of the servers that wrote a store, and of those that can run on it.
///
/// OpenBao keeps its mount tables in one entry, `core/mounts`, as Vault does, on a storage without transactions; on one with
/// transactions it keeps an entry for each mount below `core/mounts/`. A server on integrated storage takes a table in
/// one entry apart at its first start; one on a storage without transactions does not look for the parts
/// (OpenBao 2.6.2 and 2.7.2, `vault/mount.go`). OpenBao of March 2025 and later keeps its copy of the root key in
/// `core/root-key` and deletes `core/master`, which Vault has; only OpenBao has the rest of a store once more below
/// `namespaces/<uuid>/`. Vault of 1.15 and later keeps `core/seal-gen-info`.
package struct StoreLayout: Sendable, Equatable {
    /// Releases that are kept by name; a store has one or two a year.
    private static let mostReleases = 64
    private static let longestRelease = 40

    private(set) var hasMasterKey = false
    private(set) var hasRootKey = false
    private(set) var hasTable = false
    private(set) var hasSplitTable = false
    private(set) var hasSealGeneration = false
    private(set) var hasRaftKeys = false
    private(set) var hasReplicationLogs = false
    /// The first namespace whose mount table is one entry.
    private(set) var namespaceWithTable: StorageKey?
    /// Releases that have run on the store, as far as they have left their names in `core/versions/`.
    private(set) var releases: Set<StorageKey> = []

    init() {}

    /// What of a store's layout matters to the server on a copy of it, from a few questions about names.
    package static func read(_ store: any StorageSource) throws(StorageError) -> StoreLayout {
        var layout = StoreLayout()
        for name in try store.list("core/") { name.bytes.withBytes { layout.add(core: $0) } }
        // A snapshot is of integrated storage, where OpenBao keeps an entry for each mount since it has namespaces.
        guard layout.hasTable, !store.traits.readsFromTheStart else { return layout }
        for namespace in try store.list("namespaces/") where namespace.bytes.last == UInt8(ascii: "/") {
            let folder = StorageKey(Array("namespaces/".utf8) + namespace.bytes + Array("core/".utf8))
            guard try store.list(folder).contains("mounts") else { continue }
            layout.add(namespaceWithTable: StorageKey(Array(namespace.bytes.dropLast())))
            break
        }
        return layout
    }

    /// Takes a name below `core/` of the store itself, or of a folder there with its slash.
    mutating func add(core name: UnsafeRawBufferPointer) {
        switch name {
        case "master": hasMasterKey = true
        case "root-key": hasRootKey = true
        case "mounts": hasTable = true
        case "seal-gen-info": hasSealGeneration = true
        case "raft/tls", "raft/": hasRaftKeys = true
        case _ where name.hasPrefix("mounts/"): hasSplitTable = true
        case _ where name.hasPrefix("versions/") && name.count > 9:
            guard releases.count < Self.mostReleases, name.count <= Self.longestRelease else { return }
            releases.insert(StorageKey(copying: UnsafeRawBufferPointer(rebasing: name[9...])))
        default: break
        }
    }

    mutating func add(namespaceWithTable namespace: StorageKey) {
        namespaceWithTable = min(namespaceWithTable ?? namespace, namespace)
    }

    mutating func addReplicationLogs() { hasReplicationLogs = true }

    mutating func merge(_ other: StoreLayout) {
        hasMasterKey = hasMasterKey || other.hasMasterKey
        hasRootKey = hasRootKey || other.hasRootKey
        hasTable = hasTable || other.hasTable
        hasSplitTable = hasSplitTable || other.hasSplitTable
        hasSealGeneration = hasSealGeneration || other.hasSealGeneration
        hasRaftKeys = hasRaftKeys || other.hasRaftKeys
        hasReplicationLogs = hasReplicationLogs || other.hasReplicationLogs
        if let namespace = other.namespaceWithTable { add(namespaceWithTable: namespace) }
        for release in other.releases.sorted() where releases.count < Self.mostReleases { releases.insert(release) }
    }

    /// Releases that have run on the store, in the order of their numbers.
    var sortedReleases: [String] {
        releases.map { "\($0)" }.sorted {
            let (left, right) = (Self.numbers($0), Self.numbers($1))
            return left == right ? $0 < $1 : left.lexicographicallyPrecedes(right)
        }
    }

    private static func numbers(_ release: String) -> [Int] { release.split { !$0.isNumber }.map { Int($0) ?? 0 } }

    /// What tells of a Vault whose stores OpenBao does not promise to take over; `nil` if nothing does.
    private var traceOfNewerVault: String? {
        if hasSealGeneration { return "core/seal-gen-info" }
        // OpenBao's own numbers begin with 2.
        return sortedReleases.last { release in
            let numbers = Self.numbers(release)
            return numbers.count > 1 && numbers[0] == 1 && numbers[1] >= 15
        }.map { "core/versions/\($0)" }
    }

    private var enterpriseRelease: String? { sortedReleases.last { $0.contains("ent") } }

    /// Whether the mount tables are in parts only.
    private var isSplit: Bool { hasSplitTable && !hasTable }
}

extension StoreLayout {
    /// What the user must know before a server is started on a copy of the store.
    package func remarks(for destination: any StorageDestination) -> [String] {
        guard let use = destination.serverUse else { return [] }
        if use == .transactions { return [namespaceRemark(on: destination.kind)].compactMap { $0 } }
        guard isSplit else { return [] }
        return [
            unreadable(on: destination.kind)
                + " Keep the copy as a copy, or move it on to integrated storage; start no server on it."
        ]
    }

    /// Why a rollback would leave an old store that its server cannot use, while it can use it as it is; `nil` if it would not.
    package func obstacleToRollback(to destination: any StorageDestination) -> String? {
        guard destination.serverUse != .transactions, isSplit else { return nil }
        return unreadable(on: destination.kind)
            + " The old store is as the migration left it, and its server starts on it, without what was written since. To take "
            + "that back as well, migrate to a storage with transactions. To write it all the same, add -force."
    }

    private func unreadable(on kind: String) -> String {
        "The mount tables lie in an entry for each mount (core/mounts/...), as OpenBao keeps them on integrated storage and "
            + "PostgreSQL. A server on \(kind) does not read those: it would start with new, empty tables."
    }

    private func namespaceRemark(on kind: String) -> String? {
        namespaceWithTable.map { namespace in
            "The store has OpenBao namespaces with mount tables in one entry each (namespaces/\(namespace)/core/mounts). "
                + "OpenBao 2.6.2 and 2.7.2 serve them at their first start on \(kind) and crash at every "
                + "later one and when a node joins, whatever tool moved the store. Try your release twice on a copy "
                + "before you rely on it, or delete the namespaces on the old server first."
        }
    }

    /// Which servers can run on the store as it is, as far as names tell.
    ///
    /// - Parameter namespaces: How many OpenBao namespaces it has.
    func serverRemarks(namespaces: Int) -> [String] {
        var remarks: [String] = []
        if isSplit {
            remarks.append(
                "The mount tables lie in an entry for each mount (core/mounts/...). Only OpenBao reads those, on integrated "
                    + "storage and PostgreSQL. Vault, and OpenBao on any other storage, would start with new, empty tables."
            )
        }
        if hasRootKey, !hasMasterKey {
            remarks.append(
                "OpenBao (since March 2025) wrote the store last (core/root-key in place of core/master). Vault is no supported next "
                    + "server for it.")
        }
        if namespaces > 0 {
            remarks.append(
                "The store has \(formatCount(namespaces)) OpenBao \(plural(namespaces, "namespace")): Vault's open edition and "
                    + "older OpenBaos do not serve what is in them.")
        }
        if let remark = namespaceRemark(on: "integrated storage and PostgreSQL") { remarks.append(remark) }
        if let trace = traceOfNewerVault {
            remarks.append(
                "Vault 1.15 or later has run on the store (\(trace)). From Vault up to 1.14 to OpenBao is the "
                    + "supported way; try OpenBao on a copy first.")
        }
        if let release = enterpriseRelease {
            remarks.append(
                "Vault Enterprise has run on the store (core/versions/\(release)). What only that edition knows, no other serves."
            )
        }
        if hasReplicationLogs {
            remarks.append(
                "The store has logs of Vault Enterprise's replication (wal/, index/). No other server reads them.")
        }
        return remarks
    }
}
