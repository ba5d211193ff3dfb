import CSystem
import Files
import Glibc
import Storage
import Synchronization

/// The folder in which a Raft directory is built, held by one process at a time.
///
///     DEST.sealift-building/    or DEST/.sealift-building/
///       sealift-building        the mark: made here, and locked by whoever builds
///       node/                   the directory to be
///
/// The directory gets its final name by a rename of `node` (or of the files in it, `vault.db` last); the mark stays until
/// that is done. So at whatever point a run is killed, the next one finds its mark and goes on by itself. Nothing is ever
/// cleaned but names this product makes, in folders opened without following a link, below a mark of its own.
final class BuildingFolder: Sendable {
    /// The directory to be, within the folder.
    static let nodeName = "node"
    private static let files = ["vault.db", RaftDirectoryPlacement.nodeIDFile]
    private static let raftFolder = "raft"
    private static let logFile = "raft.db"
    private static let peersFile = "peers.json"
    private static let snapshotFolder = "snapshots"
    /// How often another process may make or remove the folder under our hands before that is an error.
    private static let maximumAttempts = 20

    let placement: RaftDirectoryPlacement
    private let folder: Int32
    private let mark: Int32
    private let holder: String
    private let isReleased = Mutex(false)

    var path: String { placement.buildingFolder }
    /// Where the directory is built.
    var node: String { "\(path)/\(Self.nodeName)" }

    /// Takes the folder for a directory, as it lies when the lock is held: another run may have put its own in place just
    /// before.
    static func take(for path: String, holder: String) throws(StorageError) -> BuildingFolder {
        for _ in 0..<maximumAttempts {
            let taken = try BuildingFolder(RaftDirectoryPlacement(path: path), holder: holder)
            if try RaftDirectoryPlacement(path: path) == taken.placement { return taken }
            taken.release()
        }
        throw StorageError(.inUse, "\(path) comes and goes: another run is at it. Wait for it.")
    }

    /// Takes the folder, making it if there is none.
    ///
    /// - Parameter holder: Who takes it, for whoever is refused.
    /// - Throws: `.inUse` if another process holds it, `.notEmpty` if it is not this product's.
    private init(_ placement: RaftDirectoryPlacement, holder: String) throws(StorageError) {
        self.placement = placement
        self.holder = holder
        for _ in 0..<Self.maximumAttempts {
            guard let (folder, mark) = try Self.take(placement.buildingFolder, holder) else { continue }
            self.folder = folder
            self.mark = mark
            return
        }
        throw StorageError(.inUse, "\(placement.buildingFolder) comes and goes: another run is at it. Wait for it.")
    }

    deinit {
        // Without `release` everything stays as it is, as after a kill.
        if !isReleased.withLock({ $0 }) { closeDescriptors() }
    }

    private func closeDescriptors() {
        Glibc.close(mark)
        Glibc.close(folder)
    }

    /// - Returns: Folder and locked mark; `nil` if another process made or removed them meanwhile.
    private static func take(
        _ path: String, _ holder: String
    ) throws(StorageError) -> (folder: Int32, mark: Int32)? {
        let isNew = mkdir(path, 0o700) == 0
        if isNew {
            // What is moved from here to the final directory must never be durable without the mark.
            try syncFolder(at: parentFolder(of: path))
        } else if errno != EEXIST {
            throw StorageError.system("mkdir", path, errno: errno)
        }
        guard let folder = try open(path) else { return nil }
        var mark: Int32 = -1
        do throws(StorageError) {
            mark = try openMark(in: folder, path, makes: true)
            if mark >= 0, try lock(mark, in: folder, path) {
                try check(mark, in: folder, path, isNew: isNew)
                try BuildingMark(holder: holder).keepingMove(of: mark, path).write(
                    to: mark, "\(path)/\(BuildingMark.name)")
                try syncFolder(folder, path)
                return (folder, mark)
            }
        } catch {
            if mark >= 0 { Glibc.close(mark) }
            Glibc.close(folder)
            throw error
        }
        if mark >= 0 { Glibc.close(mark) }
        Glibc.close(folder)
        return nil
    }

