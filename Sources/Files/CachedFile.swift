import CSystem
import Glibc

/// Has the system forget what it holds in memory of a file that was synced, so that who reads it next reads the disk.
///
/// Nobody may have it mapped: such pages stay.
///
/// - Returns: Whether nothing of it is held any more. File systems that live in memory forget nothing, and others perhaps
///   not all.
package func dropCache(of descriptor: Int32) -> Bool {
    cs_drop_cached(descriptor) == 0 && cs_cached_pages(descriptor) == 0
}

/// ``dropCache(of:)`` of a file by its path, which must name a regular one.
package func dropCache(ofFileAt path: String) -> Bool {
    let descriptor = cs_open_read(AT_FDCWD, path)
    guard descriptor >= 0 else { return false }
    defer { Glibc.close(descriptor) }
    return dropCache(of: descriptor)
}
