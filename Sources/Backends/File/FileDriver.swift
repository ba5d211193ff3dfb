import CSystem
import Files
import Glibc
package import Storage

extension FileBackend {
    private static let pathOption = BackendOption("path", .path, "The store's folder.")

    /// How `file` is configured and opened.
    package static func driver(kind: String = "file") -> BackendDriver {
        BackendDriver(
            kind: kind, summary: "A folder of files.",
            notes: """
                Vault's layout to the byte. Stray and cut-off temporary files are reported, never copied, never deleted. A file of \
                zero length is an entry that a crash took: an obstacle, unless -allow-lost-entries is given.
                """,
            options: [pathOption, BackendOption(ignored: "max_parallel")],
            openSource: { settings, context throws(StorageError) in
                try FileBackend(path: settings.path(pathOption), mustExist: true, writable: context.writesMarker)
            },
            openDestination: { settings, context throws(StorageError) in
                try FileBackend(path: settings.path(pathOption), mustExist: false, writable: !context.isDryRun)
            })
    }

    package func destinationFindings() throws(StorageError) -> [StoreFinding] {
        if let finding = StoreFinding.danglingLink(on: location) { return [finding] }
        var info = stat()
        if stat(location, &info) == 0, info.st_mode & S_IFMT != S_IFDIR {
            // As a server words it: the first thing it does with a missing store is to make its folder.
            return [
                StoreFinding(
                    .obstacle(.io),
                    "error writing entry: mkdir \(location): not a directory\nIt is a file. Name a folder, or a path "
                        + "that does not exist yet.")
            ]
        }
        let folder = if let root = try openRoot() { root.path } else { try nearestFolder() }
        var findings: [StoreFinding] = []
        if access(folder, W_OK | X_OK) != 0 {
            let problem = StorageError.system("write to", folder, errno: errno)
            findings.append(StoreFinding(.obstacle(problem.code), problem.message))
        } else if isWritable, foldsCase(folder) {
            findings.append(
                StoreFinding(
                    .obstacle(.limit),
                    "\(folder): the file system takes names that differ only by case for one name; entries would be "
                        + "lost. Use a file system that tells them apart."))
        }
        return findings
    }

    package func roomNeeded(for size: StoreSize) -> RoomNeeded? {
        guard let entries = size.entries, let folder = try? nearestFolder() else { return nil }
        var info = statvfs()
        guard statvfs(folder, &info) == 0 else { return nil }
        let block = Self.bytesOfABlock(inodes: UInt(info.f_files), fragment: UInt(info.f_frsize))
        let directories = size.directories ?? 0
        let bytes = size.bytes ?? 0
        let text = bytes.clampedSum(bytes / 3).clampedSum(entries.clampedProduct(block / 2))
        return RoomNeeded(
            folder: folder,
            bytes: max(text, entries.clampedProduct(block)).clampedSum(directories.clampedProduct(block)),
            files: entries.clampedSum(directories).clampedSum(1))
    }

    /// What the smallest file takes, from the figures of `statvfs`.
    ///
    /// A file system without a fixed number of inodes keeps small files inside them; any other gives a file whole blocks, on
    /// average half a block more than its text has. What a network's file system calls a block may be what it moves at once,
    /// which is no measure of room.
    package static func bytesOfABlock(inodes: UInt, fragment: UInt) -> Int {
        inodes == 0 ? 512 : Int(min(max(fragment, 512), 4096))
    }

    /// The store's folder, or the one in which it would be made.
    private func nearestFolder() throws(StorageError) -> String {
        var path = location
        while access(path, F_OK) != 0 {
            guard errno == ENOENT else {
                throw StorageError(.io, "error writing entry: mkdir \(path): \(systemMessage(errno))")
            }
            path = parentFolder(of: path)
        }
        return path
    }

    private func foldsCase(_ folder: String) -> Bool {
        // The same name each time, so that a run that was killed here leaves nothing that the next one does not remove.
        let name = ".sealift-case-\(placeNumber)"
        let probe = "\(folder)/\(name)"
        let descriptor = cs_open_own_file(AT_FDCWD, probe, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        if descriptor >= 0 {
            Glibc.close(descriptor)
        } else {
            // What else stands there already is not ours to remove.
            var info = stat()
            guard errno == EEXIST, lstat(probe, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size == 0 else {
                return false
            }
        }
        defer { unlink(probe) }
        return access("\(folder)/\(name.uppercased())", F_OK) == 0
    }

    /// A number for the store's place (FNV-1a): other stores beside it have other ones.
    private var placeNumber: String {
        let hash = location.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
