import Files
import Glibc
package import Storage

/// The database's file and its folder, as far as SQLite does not see to them itself.
///
/// An existing database is never opened and closed here: closing any descriptor of a file gives up all locks the
/// process holds on it, SQLite's included.
package enum SQLiteFile {
    /// Makes an empty file that only its owner may read; SQLite gives its journal the same mode and owner.
    package static func create(_ path: String) throws(StorageError) {
        let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST { return }
            throw StorageError.system("create", path, errno: errno)
        }
        Glibc.close(descriptor)
    }

    /// Highest descriptor that is looked at.
    private static let mostDescriptors: Int32 = 4096

    /// Has the system forget what it holds in memory of a database that this process has open, by one of the library's own
    /// descriptors.
    ///
    /// - Returns: Whether nothing is held any more; `false` also if a write-ahead log holds a part of the database.
    static func dropCache(_ path: String) -> Bool {
        var file = stat()
        var log = stat()
        guard stat(path, &file) == 0, stat("\(path)-wal", &log) != 0 || log.st_size == 0 else { return false }
        let descriptor = (0..<mostDescriptors).first { descriptor in
            var info = stat()
            return fstat(descriptor, &info) == 0 && info.st_ino == file.st_ino && info.st_dev == file.st_dev
        }
        return descriptor.map { Files.dropCache(of: $0) } ?? false
    }
}

/// What tells that a database was written to: it and its write-ahead log, which may be absent.
struct DatabaseStamp: Equatable {
    private let file: FileStamp?
    private let log: FileStamp?

    init(_ path: String) {
        file = FileStamp(path)
        log = FileStamp("\(path)-wal")
    }
}

/// What tells that a file was written to: its size and the time of the last write.
struct FileStamp: Equatable {
    private let numbers: [Int]

    /// `nil` if there is no such file.
    init?(_ path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        numbers = [Int(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec, Int(info.st_ino)]
    }
}
