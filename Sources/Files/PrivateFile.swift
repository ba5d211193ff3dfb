import CSystem
import Glibc
package import Storage

/// The bytes of a small file that nobody but its owner may read: a token, a key.
///
/// - Parameters:
///   - most: No more bytes are read than this.
///   - content: What the file should hold, for messages: `the token`.
/// - Throws: `.configuration` for what is no regular file or can be read by others, else what the system says.
package func readPrivateFile(_ path: String, atMost most: Int, content: String) throws(StorageError) -> [UInt8] {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
    defer { Glibc.close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
        throw StorageError(.configuration, "\(path) is no regular file. Name the file with \(content).")
    }
    guard info.st_mode & 0o077 == 0 else {
        throw StorageError(
            .configuration, "\(path) can be read by others than its owner. Make it private: chmod 600 \(path).")
    }
    var bytes = [UInt8](repeating: 0, count: most)
    var filled = 0
    while filled < most {
        let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress.map { $0 + filled }, most - filled) }
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw StorageError.system("read", path, errno: errno) }
        if count == 0 { break }
        filled += count
    }
    bytes.removeLast(most - filled)
    return bytes
}

/// A small file that holds no secret, by its first bytes.
///
/// - Parameter most: Bytes that it may have; of a larger one there is one byte more.
/// - Throws: What the system says, also for a link.
package func readSmallFile(_ path: String, atMost most: Int) throws(StorageError) -> [UInt8] {
    let file = cs_open_own_file(AT_FDCWD, path, O_RDONLY, 0)
    guard file >= 0 else { throw StorageError.system("open", path, errno: errno) }
    defer { Glibc.close(file) }
    var bytes = [UInt8](repeating: 0, count: most + 1)
    let count = pread(file, &bytes, bytes.count, 0)
    guard count >= 0 else { throw StorageError.system("read", path, errno: errno) }
    return Array(bytes.prefix(count))
}
