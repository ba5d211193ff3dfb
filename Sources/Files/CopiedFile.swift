import CSystem
import Glibc
package import Storage

/// Bytes that are copied, or compared, between two looks at whether to go on.
private let pieceBytes = 8 << 20

/// Makes a copy of a file, mode 0600, where nothing is: with the blocks of the first where the file system lets files share them,
/// else within the kernel. The copy is not waited for by the disk; writing it back is begun.
///
/// - Parameters:
///   - from: A regular file, which nobody writes to meanwhile.
///   - isCancelled: Asked now and then.
/// - Returns: Whether the two share their blocks.
/// - Throws: What the system says; `.cancelled`. What was made of the copy by then is gone.
package func copyFile(
    _ from: String, to path: String, isCancelled: () -> Bool
) throws(StorageError) -> Bool {
    let source = cs_open_own_file(AT_FDCWD, from, O_RDONLY, 0)
    guard source >= 0 else { throw StorageError.system("open", from, errno: errno) }
    defer { Glibc.close(source) }
    let target = cs_open_own_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    guard target >= 0 else { throw StorageError.system("create", path, errno: errno) }
    defer { Glibc.close(target) }
    if cs_clone_file(target, source) == 0 { return true }
    do throws(StorageError) {
        try copyBytes(source, from, to: target, path, isCancelled)
    } catch {
        unlink(path)
        throw error
    }
    return false
}

private func copyBytes(
    _ source: Int32, _ from: String, to target: Int32, _ path: String, _ isCancelled: () -> Bool
) throws(StorageError) {
    var info = stat()
    guard fstat(source, &info) == 0 else { throw StorageError.system("stat", from, errno: errno) }
    let size = Int(info.st_size)
    var offset = 0
    var isOfKernel = true
    var buffer: [UInt8] = []
    while offset < size {
        if isCancelled() { throw StorageError.cancelled }
        let wanted = min(pieceBytes, size - offset)
        var count = -1
        if isOfKernel {
            count = cs_copy_file_range(source, target, Int64(offset), wanted)
            if count < 0, errno == EINTR { continue }
            if count < 0 {
                // Between file systems, or on one that cannot do it, the bytes come this way.
                guard [EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM].contains(errno) else {
                    throw StorageError.system("write", path, errno: errno)
                }
                isOfKernel = false
                buffer = [UInt8](repeating: 0, count: pieceBytes)
            }
        }
        if !isOfKernel {
            count = try readPiece(source, from, at: offset, wanted, into: &buffer)
            let piece = count == buffer.count ? buffer : Array(buffer[..<count])
            try writeAll(piece, to: target, path, at: offset)
        }
        guard count > 0 else {
            throw StorageError(.io, "\(from) became shorter while it was copied: another process writes to it.")
        }
        // So that the disk works meanwhile.
        _ = cs_sync_file_range(target, Int64(offset), Int64(count))
        offset += count
    }
}

private func readPiece(
    _ file: Int32, _ path: String, at offset: Int, _ wanted: Int, into buffer: inout [UInt8]
) throws(StorageError) -> Int {
    while true {
        let count = buffer.withUnsafeMutableBytes { pread(file, $0.baseAddress, min(wanted, $0.count), off_t(offset)) }
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw StorageError.system("read", path, errno: errno) }
        return count
    }
}

/// Whether two files hold the same bytes.
///
/// - Parameter isCancelled: Asked now and then.
/// - Throws: What the system says; `.cancelled`.
package func holdSameBytes(
    _ one: String, _ other: String, isCancelled: () -> Bool
) throws(StorageError) -> Bool {
    let left = cs_open_own_file(AT_FDCWD, one, O_RDONLY, 0)
    guard left >= 0 else { throw StorageError.system("open", one, errno: errno) }
    defer { Glibc.close(left) }
    let right = cs_open_own_file(AT_FDCWD, other, O_RDONLY, 0)
    guard right >= 0 else { throw StorageError.system("open", other, errno: errno) }
    defer { Glibc.close(right) }
    for file in [left, right] { posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL) }
    var (first, second) = ([UInt8](repeating: 0, count: 1 << 20), [UInt8](repeating: 0, count: 1 << 20))
    var offset = 0
    while true {
        if isCancelled() { throw StorageError.cancelled }
        let count = try fill(&first, left, one, at: offset)
        guard try fill(&second, right, other, at: offset) == count else { return false }
        guard count > 0 else { return true }
        let isSame = first.withUnsafeBytes { first in
            second.withUnsafeBytes { second in
                guard let first = first.baseAddress, let second = second.baseAddress else { return false }
                return memcmp(first, second, count) == 0
            }
        }
        guard isSame else { return false }
        offset += count
    }
}

/// Reads until the buffer is full or the file ends.
private func fill(
    _ buffer: inout [UInt8], _ file: Int32, _ path: String, at offset: Int
) throws(StorageError) -> Int {
    var filled = 0
    while filled < buffer.count {
        let count = buffer.withUnsafeMutableBytes {
            pread(file, $0.baseAddress.map { $0 + filled }, $0.count - filled, off_t(offset + filled))
        }
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw StorageError.system("read", path, errno: errno) }
        if count == 0 { break }
        filled += count
    }
    return filled
}
