import CSystem
import Glibc
package import Storage

/// Writes all bytes, however many calls that takes.
///
/// - Parameters:
///   - descriptor: Open for writing.
///   - path: What to call the file in messages.
///   - offset: Where in the file; `nil` for where the descriptor stands.
/// - Throws: What the system says, `.io` for a write that takes nothing. What was written by then stays.
package func writeAll(
    _ bytes: [UInt8], to descriptor: Int32, _ path: String, at offset: Int? = nil
) throws(StorageError) {
    if let number = writeAll(bytes, to: descriptor, at: offset) {
        throw StorageError.system("write", path, errno: number)
    }
}

/// Writes all bytes, however many calls that takes.
///
/// - Returns: The system's number of what went wrong; `nil` if all is written.
package func writeAll(_ bytes: [UInt8], to descriptor: Int32, at offset: Int? = nil) -> Int32? {
    bytes.withUnsafeBytes { bytes in
        var written = 0
        while written < bytes.count {
            let start = bytes.baseAddress.map { $0 + written }
            let count =
                if let offset {
                    pwrite(descriptor, start, bytes.count - written, off_t(offset + written))
                } else {
                    Glibc.write(descriptor, start, bytes.count - written)
                }
            if count < 0, errno == EINTR { continue }
            // Nothing written and no error leaves an older one's number.
            guard count > 0 else { return count < 0 ? errno : EIO }
            written += count
        }
        return nil
    }
}

/// Makes a file, mode 0600, where nothing is, and writes it; its bytes are durable on return, its name is not.
///
/// - Throws: What the system says, also for a link in its place. A file that was not written whole is gone.
package func createFile(_ path: String, _ bytes: [UInt8]) throws(StorageError) {
    let descriptor = cs_open_own_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    guard descriptor >= 0 else { throw StorageError.system("create", path, errno: errno) }
    do throws(StorageError) {
        defer { Glibc.close(descriptor) }
        try writeAll(bytes, to: descriptor, path)
        guard fsync(descriptor) == 0 else { throw StorageError.system("sync", path, errno: errno) }
    } catch {
        unlink(path)
        throw error
    }
}

/// Writes a file whole or not at all, mode 0600, in the place of one that is there; it is durable on return.
///
/// - Throws: What the system says. What stood at `path.new` is gone, and what stands at `path` is whole: the old or the
///   new file.
package func replaceFile(_ path: String, _ bytes: [UInt8]) throws(StorageError) {
    let temporary = "\(path).new"
    unlink(temporary)
    try createFile(temporary, bytes)
    guard rename(temporary, path) == 0 else {
        let error = StorageError.system("rename to", path, errno: errno)
        unlink(temporary)
        throw error
    }
    try syncFolder(at: parentFolder(of: path))
}
