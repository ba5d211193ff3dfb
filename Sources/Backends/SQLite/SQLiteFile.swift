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
