import CSystem
import Files
import Glibc
package import Storage

/// The file `node-id`: the node's id as it is, without trimming (a server takes a line feed at its end for a part of it).
package enum NodeIDFile {
    /// An id is a word.
    private static let maximumBytes = 4096

    /// What the file in a directory holds; `nil` if there is none, or nothing in it.
    ///
    /// - Throws: `.notEmpty` for a link, or anything else that is no regular file: it could not be kept as it is.
    package static func bytes(in path: String) throws(StorageError) -> [UInt8]? {
        let file = "\(path)/\(RaftDirectoryPlacement.nodeIDFile)"
        var info = stat()
        if lstat(file, &info) == 0, info.st_mode & S_IFMT != S_IFREG {
            throw StorageError(.notEmpty, "\(file) is a link, or no file at all. Move it away.")
        }
        let descriptor = cs_open_read(AT_FDCWD, file)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw StorageError.system("open", file, errno: errno)
        }
        defer { Glibc.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw StorageError.system("read", file, errno: errno) }
        guard count <= maximumBytes else {
            throw StorageError(
                .notEmpty, "\(file) has more than \(maximumBytes) bytes and is no node's id. Move it away.")
        }
        return count == 0 ? nil : Array(bytes[..<count])
    }

    /// The id that the bytes stand for.
    package static func id(_ bytes: [UInt8], in path: String) throws(StorageError) -> String {
        guard let id = String(validating: bytes, as: UTF8.self) else {
            throw StorageError(
                .notEmpty, "\(path)/\(RaftDirectoryPlacement.nodeIDFile) is no text, so no node's id. Move it away.")
        }
        return id
    }

    /// Whether the bytes say this id, line feeds and spaces around it aside.
    static func says(_ id: String, _ bytes: [UInt8]) -> Bool {
        func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
            let isKept: (UInt8) -> Bool = { $0 > 0x20 }
            guard let first = bytes.firstIndex(where: isKept), let last = bytes.lastIndex(where: isKept) else {
                return []
            }
            return bytes[first...last]
        }
        return trimmed(bytes) == trimmed(Array(id.utf8))
    }

    /// Writes the file into the folder `path`, where there is none, durably.
    static func write(_ bytes: [UInt8], in path: String) throws(StorageError) {
        try createFile("\(path)/\(RaftDirectoryPlacement.nodeIDFile)", bytes)
    }
}
