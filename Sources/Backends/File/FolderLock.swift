import CSystem
import Glibc
import Storage

/// A lock on a folder that keeps other runs of this program from writing single entries there; given back with the last
/// reference. Servers know nothing of it: the migration marker is for them.
final class FolderLock {
    /// Nobody holds it longer than a few writes take.
    private static let maximumTries = 400
    private static let microsecondsBetween: UInt32 = 25_000

    private let descriptor: Int32

    /// - Throws: `.inUse` if it is held all the time.
    init(_ path: String) throws(StorageError) {
        descriptor = cs_open_directory(AT_FDCWD, path)
        guard descriptor >= 0 else { throw StorageError.system("open", path, errno: errno) }
        for _ in 0..<Self.maximumTries {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            // Some network file systems lock no folders.
            guard errno == EWOULDBLOCK || errno == EINTR else { return }
            usleep(Self.microsecondsBetween)
        }
        Glibc.close(descriptor)
        throw StorageError(
            .inUse, "\(path) is locked by another program all the time. See which one (lslocks), and run again.")
    }

    deinit { Glibc.close(descriptor) }
}