    /// The folder's descriptor; `nil` if there is none.
    private static func open(_ path: String) throws(StorageError) -> Int32? {
        let folder = cs_open_own_directory(AT_FDCWD, path)
        if folder >= 0 { return folder }
        switch errno {
        case ENOENT: return nil
        case ELOOP, ENOTDIR: throw foreign(path, "is a link or a file")
        default: throw StorageError.system("open", path, errno: errno)
        }
    }

    /// - Parameter makes: Whether an empty folder gets a mark.
    /// - Returns: -1 if there is none, or it came or went meanwhile.
    private static func openMark(in folder: Int32, _ path: String, makes: Bool) throws(StorageError) -> Int32 {
        let mark = cs_open_own_file(folder, BuildingMark.name, makes ? O_RDWR : O_RDONLY, 0)
        if mark >= 0 { return mark }
        guard errno == ENOENT else {
            if errno == ELOOP || errno == EISDIR || errno == ENXIO {
                throw foreign(path, "has no mark of Sealift in it")
            }
            throw StorageError.system("open", "\(path)/\(BuildingMark.name)", errno: errno)
        }
        guard try names(in: folder, ".", shown: path).allSatisfy({ $0 == BuildingMark.name }) else {
            throw foreign(path, "has no mark of Sealift in it")
        }
        guard makes else { return -1 }
        let made = cs_open_own_file(folder, BuildingMark.name, O_RDWR | O_CREAT | O_EXCL, 0o600)
        guard made >= 0 || errno == EEXIST || errno == ENOENT else {
            throw StorageError.system("create", "\(path)/\(BuildingMark.name)", errno: errno)
        }
        return made
    }

    /// - Returns: Whether the mark that is now locked is still the one that stands there.
    private static func lock(_ mark: Int32, in folder: Int32, _ path: String) throws(StorageError) -> Bool {
        guard try takesLock(mark, "\(path)/\(BuildingMark.name)") else { throw try held(mark, path) }
        guard try stands(mark, in: folder, under: BuildingMark.name, shown: path) else { return false }
        return try stands(folder, under: path, shown: path)
    }

    private static func held(_ mark: Int32, _ path: String) throws(StorageError) -> StorageError {
        let holder = BuildingMark(decoding: try BuildingMark.bytes(of: mark, path))?.holder ?? ""
        let who = holder.isEmpty ? "another run" : "\(StorageKey(holder))"
        return StorageError(
            .inUse, "\(path) is locked: \(who) is building there. Wait for it, or stop it.")
    }

    /// Whether what the mark says makes the folder ours, and nobody else could have written it.
    ///
    /// - Parameter isNew: Whether this process has just made the folder, or has taken it.
    private static func check(
        _ mark: Int32, in folder: Int32, _ path: String, isNew: Bool = false
    ) throws(StorageError) {
        var (info, place) = (stat(), stat())
        guard fstat(mark, &info) == 0, fstat(folder, &place) == 0 else {
            throw StorageError.system("stat", path, errno: errno)
        }
        guard info.st_mode & S_IFMT == S_IFREG else { throw foreign(path, "has no mark of Sealift in it") }
        // A file server may give what root makes to somebody else.
        let user = geteuid()
        guard isNew || place.st_uid == user && info.st_uid == user else {
            let owner = place.st_uid == user ? info.st_uid : place.st_uid
            throw foreign(path, "belongs to the user \(owner) and not to \(user), who runs this")
        }
        // Some file systems have the same permissions for everything.
        guard place.st_mode & 0o022 == 0 || info.st_mode & 0o022 != 0 else {
            throw foreign(path, "can be written to by other users")
        }
        let bytes = try BuildingMark.bytes(of: mark, path)
        if BuildingMark(decoding: bytes) != nil { return }
        // Killed before the mark was whole, a run had put nothing else into the folder.
        guard BuildingMark.isBegun(bytes), try names(in: folder, ".", shown: path) == [BuildingMark.name] else {
            throw foreign(path, "has no mark of Sealift in it")
        }
    }

