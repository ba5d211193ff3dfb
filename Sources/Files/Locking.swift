import Glibc
package import Storage

/// Takes the lock of an open file or folder for this process (`flock`); it is given back with the last descriptor.
///
/// - Returns: `false` if another process has it.
/// - Throws: What else the system says; some network file systems lock nothing.
package func takesLock(_ descriptor: Int32, _ path: String) throws(StorageError) -> Bool {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        if errno == EINTR { continue }
        guard errno == EWOULDBLOCK else { throw StorageError.system("lock", path, errno: errno) }
        return false
    }
    return true
}

/// Whether an open file is the one that stands under a name now: whoever has locked it may have locked one that was
/// removed meanwhile. A link is not followed.
///
/// - Parameter directory: The open folder in which `name` is looked up; `AT_FDCWD` for a path.
package func stands(
    _ descriptor: Int32, in directory: Int32 = AT_FDCWD, under name: String, shown path: String
) throws(StorageError) -> Bool {
    var (locked, there) = (stat(), stat())
    guard fstat(descriptor, &locked) == 0 else { throw StorageError.system("stat", path, errno: errno) }
    return fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && locked.st_dev == there.st_dev
        && locked.st_ino == there.st_ino
}
