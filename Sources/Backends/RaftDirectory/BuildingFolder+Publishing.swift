import CSystem
import Files
import Glibc
import Storage

extension BuildingFolder {
    /// Gives the finished directory its final name, durably.
    ///
    /// - Parameters:
    ///   - keptNodeID: What the directory's file `node-id` held when it was looked at, repeated in the new directory;
    ///     `nil` if there was none.
    ///   - adoptsOwner: Whether everything is to belong to the owner of the directory that is there already.
    func publish(keptNodeID: [UInt8]?, adoptsOwner: Bool) throws(StorageError) {
        if placement.exists {
            if adoptsOwner { try adoptOwner() }
            try refuseWhatAppeared(keptNodeID)
            if try !changePlaces(keptNodeID) { try moveUp(keepsNodeID: keptNodeID != nil) }
        } else {
            try takeName()
        }
        try syncFolder(at: parentFolder(of: placement.path))
    }

    private func refuseWhatAppeared(_ keptNodeID: [UInt8]?) throws(StorageError) {
        let found = try placement.namesInTheWay()
        guard found.isEmpty else {
            throw StorageError(.notEmpty, RaftDirectoryPlacement.stateMessage(placement.path, found))
        }
        guard try NodeIDFile.bytes(in: placement.path) == keptNodeID else { throw changedNodeID }
    }

    private var changedNodeID: StorageError {
        StorageError(
            .notEmpty,
            "\(placement.path)/\(RaftDirectoryPlacement.nodeIDFile) was changed while the run went on. Nothing was put in "
                + "place; see who writes there, and run again.")
    }

    /// Whether there is nothing in the directory but perhaps a `node-id`.
    private func hasNothingElse() throws(StorageError) -> Bool {
        try names(in: AT_FDCWD, placement.path, shown: placement.path).allSatisfy {
            $0 == RaftDirectoryPlacement.nodeIDFile
        }
    }

    /// The name is free: nothing that appears meanwhile is replaced.
    private func takeName() throws(StorageError) {
        if cs_rename_noreplace(descriptor, Self.nodeName, AT_FDCWD, placement.path) == 0 { return }
        // A file system that cannot do that replaces an empty folder at least, and nothing else.
        guard errno == EINVAL || errno == ENOSYS, mkdir(placement.path, 0o700) == 0 else { throw renameFailure() }
        guard renameat(descriptor, Self.nodeName, AT_FDCWD, placement.path) == 0 else { throw renameFailure() }
    }

    private func renameFailure() -> StorageError {
        StorageError.system("rename to", placement.path, errno: errno)
    }

    /// The new directory and the one that is there change places in one step, so that at no point a `node-id` that was
    /// kept is in neither.
    ///
    /// - Returns: `false`, with nothing changed, where that cannot be done.
    private func changePlaces(_ keptNodeID: [UInt8]?) throws(StorageError) -> Bool {
        if placement.isInside { return false }
        guard try hasNothingElse() else { return false }
        guard cs_rename_exchange(descriptor, Self.nodeName, AT_FDCWD, placement.path) == 0 else {
            guard [EINVAL, ENOSYS, EOPNOTSUPP, EBUSY, EXDEV].contains(errno) else { throw renameFailure() }
            return false
        }
        do throws(StorageError) {
            // What stood there is ours to remove now, if it is still what was looked at.
            let found = try names(in: descriptor, Self.nodeName, shown: placement.path)
            guard found.allSatisfy({ $0 == RaftDirectoryPlacement.nodeIDFile }) else {
                throw StorageError(.notEmpty, RaftDirectoryPlacement.stateMessage(placement.path, found))
            }
            guard try NodeIDFile.bytes(in: node) == keptNodeID else { throw changedNodeID }
        } catch {
            _ = cs_rename_exchange(descriptor, Self.nodeName, AT_FDCWD, placement.path)
            throw error
        }
        return true
    }

    private func moveUp(keepsNodeID: Bool) throws(StorageError) {
        var info = stat()
        guard fstatat(descriptor, "\(Self.nodeName)/raft", &info, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw StorageError.system("stat", "\(node)/raft", errno: errno)
        }
        try noteMove(UInt64(info.st_ino))
        for name in ["raft", RaftDirectoryPlacement.nodeIDFile, "vault.db"] {
            // The file that is there says the same.
            if keepsNodeID, name == RaftDirectoryPlacement.nodeIDFile { continue }
            if name == RaftDirectoryPlacement.nodeIDFile { removeEmptyNodeID() }
            try moveUp(name)
            try syncFolder(at: placement.path)
        }
        try noteMove(nil)
    }

    /// A `node-id` without content says nothing and would be in the way of ours.
    private func removeEmptyNodeID() {
        let name = RaftDirectoryPlacement.nodeIDFile
        let file = "\(placement.path)/\(name)"
        var (info, own) = (stat(), stat())
        guard fstatat(descriptor, "\(Self.nodeName)/\(name)", &own, AT_SYMLINK_NOFOLLOW) == 0,
            lstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size == 0
        else { return }
        unlink(file)
    }

    private func moveUp(_ name: String) throws(StorageError) {
        let (from, to) = ("\(Self.nodeName)/\(name)", "\(placement.path)/\(name)")
        if renameWhereNothingIs(descriptor, from, AT_FDCWD, to) == 0 { return }
        // There is none where the configuration names the node.
        if errno == ENOENT, name == RaftDirectoryPlacement.nodeIDFile { return }
        throw StorageError.system("rename to", to, errno: errno)
    }

    private func adoptOwner() throws(StorageError) {
        var (info, own) = (stat(), stat())
        guard stat(placement.path, &info) == 0 else {
            throw StorageError.system("stat", placement.path, errno: errno)
        }
        guard fstatat(descriptor, Self.nodeName, &own, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw StorageError.system("stat", node, errno: errno)
        }
        // The directory was made for the user who runs the server: its files are to be theirs too, where we may.
        guard info.st_uid != own.st_uid || info.st_gid != own.st_gid, geteuid() == 0 else { return }
        try give(to: FileOwner(user: info.st_uid, group: info.st_gid))
    }

    /// Gives everything in the directory to be to an owner.
    func give(to owner: FileOwner) throws(StorageError) {
        for name in ["/vault.db", "/raft/raft.db", "/raft/peers.json", "/raft/snapshots", "/raft", "/node-id", ""] {
            let path = Self.nodeName + name
            guard fchownat(descriptor, path, owner.user, owner.group, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT
            else { throw StorageError.system("chown", "\(node)\(name)", errno: errno) }
        }
    }
}

/// renameat that replaces nothing.
func renameWhereNothingIs(_ fromFolder: Int32, _ from: String, _ toFolder: Int32, _ to: String) -> Int32 {
    if cs_rename_noreplace(fromFolder, from, toFolder, to) == 0 { return 0 }
    guard errno == EINVAL || errno == ENOSYS else { return -1 }
    // Some file systems cannot do that in one step.
    var info = stat()
    if fstatat(toFolder, to, &info, AT_SYMLINK_NOFOLLOW) == 0 {
        errno = EEXIST
        return -1
    }
    return renameat(fromFolder, from, toFolder, to)
}
