import CSystem
import Glibc
import Storage

/// Where a directory is built, and how it gets its final name.
///
/// Built beside the final path and renamed, so that the name never stands for half a store. Where that cannot be, the
/// path being a mount point or its parent not writable, it is built inside in a hidden folder, and the files are moved
/// up with `vault.db` last: without it there is no store.
struct RaftDirectoryPlacement {
    let path: String
    /// Whether the directory exists already (empty, or with a `node-id` only).
    let exists: Bool
    /// Whether the building folder lies inside the final directory.
    let isInside: Bool

    init(path: String) throws(StorageError) {
        // A trailing slash would make the sibling a child.
        var trimmed = path
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        self.path = trimmed
        var info = stat()
        if stat(trimmed, &info) == 0 {
            guard info.st_mode & S_IFMT == S_IFDIR else {
                throw StorageError(.notEmpty, "\(trimmed) is a file, not a directory. Name a directory.")
            }
            exists = true
        } else if errno == ENOENT {
            exists = false
        } else {
            throw StorageError.system("stat", trimmed, errno: errno)
        }
        isInside = exists && Self.mustBuildInside(trimmed, device: info.st_dev)
    }

    private static func mustBuildInside(_ path: String, device: dev_t) -> Bool {
        var link = stat()
        if lstat(path, &link) == 0, link.st_mode & S_IFMT == S_IFLNK { return true }
        let parent = parentFolder(of: path)
        var info = stat()
        guard stat(parent, &info) == 0 else { return false }
        return info.st_dev != device || access(parent, W_OK | X_OK) != 0
    }

    static func parentFolder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The directory itself if it exists, else its parent.
    static func existingFolder(of path: String) -> String {
        access(path, F_OK) == 0 ? path : parentFolder(of: path)
    }

    /// The folder that is filled and then renamed.
    var buildingFolder: String {
        isInside ? "\(path)/.sealift-building" : "\(path).sealift-building"
    }

    /// What stands in the way of building here.
    func findings() throws(StorageError) -> [StoreFinding] {
        if exists {
            let found = try contents()
            if !found.isEmpty {
                return [StoreFinding(.obstacle(.notEmpty), Self.stateMessage(path, found))]
            }
        }
        let folder = isInside ? path : Self.parentFolder(of: path)
        guard access(folder, F_OK) == 0 else {
            return [StoreFinding(.obstacle(.io), "\(folder) does not exist. Make it and run again.")]
        }
        guard access(folder, W_OK | X_OK) == 0 else {
            return [StoreFinding(.obstacle(.io), StorageError.system("write to", folder, errno: errno).message)]
        }
        return []
    }

    private static func stateMessage(_ path: String, _ found: [String]) -> String {
        let isState = found.contains("vault.db") || found.contains("raft")
        let names = found.prefix(6).joined(separator: ", ") + (found.count > 6 ? ", …" : "")
        return
            (isState
            ? "could not bootstrap clustered storage: error bootstrapping cluster: cluster already has state\n" : "")
            + "\(path) is not empty, it holds \(names). A directory is only built where nothing is: move that away, or "
            + "name another path."
    }

    /// Names in the final directory that are in the way.
    private func contents() throws(StorageError) -> [String] {
        guard let folder = opendir(path) else { throw StorageError.system("open", path, errno: errno) }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            // node-id alone is a node that never started; lost+found is the file system's.
            if [".", "..", "node-id", "lost+found", ".sealift-building"].contains(name) { continue }
            if name == "raft", isHalfMoved { continue }
            names.append(name)
        }
        return names.sorted()
    }

    /// Whether a run was killed while it moved its files up: `vault.db`, the last of them, is still in its folder.
    private var isHalfMoved: Bool {
        access("\(buildingFolder)/vault.db", F_OK) == 0 && access("\(buildingFolder)/raft", F_OK) != 0
            && access("\(path)/vault.db", F_OK) != 0
    }

    /// Removes what an earlier run that was killed left of its building folder.
    func removeLeftOver() {
        let folder = buildingFolder
        if isHalfMoved {
            unlink("\(path)/raft/raft.db")
            for name in ["raft/snapshots", "raft"] { rmdir("\(path)/\(name)") }
        }
        for name in ["raft/raft.db", "vault.db", "node-id"] { unlink("\(folder)/\(name)") }
        for name in ["raft/snapshots", "raft"] { rmdir("\(folder)/\(name)") }
        rmdir(folder)
    }

    /// Gives the finished building folder its final name, durably.
    ///
    /// - Parameter adoptsOwner: Whether everything is to belong to the owner of the directory that is there already.
    func publish(adoptsOwner: Bool) throws(StorageError) {
        let folder = buildingFolder
        if exists, adoptsOwner { try adoptOwner(folder) }
        if isInside {
            try moveUp(from: folder)
            return
        }
        if exists {
            guard try isEmptyButNodeID() else {
                throw StorageError(.notEmpty, Self.stateMessage(path, try contents()))
            }
            // Our own node-id repeats what the kept one says; an empty directory can be replaced.
            unlink("\(path)/node-id")
            guard rename(folder, path) == 0 else {
                let number = errno
                guard number == ENOTEMPTY || number == EEXIST || number == EBUSY else {
                    throw StorageError.system("rename to", path, errno: number)
                }
                // lost+found, or a mount that appeared meanwhile: move the files instead.
                try moveUp(from: folder)
                return
            }
        } else {
            guard cs_rename_noreplace(folder, path) == 0 else {
                throw StorageError.system("rename to", path, errno: errno)
            }
        }
        try Self.syncFolder(Self.parentFolder(of: path))
    }

    private func isEmptyButNodeID() throws(StorageError) -> Bool { try contents().isEmpty }

    private func adoptOwner(_ folder: String) throws(StorageError) {
        var info = stat()
        guard stat(path, &info) == 0 else { throw StorageError.system("stat", path, errno: errno) }
        var own = stat()
        guard stat(folder, &own) == 0 else { throw StorageError.system("stat", folder, errno: errno) }
        // The directory was made for the user who runs the server: its files are to be theirs too, where we may.
        guard info.st_uid != own.st_uid || info.st_gid != own.st_gid, geteuid() == 0 else { return }
        for name in ["", "/vault.db", "/raft", "/raft/raft.db", "/raft/snapshots", "/node-id"] {
            guard chown(folder + name, info.st_uid, info.st_gid) == 0 || errno == ENOENT else {
                throw StorageError.system("chown", folder + name, errno: errno)
            }
        }
    }

    private func moveUp(from folder: String) throws(StorageError) {
        for name in ["raft", "node-id", "vault.db"] {
            if access("\(folder)/\(name)", F_OK) != 0 { continue }
            guard rename("\(folder)/\(name)", "\(path)/\(name)") == 0 else {
                throw StorageError.system("rename to", "\(path)/\(name)", errno: errno)
            }
            try Self.syncFolder(path)
        }
        rmdir(folder)
    }

    static func syncFolder(_ path: String) throws(StorageError) {
        let descriptor = cs_open_directory(AT_FDCWD, path)
        guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw StorageError.system("sync", path, errno: errno) }
    }
}