    static func foreign(_ path: String, _ why: String) -> StorageError {
        StorageError(
            .notEmpty,
            "\(path) \(why), so that it cannot be told to be Sealift's own, and nothing in it is touched. A Raft directory "
                + "is built in a folder of that name: move it away (or remove it, if all it holds was left by a run of an "
                + "earlier release that was killed) and run again.")
    }
}

// MARK: What an earlier run left

extension BuildingFolder {
    /// What an earlier run that was killed left, as far as it matters.
    struct Remains: Sendable {
        /// The folder `raft` that was being moved up.
        var movedInode: UInt64?

        /// Whether the final directory's `raft` is that one, and `vault.db`, which comes last, is not there yet.
        func isMoved(_ placement: RaftDirectoryPlacement) -> Bool {
            var info = stat()
            guard let movedInode, lstat("\(placement.path)/vault.db", &info) != 0,
                lstat("\(placement.path)/\(BuildingFolder.raftFolder)", &info) == 0
            else { return false }
            return info.st_mode & S_IFMT == S_IFDIR && UInt64(info.st_ino) == movedInode
        }
    }

    /// Looks at the building folder, changing nothing.
    ///
    /// - Parameter isClaimed: Whether this process holds it.
    /// - Throws: What ``init(_:holder:)`` and ``clear()`` would.
    static func remains(at placement: RaftDirectoryPlacement, isClaimed: Bool) throws(StorageError) -> Remains {
        let path = placement.buildingFolder
        guard let folder = try open(path) else { return Remains() }
        defer { Glibc.close(folder) }
        let mark = try openMark(in: folder, path, makes: false)
        guard mark >= 0 else { return Remains() }
        defer { Glibc.close(mark) }
        if !isClaimed { _ = try lock(mark, in: folder, path) }
        try check(mark, in: folder, path, isNew: isClaimed)
        try checkNames(in: folder, path)
        return Remains(movedInode: BuildingMark(decoding: try BuildingMark.bytes(of: mark, path))?.movedInode)
    }

    /// Bytes that an earlier run's unfinished directory takes, which go before another is built; 0 for what is not ours.
    static func bytesLeft(for path: String) -> Int {
        do throws(StorageError) {
            let placement = try RaftDirectoryPlacement(path: path)
            _ = try remains(at: placement, isClaimed: false)
            var info = stat()
            guard lstat("\(placement.buildingFolder)/\(nodeName)/vault.db", &info) == 0 else { return 0 }
            return Int(info.st_blocks) * 512
        } catch {
            return 0
        }
    }

    /// Sees that everything below the folder is a name that this product makes.
    private static func checkNames(in folder: Int32, _ path: String) throws(StorageError) {
        let known = [
            ("", [BuildingMark.name, nodeName]), (nodeName, files + [raftFolder]),
            ("\(nodeName)/\(raftFolder)", [logFile, peersFile, snapshotFolder]),
            ("\(nodeName)/\(raftFolder)/\(snapshotFolder)", []),
        ]
        var current = dup(folder)
        guard current >= 0 else { throw StorageError.system("open", path, errno: errno) }
        defer { if current >= 0 { Glibc.close(current) } }
        for (level, (name, expected)) in known.enumerated() {
            let shown = name.isEmpty ? path : "\(path)/\(name)"
            if level > 0 {
                let leaf = name.split(separator: "/").last.map(String.init) ?? name
                let next = cs_open_own_directory(current, leaf)
                if next < 0, errno == ENOENT { return }
                guard next >= 0 else {
                    if errno == ELOOP || errno == ENOTDIR { throw foreign(shown, "is a link or a file") }
                    throw StorageError.system("open", shown, errno: errno)
                }
                Glibc.close(current)
                current = next
            }
            if let other = try names(in: current, ".", shown: shown).first(where: { !expected.contains($0) }) {
                throw foreign(
                    "\(shown)/\(StorageKey(other))", "is nothing that a run of Sealift puts there")
            }
        }
    }

