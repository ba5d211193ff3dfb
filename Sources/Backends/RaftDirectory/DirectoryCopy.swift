import CSystem
import Files
import Glibc
package import Storage

/// A copy of a stopped node's directory for another node of its cluster: `vault.db` and `raft/raft.db` as they are, a `peers.json`
/// that names all nodes, and nothing that is the node's own. It appears under its name whole, or not at all.
///
/// Whoever makes it holds the locks of the node that is copied.
package final class DirectoryCopy {
    private static let files = ["vault.db", "raft/raft.db"]
    private static let peersFile = "raft/peers.json"

    /// The directory that is to be.
    package let path: String
    private let original: String
    private let nodeID: String
    private let peers: [UInt8]
    private let owner: FileOwner?
    private var building: BuildingFolder?

    /// - Parameters:
    ///   - original: The node's directory.
    ///   - path: Where the copy is to be.
    ///   - nodeID: Whose it is to be: a file `node-id` that stands there must say the same.
    ///   - peers: The content of `raft/peers.json`.
    ///   - owner: Whom everything is given to; `nil` leaves it to the system.
    package init(of original: String, at path: String, nodeID: String, peers: [UInt8], owner: FileOwner?) {
        self.original = original
        self.path = path
        self.nodeID = nodeID
        self.peers = peers
        self.owner = owner
    }

    /// What stands in the way; changes nothing.
    package func findings() throws(StorageError) -> [StoreFinding] {
        let found = try RaftDirectoryPlacement(path: path).findings(isClaimed: false)
        guard found.isEmpty, let kept = try NodeIDFile.bytes(in: path), !NodeIDFile.says(nodeID, kept) else {
            return found
        }
        return [
            StoreFinding(
                .obstacle(.notEmpty),
                "\(path)/node-id says that this is the node \(StorageKey(kept)), and not \(StorageKey(nodeID)). See which is "
                    + "right, or remove the file.")
        ]
    }

    /// Whether the copy is there already, byte for byte: an earlier run has made it.
    package func isThere(isCancelled: () -> Bool) throws(StorageError) -> Bool {
        for (folder, known) in [
            ("", ["vault.db", "raft", "node-id"]), ("/raft", ["raft.db", "peers.json", "snapshots"]),
        ] {
            var info = stat()
            guard lstat(path + folder, &info) == 0, info.st_mode & S_IFMT == S_IFDIR,
                try names(in: AT_FDCWD, path + folder, shown: path + folder).allSatisfy(known.contains)
            else { return false }
        }
        if let kept = try NodeIDFile.bytes(in: path), !NodeIDFile.says(nodeID, kept) { return false }
        for file in Self.files + [Self.peersFile] {
            var info = stat()
            guard lstat("\(path)/\(file)", &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_nlink == 1 else {
                return false
            }
        }
        guard try readSmallFile("\(path)/\(Self.peersFile)", atMost: 1 << 20) == peers else {
            return false
        }
        for file in Self.files {
            guard try holdSameBytes("\(original)/\(file)", "\(path)/\(file)", isCancelled: isCancelled) else {
                return false
            }
        }
        return true
    }

    /// What the copy takes.
    ///
    /// - Returns: The file system, a folder on it and bytes; `nil` where that cannot be told: on the file system of the original
    ///   the two may share their blocks.
    package func roomNeeded() -> (device: UInt64, folder: String, bytes: Int)? {
        let folder = parentFolder(of: path)
        var (place, own) = (stat(), stat())
        guard stat(folder, &place) == 0, stat(original, &own) == 0, place.st_dev != own.st_dev else { return nil }
        var bytes = 0
        for file in Self.files {
            var info = stat()
            guard stat("\(original)/\(file)", &info) == 0 else { return nil }
            bytes += Int(info.st_size)
        }
        return (UInt64(place.st_dev), folder, bytes)
    }

    /// Gives a copy that is there already to whom it was asked to belong.
    package func giveToOwner() throws(StorageError) {
        guard let owner else { return }
        let folder = cs_open_own_directory(AT_FDCWD, path)
        guard folder >= 0 else { throw StorageError.system("open", path, errno: errno) }
        defer { Glibc.close(folder) }
        let below = cs_open_own_directory(folder, "raft")
        guard below >= 0 else { throw StorageError.system("open", "\(path)/raft", errno: errno) }
        defer { Glibc.close(below) }
        for (place, name) in [
            (below, "raft.db"), (below, "peers.json"), (below, "snapshots"), (folder, "vault.db"), (folder, "raft"),
            (folder, "node-id"),
        ] {
            var info = stat()
            // A file with a second name may be somebody else's.
            guard fstatat(place, name, &info, AT_SYMLINK_NOFOLLOW) == 0,
                info.st_mode & S_IFMT == S_IFDIR || info.st_nlink == 1
            else { continue }
            guard fchownat(place, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW) == 0 else {
                throw StorageError.system("chown", "\(path)/\(name)", errno: errno)
            }
        }
        guard fchown(folder, owner.user, owner.group) == 0 else {
            throw StorageError.system("chown", path, errno: errno)
        }
    }

    /// Makes the copy where it has no name yet, and reads it back.
    ///
    /// - Parameter holder: Who makes it, for whoever is refused meanwhile.
    /// - Throws: `.notEmpty`, `.inUse`, `.noSpace`, `.io`; `.damagedStore` if what was written does not read back.
    package func make(holder: String, isCancelled: () -> Bool) throws(StorageError) {
        let building = try BuildingFolder.take(for: path, holder: holder)
        self.building = building
        if case .obstacle(let code)? = try building.placement.findings(isClaimed: true).first?.kind {
            throw StorageError(code, try building.placement.findings(isClaimed: true).first?.message ?? path)
        }
        try building.clear()
        let node = building.node
        for folder in ["", "/raft", "/raft/snapshots"] where mkdir(node + folder, 0o700) != 0 {
            throw StorageError.system("mkdir", node + folder, errno: errno)
        }
        for file in Self.files {
            _ = try copyFile("\(original)/\(file)", to: "\(node)/\(file)", isCancelled: isCancelled)
        }
        try createFile("\(node)/\(Self.peersFile)", peers)
        for file in Self.files { try syncFile(at: "\(node)/\(file)") }
        if let owner { try building.give(to: owner) }
        for folder in ["\(node)/raft/snapshots", "\(node)/raft", node, building.path] { try syncFolder(at: folder) }
        for file in Self.files {
            _ = dropCache(ofFileAt: "\(node)/\(file)")
            guard try holdSameBytes("\(original)/\(file)", "\(node)/\(file)", isCancelled: isCancelled) else {
                throw StorageError(
                    .damagedStore,
                    "\(node)/\(file) does not hold what was written to it. Look for a failing disk, or another process that "
                        + "writes there, and run again.")
            }
        }
    }

    /// Gives the copy its name, durably.
    package func publish() throws(StorageError) {
        guard let building else { return }
        try building.publish(keptNodeID: try NodeIDFile.bytes(in: path), adoptsOwner: owner == nil)
        abandon()
    }

    /// Removes what a run that was killed behind ``publish()`` left beside the copy, as far as that can be.
    package func removeRemains() {
        var info = stat()
        guard let placement = try? RaftDirectoryPlacement(path: path), lstat(placement.buildingFolder, &info) == 0
        else { return }
        building = try? BuildingFolder.take(for: path, holder: "")
        abandon()
    }

    /// Gives up what has no name yet. May be repeated.
    package func abandon() {
        guard let building else { return }
        self.building = nil
        try? building.clear()
        building.release()
    }
}
