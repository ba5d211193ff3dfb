import CSystem
import Glibc
import Storage

/// An open folder; closed with the last reference, so that readers on other threads keep it as long as they need it.
final class DirectoryHandle: Sendable {
    let descriptor: Int32
    /// Where it is, for messages.
    let path: String
    /// What tells the folder from every other, to notice a link that leads back.
    let identity: Identity

    struct Identity: Hashable, Sendable {
        let device: UInt64
        let inode: UInt64
    }

    /// Opens a folder by name within another, or by path.
    init(_ name: UnsafePointer<CChar>, in parent: DirectoryHandle?, path: String) throws(StorageError) {
        let descriptor = cs_open_directory(parent?.descriptor ?? AT_FDCWD, name)
        guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else {
            let number = errno
            Glibc.close(descriptor)
            throw StorageError.system("stat", path, errno: number)
        }
        self.descriptor = descriptor
        self.path = path
        self.identity = Identity(device: UInt64(info.st_dev), inode: UInt64(info.st_ino))
    }

    deinit {
        Glibc.close(descriptor)
    }
}

/// What a name in a folder is.
enum NameKind {
    case file
    case directory
    /// A FIFO, socket or device.
    case special
    case danglingLink
}

extension DirectoryHandle {
    /// Calls `body` for every name but `.` and `..`, in no order; names are borrowed, without terminator but with one
    /// behind them.
    ///
    /// - Parameter buffer: Room to read into, 32 KiB or more.
    func forEachName(
        buffer: UnsafeMutableRawBufferPointer, _ body: (UnsafeRawBufferPointer, UInt8) throws(StorageError) -> Void
    ) throws(StorageError) {
        guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw StorageError.system("rewind", path, errno: errno) }
        while true {
            let filled = cs_getdents64(descriptor, buffer.baseAddress, buffer.count)
            if filled == 0 { return }
            guard filled > 0 else {
                if errno == EINTR { continue }
                throw StorageError.system("read folder", path, errno: errno)
            }
            var offset = 0
            while offset + 19 < filled {
                // struct linux_dirent64: u64 inode, s64 offset, u16 record length, u8 type, name with terminator.
                let length = Int(buffer.loadUnaligned(fromByteOffset: offset + 16, as: UInt16.self))
                guard length > 19, offset + length <= filled else { break }
                let type = buffer[offset + 18]
                let room = UnsafeRawBufferPointer(rebasing: buffer[(offset + 19)..<(offset + length)])
                let count = room.firstIndex(of: 0) ?? room.count
                offset += length
                let name = UnsafeRawBufferPointer(rebasing: room[..<count])
                if count == 1, name[0] == UInt8(ascii: ".") { continue }
                if count == 2, name[0] == UInt8(ascii: "."), name[1] == UInt8(ascii: ".") { continue }
                try body(name, type)
            }
        }
    }

    /// What a name is, from the type the folder gave or, for links and file systems that give none, from the system.
    func kind(of name: UnsafeRawBufferPointer, type: UInt8) throws(StorageError) -> NameKind {
        switch Int(type) {
        case Int(DT_REG): return .file
        case Int(DT_DIR): return .directory
        case Int(DT_LNK), Int(DT_UNKNOWN): break
        default: return .special
        }
        var info = stat()
        let result = withTerminated(name) { fstatat(descriptor, $0, &info, 0) }
        guard result == 0 else {
            if errno == ENOENT { return .danglingLink }
            throw StorageError.system("stat", "\(path)/\(escapedKey(name))", errno: errno)
        }
        switch info.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .directory
        default: return .special
        }
    }
}

/// Calls `body` with a copy of `name` that ends in a zero byte.
func withTerminated<Result>(_ name: UnsafeRawBufferPointer, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    withUnsafeTemporaryAllocation(byteCount: name.count + 1, alignment: 1) { room in
        room.copyMemory(from: name)
        room[name.count] = 0
        return room.withMemoryRebound(to: CChar.self) { text in
            guard let base = text.baseAddress else { return body("") }
            return body(base)
        }
    }
}
