import Bolt
import CSystem
import Files
import Glibc
import RaftDirectoryBackend
import Storage

/// One bbolt file of a stopped node, held under the shared lock that keeps servers away.
///
/// The file is the one that stands under its name in an open folder: no link leads elsewhere, and whether the name still
/// leads to it can be asked at any time.
final class NodeFile: Sendable {
    /// `vault.db` or `raft.db`.
    let name: String
    /// The folder that holds it, for system calls and for messages.
    let folder: NodeFolder
    let reader: BoltReader
    /// As it was when it was opened.
    let status: FileStatus

    var path: String { "\(folder.path)/\(name)" }

    /// - Throws: `.missingStore` if there is none; `.inUse` if a server has it open; `.unsupported` for a link.
    init(_ name: String, in folder: NodeFolder) throws(StorageError) {
        self.name = name
        self.folder = folder
        let path = "\(folder.path)/\(name)"
        guard let before = try folder.status(of: name) else {
            throw StorageError(
                .missingStore,
                "\(path): there is no such file. Name the directory of a storage \"raft\" stanza: the one that holds "
                    + "vault.db.")
        }
        guard before.isRegular else {
            throw StorageError(
                .unsupported,
                "\(path) is a link, or no file at all: what it leads to is not touched. Put the file itself there.")
        }
        do throws(BoltError) {
            reader = try BoltReader(path: path)
        } catch {
            guard error.code == .inUse else { throw StorageError(error) }
            throw StorageError(
                .inUse, "\(path) is locked: a server runs on this directory. Stop that node, and run again.")
        }
        // The lock is held: whatever had the name before does not matter any more.
        guard let opened = reader.currentStatus().map(FileStatus.init), try folder.status(of: name) == opened else {
            reader.close()
            throw StorageError(.inUse, "\(path) was replaced while it was opened. See who writes there, and run again.")
        }
        status = opened
    }

    /// Whether the name still leads to the file, and nobody wrote to it since it was opened.
    func isUnchanged() throws(StorageError) -> Bool { try folder.status(of: name) == status }

    func close() { reader.close() }
}

/// What tells one file from another, and whether it was written to.
struct FileStatus: Equatable, Sendable {
    var device: UInt64
    var inode: UInt64
    var bytes: Int
    var isRegular: Bool
    var mode: mode_t
    var user: uid_t
    var group: gid_t
    /// Names that lead to it.
    var links: Int
    private var seconds: Int
    private var nanoseconds: Int

    init(_ info: stat) {
        device = UInt64(info.st_dev)
        inode = UInt64(info.st_ino)
        bytes = Int(info.st_size)
        isRegular = info.st_mode & S_IFMT == S_IFREG
        mode = info.st_mode & 0o7777
        user = info.st_uid
        group = info.st_gid
        links = Int(info.st_nlink)
        seconds = info.st_mtim.tv_sec
        nanoseconds = info.st_mtim.tv_nsec
    }

    /// The same file with the same content; owner, mode and the number of names aside.
    static func == (left: FileStatus, right: FileStatus) -> Bool {
        left.isSameFile(right) && left.bytes == right.bytes && left.seconds == right.seconds
            && left.nanoseconds == right.nanoseconds
    }

    func isSameFile(_ other: FileStatus) -> Bool {
        device == other.device && inode == other.inode && isRegular && other.isRegular
    }
}

/// An open folder of a node's directory.
final class NodeFolder: Sendable {
    let path: String
    let descriptor: Int32

    /// - Parameter path: In the form of ``resolvedPath(_:)``.
    /// - Returns: `nil` if there is none.
    /// - Throws: `.unsupported` for a link or a file.
    init?(_ path: String) throws(StorageError) {
        self.path = path
        let folder = cs_open_own_directory(AT_FDCWD, path)
        guard folder >= 0 else {
            switch errno {
            case ENOENT: return nil
            case ELOOP, ENOTDIR:
                throw StorageError(
                    .unsupported,
                    "\(path) is a link or a file where a folder is expected: what it leads to is not touched. Name the "
                        + "directory that holds vault.db.")
            default: throw StorageError.system("open", path, errno: errno)
            }
        }
        descriptor = folder
    }

    deinit { Glibc.close(descriptor) }

    /// What stands under a name, not following a link; `nil` if there is nothing.
    func status(of name: String) throws(StorageError) -> FileStatus? {
        var info = stat()
        guard fstatat(descriptor, name, &info, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return nil }
            throw StorageError.system("stat", "\(path)/\(name)", errno: errno)
        }
        return FileStatus(info)
    }

    func has(_ name: String) throws(StorageError) -> Bool { try status(of: name) != nil }

    /// Makes changes of names durable.
    func sync() throws(StorageError) { try syncFolder(descriptor, path) }

    /// Removes a name.
    func remove(_ name: String, isFolder: Bool = false) throws(StorageError) {
        guard unlinkat(descriptor, name, isFolder ? AT_REMOVEDIR : 0) == 0 || errno == ENOENT else {
            throw StorageError.system("remove", "\(path)/\(name)", errno: errno)
        }
    }

    /// The content of a small file.
    ///
    /// - Returns: `nil` if there is none.
    /// - Throws: `.unsupported` for a link, what is no file, or more bytes than `most`.
    func bytes(of name: String, most: Int) throws(StorageError) -> [UInt8]? {
        guard let found = try status(of: name) else { return nil }
        guard found.isRegular, found.bytes <= most else {
            throw StorageError(
                .unsupported, "\(path)/\(name) is a link, no file at all, or longer than \(most) bytes. Move it away.")
        }
        let file = cs_open_own_file(descriptor, name, O_RDONLY, 0)
        guard file >= 0 else { throw StorageError.system("open", "\(path)/\(name)", errno: errno) }
        defer { Glibc.close(file) }
        var bytes = [UInt8](repeating: 0, count: most)
        var filled = 0
        while filled < most {
            let count = bytes.withUnsafeMutableBytes { room in
                pread(file, room.baseAddress.map { $0 + filled }, most - filled, off_t(filled))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw StorageError.system("read", "\(path)/\(name)", errno: errno) }
            if count == 0 { break }
            filled += count
        }
        return Array(bytes[..<filled])
    }
}