    /// Removes what an earlier run left, or this one gives up: afterwards there is the mark alone.
    ///
    /// - Throws: `.notEmpty`, having removed nothing, if there is a name that this product does not make.
    func clear() throws(StorageError) {
        try takeBack()
        try Self.checkNames(in: folder, path)
        let node = cs_open_own_directory(folder, Self.nodeName)
        guard node >= 0 else {
            if errno == ENOENT { return }
            throw StorageError.system("open", self.node, errno: errno)
        }
        defer { Glibc.close(node) }
        let raft = cs_open_own_directory(node, Self.raftFolder)
        if raft >= 0 {
            defer { Glibc.close(raft) }
            for name in [Self.logFile, Self.peersFile] { try Self.remove(name, in: raft, self.node) }
            try Self.remove(Self.snapshotFolder, in: raft, self.node, isFolder: true)
        }
        try Self.remove(Self.raftFolder, in: node, self.node, isFolder: true)
        for name in Self.files { try Self.remove(name, in: node, self.node) }
        try Self.remove(Self.nodeName, in: folder, path, isFolder: true)
    }

    private static func remove(
        _ name: String, in folder: Int32, _ path: String, isFolder: Bool = false
    ) throws(StorageError) {
        guard unlinkat(folder, name, isFolder ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT else {
            throw StorageError.system("remove", "\(path)/\(name)", errno: errno)
        }
    }

    /// Moves back what a run that was killed had moved up without coming to its end.
    private func takeBack() throws(StorageError) {
        let bytes = try BuildingMark.bytes(of: mark, path)
        guard let found = BuildingMark(decoding: bytes), let inode = found.movedInode else { return }
        if Remains(movedInode: inode).isMoved(placement) {
            let from = "\(placement.path)/\(Self.raftFolder)"
            guard renameWhereNothingIs(AT_FDCWD, from, folder, "\(Self.nodeName)/\(Self.raftFolder)") == 0 else {
                throw StorageError.system("move back", from, errno: errno)
            }
            try syncFolder(at: placement.path)
        }
        try noteMove(nil)
    }

    /// Notes durably that the folder `raft` with this inode is about to be moved up, or that it is not any more.
    func noteMove(_ inode: UInt64?) throws(StorageError) {
        var mark = BuildingMark(holder: holder)
        mark.movedInode = inode
        try mark.write(to: self.mark, "\(path)/\(BuildingMark.name)")
    }

    /// Gives the folder up: it goes if nothing but the mark is in it. Repeated calls do nothing.
    func release() {
        isReleased.withLock { isReleased in
            guard !isReleased else { return }
            isReleased = true
            let isThere = (try? stands(folder, under: path, shown: path)) == true
            // The lock is still held: whoever opened the mark before it goes finds out that it did. What stood beside it is
            // gone durably before it goes: without it nothing here could be told to be ours.
            if isThere, (try? names(in: folder, ".", shown: path)) == [BuildingMark.name],
                (try? syncFolder(folder, path)) != nil
            {
                unlinkat(folder, BuildingMark.name, 0)
                rmdir(path)
            }
            closeDescriptors()
        }
    }

    /// The descriptor of the folder, for what is done within; valid until ``release()``.
    var descriptor: Int32 { folder }
}

extension BuildingMark {
    /// This mark with what the one in the file says of a move that was not finished.
    fileprivate func keepingMove(of descriptor: Int32, _ path: String) throws(StorageError) -> BuildingMark {
        var mark = self
        mark.movedInode = BuildingMark(decoding: try BuildingMark.bytes(of: descriptor, path))?.movedInode
        return mark
    }
}
