import CSystem
import Glibc
package import Storage

/// Runs `body` with the bytes of a file, which is mapped and not loaded: its pages can be reclaimed at any time. What `body`
/// returns counts only if the file was the same all the time.
///
/// - Throws: What the system says; `.io` in place of whatever `body` did if the file was cut or written to, or could not
///   be read.
package func withMappedFile<R>(
    _ path: String, _ body: (UnsafeRawBufferPointer) throws(StorageError) -> R
) throws(StorageError) -> R {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
    defer { Glibc.close(descriptor) }
    var before = stat()
    guard fstat(descriptor, &before) == 0 else { throw StorageError.system("stat", path, errno: errno) }
    guard before.st_mode & S_IFMT == S_IFREG else { throw StorageError(.io, "\(path) is no regular file.") }
    let size = Int(before.st_size)
    // Nothing cannot be mapped.
    guard size > 0 else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    guard let map = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), map != MAP_FAILED else {
        throw StorageError.system("map", path, errno: errno)
    }
    defer { munmap(map, size) }
    let slot = cs_guard_map(map, size)
    defer { cs_guard_release(slot) }
    let result = Result { () throws(StorageError) in try body(UnsafeRawBufferPointer(start: map, count: size)) }
    let fault = cs_guard_fault(slot)
    var after = stat()
    guard fstat(descriptor, &after) == 0 else { throw StorageError.system("stat", path, errno: errno) }
    guard fault < 0, after.st_size == before.st_size else {
        throw StorageError(
            .io,
            "\(path) was cut while it was read, or the disk failed. Look into the system's log (dmesg), and run again.")
    }
    guard isSame(before.st_mtim, after.st_mtim), isSame(before.st_ctim, after.st_ctim) else {
        throw StorageError(.io, "\(path) was written to while it was read. Stop whatever does that, and run again.")
    }
    return try result.get()
}

private func isSame(_ one: timespec, _ other: timespec) -> Bool {
    one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec
}
