package import Storage

/// Entries and bytes below each mount's folder, counted by name alone.
package struct MountUsage: Sendable {
    /// Folders that are kept apart.
    private static let mostFolders = 500_000

    package struct Sum: Sendable, Equatable {
        package var entries = 0
        /// Bytes of keys and values.
        package var bytes = 0
    }

    /// By folder: `logical/<id>/`, `auth/<id>/`, `audit/<id>/`, `sys/<name>/`, and the same below `namespaces/<id>/`.
    private var folders: [StorageKey: Sum] = [:]
    private var last: StorageKey?
    private var pending = Sum()

    package init() {}

    /// Counts an entry.
    package mutating func count(_ key: UnsafeRawBufferPointer, bytes: Int) {
        if let last, key.starts(with: last.bytes) {
            pending.entries += 1
            pending.bytes += bytes
            return
        }
        flush()
        guard let folder = Self.folder(key) else { return }
        guard folder.bytes.last == UInt8(ascii: "/") else {
            // Beside the system's folders.
            folders[folder] = Sum(entries: 1, bytes: bytes)
            return
        }
        last = folder
        pending = Sum(entries: 1, bytes: bytes)
    }

    private mutating func flush() {
        if let last, folders[last] != nil || folders.count < Self.mostFolders {
            folders[last, default: Sum()].entries += pending.entries
            folders[last, default: Sum()].bytes += pending.bytes
        }
        last = nil
        pending = Sum()
    }

    /// Adds later counts.
    package mutating func add(_ other: MountUsage) {
        flush()
        var other = other
        other.flush()
        for (folder, sum) in other.folders where folders[folder] != nil || folders.count < Self.mostFolders {
            folders[folder, default: Sum()].entries += sum.entries
            folders[folder, default: Sum()].bytes += sum.bytes
        }
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

    private static func folder(_ key: UnsafeRawBufferPointer) -> StorageKey? {
        let rest = NamespaceSeals.parts(key)?.rest ?? key
        guard let top = tops.first(where: { rest.starts(with: $0.utf8) }) else { return nil }
        guard let slash = rest[top.utf8.count...].firstIndex(of: UInt8(ascii: "/")) else {
            return top == "sys/" ? StorageKey(copying: key) : nil
        }
        let end = key.count - rest.count + slash + 1
        return StorageKey(copying: UnsafeRawBufferPointer(rebasing: key[..<end]))
    }
}
