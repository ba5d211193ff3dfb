import CSystem
import Files
import Glibc
import Storage

/// Where a directory is built, and what is in its way.
///
/// Built beside the final path and renamed, so that the name never stands for half a store. Where that cannot be, the
/// path being a mount point or its parent not writable, it is built inside in a hidden folder, and the files are moved
/// up with `vault.db` last: without it there is no store.
struct RaftDirectoryPlacement: Sendable, Equatable {
    static let nodeIDFile = "node-id"
    static let hiddenFolder = ".sealift-building"

    let path: String
    /// Whether the directory exists already (empty, or with a `node-id` only).
    let exists: Bool
    /// Whether the building folder lies inside the final directory.
    let isInside: Bool

    /// - Throws: `.notEmpty` if a file stands there, `.io` for a link that leads nowhere.
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
            if let finding = StoreFinding.danglingLink(on: trimmed) { throw StorageError(.io, finding.message) }
        } else {
            throw StorageError.system("stat", trimmed, errno: errno)
        }
        isInside = exists && Self.mustBuildInside(trimmed, device: info.st_dev)
    }

    private static func mustBuildInside(_ path: String, device: dev_t) -> Bool {
        var info = stat()
        if lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFLNK { return true }
        // An earlier run had to.
        if lstat("\(path)/\(hiddenFolder)", &info) == 0 { return true }
        let parent = parentFolder(of: path)
        guard stat(parent, &info) == 0 else { return false }
        // A mount of a folder of the same file system has its device, and no rename leads there either.
        return info.st_dev != device || cs_is_mount_root(path) != 0 || access(parent, W_OK | X_OK) != 0
    }

    /// The directory itself if it exists, else its parent.
    static func existingFolder(of path: String) -> String {
        access(path, F_OK) == 0 ? path : parentFolder(of: path)
    }

    /// The folder that is made for the building.
    var buildingFolder: String {
        isInside ? "\(path)/\(Self.hiddenFolder)" : "\(path).sealift-building"
    }

    /// What stands in the way of building here.
    ///
    /// - Parameter isClaimed: Whether this process holds the building folder already.
    func findings(isClaimed: Bool) throws(StorageError) -> [StoreFinding] {
        let remains: BuildingFolder.Remains
        do throws(StorageError) {
            remains = try BuildingFolder.remains(at: self, isClaimed: isClaimed)
        } catch {
            return [StoreFinding(.obstacle(error.code), error.message)]
        }
        if exists {
            let found = try namesInTheWay(besides: remains)
            if !found.isEmpty {
                return [StoreFinding(.obstacle(.notEmpty), Self.stateMessage(path, found))]
            }
        }
        let folder = isInside ? path : parentFolder(of: path)
        guard access(folder, F_OK) == 0 else {
            return [StoreFinding(.obstacle(.io), "\(folder) does not exist. Make it and run again.")]
        }
        guard access(folder, W_OK | X_OK) == 0 else {
            return [StoreFinding(.obstacle(.io), StorageError.system("write to", folder, errno: errno).message)]
        }
        return []
    }

    static func stateMessage(_ path: String, _ found: [String]) -> String {
        let isState = found.contains("vault.db") || found.contains("raft")
        let names = found.prefix(6).joined(separator: ", ") + (found.count > 6 ? ", …" : "")
        return
            (isState
            ? "could not bootstrap clustered storage: error bootstrapping cluster: cluster already has state\n" : "")
            + "\(path) is not empty, it holds \(names). A directory is only built where nothing is: move that away, or "
            + "name another path."
    }

    /// Names in the final directory that are in the way.
    ///
    /// - Parameter remains: What an earlier run left; what it had moved up already is not in the way.
    func namesInTheWay(besides remains: BuildingFolder.Remains = .init()) throws(StorageError) -> [String] {
        // node-id alone is a node that never started; lost+found is the file system's.
        let harmless = [Self.nodeIDFile, "lost+found", Self.hiddenFolder]
        return try names(in: AT_FDCWD, path, shown: path).filter { name in
            !harmless.contains(name) && !(name == "raft" && remains.isMoved(self))
        }
    }
}
