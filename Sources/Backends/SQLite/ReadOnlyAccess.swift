import CSQLite
import Glibc
import Storage

/// How a database is opened so that not a byte of it or beside it changes.
///
/// A database with a rollback journal needs nothing special. One with a write-ahead log has content in `-wal` that is not
/// in the file, and an index of that in `-shm` which even readers make and write to
/// (https://www.sqlite.org/wal.html, "Read-Only Databases"; https://www.sqlite.org/uri.html).
enum ReadOnlyAccess {
    case plain
    /// All content is in the file, and nobody has it open: the log and its index are not even looked for.
    case settledLog
    /// The index is there: it is read, or made anew in memory, and never written.
    case pendingLog

    /// Bytes 18 and 19 of a database's first page are its file format's versions: 2 with a write-ahead log
    /// (https://www.sqlite.org/fileformat2.html, 1.3).
    private static let versionOffset = 18

    /// - Throws: `.io` for a log whose index is missing: reading it would make the index.
    init(_ path: String) throws(StorageError) {
        var info = stat()
        let hasLogFile = stat("\(path)-wal", &info) == 0
        let isPending = hasLogFile && info.st_size > 0
        let hasIndex = access("\(path)-shm", F_OK) == 0
        guard hasLogFile, hasIndex else {
            guard !isPending else {
                throw StorageError(
                    .io,
                    "\(path)-wal holds changes that are not in \(path) yet, and their index \(path)-shm is missing. To "
                        + "read them without changing anything, copy all three files; or have the changes written into "
                        + "the file where it may be written: sqlite3 \(path) 'PRAGMA wal_checkpoint(TRUNCATE)'.")
            }
            self = Self.keepsLog(path) ? .settledLog : .plain
            return
        }
        self = .pendingLog
    }

    /// Whether the database keeps a write-ahead log, by its first page; the pragma that tells it would make one.
    ///
    /// Read through the library: closing a descriptor of one's own would give up the locks that other connections of this
    /// process hold.
    private static func keepsLog(_ path: String) -> Bool {
        var opened: OpaquePointer?
        let name = ReadOnlyAccess.settledLog.uri(path.hasPrefix("/") ? path : "./" + path)
        defer { sqlite3_close_v2(opened) }
        guard sqlite3_open_v2(name, &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nil) == SQLITE_OK else {
            return false
        }
        var file: UnsafeMutablePointer<sqlite3_file>?
        guard sqlite3_file_control(opened, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK, let file,
            let read = file.pointee.pMethods?.pointee.xRead
        else { return false }
        var version: UInt8 = 0
        return read(file, &version, 1, sqlite3_int64(versionOffset)) == SQLITE_OK && version == 2
    }

    /// The name under which the library opens the file this way.
    func uri(_ path: String) -> String {
        var name = "file:"
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                name.unicodeScalars.append(UnicodeScalar(byte))
            default:
                let digits = String(byte, radix: 16)
                name += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        switch self {
        case .plain: return name + "?mode=ro"
        case .settledLog: return name + "?mode=ro&immutable=1"
        case .pendingLog: return name + "?mode=ro&readonly_shm=1"
        }
    }
}
