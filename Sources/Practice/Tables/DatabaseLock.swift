import Files
import Glibc
import Storage
import Synchronization

/// Keeps a second practice table off the same file: counts of items are kept in memory.
///
/// Closing any descriptor of a file gives up the locks that SQLite holds on it in this process, so this one is closed
/// after SQLite's connections.
final class DatabaseLock: Sendable {
    private let descriptor: Mutex<Int32?>

    /// - Throws: `.inUse` if another process holds the lock.
    init(_ path: String) throws(StorageError) {
        let opened = open(path, O_RDWR | O_CLOEXEC)
        guard opened >= 0 else { throw StorageError.system("open", path, errno: errno) }
        do throws(StorageError) {
            guard try takesLock(opened, path) else {
                throw StorageError(
                    .inUse, "\(path): another practice table serves this file. Stop it, or name another file.")
            }
        } catch {
            close(opened)
            throw error
        }
        descriptor = Mutex(opened)
    }

    /// Gives the file free. Repeated calls do nothing.
    func release() {
        descriptor.withLock { descriptor in
            if let descriptor { close(descriptor) }
            descriptor = nil
        }
    }
}
