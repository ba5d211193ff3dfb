package import Storage

/// Entries and bytes below each mount's folder, counted by name alone.
package struct MountUsage: Sendable {
    /// Folders that are kept apart.
    package static let mostFolders = 500_000

    package struct Sum: Sendable, Equatable {
        package var entries = 0
        /// Bytes of keys and values.
        package var bytes = 0
    }

    /// By folder: `logical/<id>/`, `auth/<id>/`, `audit/<id>/`, `sys/<name>/`, `sys/` for what lies there beside the folders, and
    /// the same below `namespaces/<id>/`.
    private var folders: [StorageKey: Sum] = [:]
    private let mostFolders: Int
    /// Entries of folders beyond the most that are kept apart.
    package private(set) var others = Sum()
    private var last: StorageKey?
    private var pending = Sum()

    /// - Parameter mostFolders: Folders that are kept apart.
    package init(mostFolders: Int = MountUsage.mostFolders) { self.mostFolders = mostFolders }

    /// Counts an entry.
    package mutating func count(_ key: UnsafeRawBufferPointer, bytes: Int) {
        if let last, key.starts(with: last.bytes) {
            pending.entries += 1
            pending.bytes += bytes
            return
        }
        flush()
        guard let folder = Self.folder(key) else { return }
        // Not all that begins with the name of the system's folder lies beside those in it.
        guard !folder.isShared else { return add(Sum(entries: 1, bytes: bytes), to: folder.name) }
        last = folder.name
        pending = Sum(entries: 1, bytes: bytes)
    }

    private mutating func add(_ sum: Sum, to folder: StorageKey) {
        guard folders[folder] != nil || folders.count < mostFolders else {
            others.entries += sum.entries
            others.bytes += sum.bytes
            return
        }
        folders[folder, default: Sum()].entries += sum.entries
        folders[folder, default: Sum()].bytes += sum.bytes
    }

    private mutating func flush() {
        if let last { add(pending, to: last) }
        last = nil
        pending = Sum()
    }

    /// Adds later counts.
    package mutating func add(_ other: MountUsage) {
        flush()
        var other = other
        other.flush()
        for (folder, sum) in other.folders { add(sum, to: folder) }
        others.entries += other.others.entries
        others.bytes += other.others.bytes
    }

    /// What lies below a mount's folder.
    package mutating func sum(of mount: Mount) -> Sum {
        flush()
        // The system's own is spread over many folders.
        guard mount.folder.bytes.suffix(4).elementsEqual("sys/".utf8) else { return folders[mount.folder] ?? Sum() }
        let tokens = StorageKey(mount.folder.bytes + Array("token/".utf8))
        var sum = Sum()
        for (folder, part) in folders where folder.hasPrefix(mount.folder) && folder != tokens {
            sum.entries += part.entries
            sum.bytes += part.bytes
        }
        return sum
    }

    /// Folders of mounts that no table names, in key order.
    ///
    /// - Parameter sealed: Folders of namespaces whose tables could not be read.
    package mutating func strays(besides mounts: [Mount], in sealed: [StorageKey] = []) -> [(
        folder: StorageKey, sum: Sum
    )] {
        flush()
        let known = Set(mounts.map(\.folder))
        return folders.filter { folder, _ in
            !known.contains(folder) && !Self.isSystem(folder) && !sealed.contains { folder.hasPrefix($0) }
        }
        .sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func isSystem(_ folder: StorageKey) -> Bool {
        folder.bytes.withBytes { bytes in
            (NamespaceSeals.parts(bytes)?.rest ?? bytes).starts(with: "sys/".utf8)
        }
    }

    private static let tops = ["logical/", "auth/", "audit/", "sys/"]

    /// The folder that an entry is counted in, and whether others are counted in folders below it.
    private static func folder(_ key: UnsafeRawBufferPointer) -> (name: StorageKey, isShared: Bool)? {
        let rest = NamespaceSeals.parts(key)?.rest ?? key
        guard let top = tops.first(where: { rest.starts(with: $0.utf8) }) else { return nil }
        guard let slash = rest[top.utf8.count...].firstIndex(of: UInt8(ascii: "/")) else {
            guard top == "sys/" else { return nil }
            let end = key.count - rest.count + top.utf8.count
            return (StorageKey(copying: UnsafeRawBufferPointer(rebasing: key[..<end])), true)
        }
        let end = key.count - rest.count + slash + 1
        return (StorageKey(copying: UnsafeRawBufferPointer(rebasing: key[..<end])), false)
    }
}
