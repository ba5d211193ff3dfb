import CSystem
import Glibc
package import Storage

/// The names in an open folder but `.` and `..`, in the system's order.
///
/// - Parameter most: No more names are read than this.
/// - Throws: `.io` if the folder cannot be read to its end: a listing that is cut short must not pass for a whole one.
package func readNames(
    of stream: OpaquePointer, path: String, atMost most: Int = .max
) throws(StorageError) -> [String] {
    var names: [String] = []
    while names.count < most {
        // The end and a failure look the same but for this number.
        errno = 0
        guard let entry = readdir(stream) else {
            let number = errno
            guard number == 0 else { throw StorageError.system("read", path, errno: number) }
            break
        }
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

/// The names in a folder, ascending by their bytes, without `.` and `..`.
///
/// - Parameters:
///   - directory: The open folder in which `name` is looked up, never through a link; `AT_FDCWD` for a path.
///   - shown: What to call the folder in messages.
package func names(in directory: Int32, _ name: String, shown: String) throws(StorageError) -> [String] {
    let descriptor =
        directory == AT_FDCWD ? cs_open_directory(AT_FDCWD, name) : cs_open_own_directory(directory, name)
    guard descriptor >= 0 else { throw StorageError.system("open", shown, errno: errno) }
    guard let folder = fdopendir(descriptor) else {
        let number = errno
        Glibc.close(descriptor)
        throw StorageError.system("open", shown, errno: number)
    }
    defer { closedir(folder) }
    return try readNames(of: folder, path: shown).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// Makes what was made, renamed or removed in an open folder durable.
package func syncFolder(_ descriptor: Int32, _ path: String) throws(StorageError) {
    // Some file systems know no sync of a directory.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw StorageError.system("sync", path, errno: errno) }
}

/// Makes what was written to a file durable.
package func syncFile(at path: String) throws(StorageError) {
    let descriptor = cs_open_own_file(AT_FDCWD, path, O_RDONLY, 0)
    guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
    defer { Glibc.close(descriptor) }
    guard fsync(descriptor) == 0 else { throw StorageError.system("sync", path, errno: errno) }
}

/// Makes what was made, renamed or removed in a folder durable.
package func syncFolder(at path: String) throws(StorageError) {
    let descriptor = cs_open_directory(AT_FDCWD, path)
    guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
    defer { Glibc.close(descriptor) }
    try syncFolder(descriptor, path)
}
