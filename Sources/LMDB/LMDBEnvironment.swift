import CLMDB
import CSystem
import Glibc
import Synchronization
import Workers

/// An LMDB environment: one file with an unnamed table of byte keys and byte values, or with several tables by name.
///
/// The file belongs to one environment alone (it is locked; a lock file beside it is there only for readers beside a writer). Of a file that is not new,
/// ``LMDBContents`` reads and checks an unnamed table before the library sees it. Keys have 1 to 511 bytes and are ordered
/// bytewise.
// Unchecked: the handle never changes until `close`, and whoever uses it holds the mutex.
package final class LMDBEnvironment: @unchecked Sendable {
    private let handle: OpaquePointer
    private let table: LMDBTable
    /// The tables that were asked for by name, in that order.
    package let tables: [LMDBTable]
    private let isOpen: Mutex<Bool>
    /// Those who read beside a writer; `nil` where reading waits for writing.
    private let readers: Monitor<Readers>?
    /// The library's map of the file.
    private let map: Range<UInt>?
    /// The guard of that map.
    private let mapGuard: Int32
    /// The file, open for reading; valid until ``close()``.
    package let descriptor: Int32

    private struct Readers {
        var isOpen = true
        var count = 0
    }

    /// Opens or creates the environment in the file `path`.
    ///
    /// The library trusts what it finds in a file: check one that is not new with ``LMDBContents`` before.
    ///
    /// - Parameters:
    ///   - maximumBytes: Address space reserved for the file, the limit of its growth.
    ///   - isDurable: Whether a commit waits for the disk. Scratch data needs no waiting.
    ///   - mayLoseLast: Whether the last commit may be undone by a crash of the machine, which spares half of the waiting; the
    ///     file stays whole.
    ///   - readsBesideWrites: Whether ``read(_:)`` runs beside a transaction and sees what was committed when it began. The
    ///     library then keeps a lock file, `path` with `-lock`, and pages that a long reading still needs are not used anew.
    ///   - names: Tables to open or make beside the unnamed one, which then holds their names and nothing of the caller's.
    package init(
        path: String, maximumBytes: Int, isDurable: Bool, mayLoseLast: Bool = false, readsBesideWrites: Bool = false,
        tables names: [String] = []
    ) throws(LMDBError) {
        var created: OpaquePointer?
        try check(mdb_env_create(&created), "mdb_env_create", path)
        guard let environment = created else { throw LMDBError(call: "mdb_env_create", code: ENOMEM, path: path) }
        do throws(LMDBError) {
            try check(mdb_env_set_mapsize(environment, maximumBytes), "mdb_env_set_mapsize", path)
            if !names.isEmpty {
                try check(mdb_env_set_maxdbs(environment, UInt32(names.count)), "mdb_env_set_maxdbs", path)
            }
            var flags = UInt32(MDB_NOSUBDIR) | UInt32(readsBesideWrites ? MDB_NOTLS : MDB_NOLOCK)
            if !isDurable { flags |= UInt32(MDB_NOSYNC) }
            if mayLoseLast { flags |= UInt32(MDB_NOMETASYNC) }
            try check(mdb_env_open(environment, path, flags, 0o600), "mdb_env_open", path)
            var descriptor: mdb_filehandle_t = -1
            try check(mdb_env_get_fd(environment, &descriptor), "mdb_env_get_fd", path)
            // The library leaves the file open to programs that this process starts.
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw LMDBError(call: "flock", code: errno, path: path)
            }
            (table, tables) = try Self.open(names, environment, path)
            self.descriptor = descriptor
        } catch {
            mdb_env_close(environment)
            throw error
        }
        self.handle = environment
        self.map = Self.findMap(of: descriptor)
        self.mapGuard = Self.guardMap(of: descriptor)
        self.path = path
        self.isOpen = Mutex(true)
        self.readers = readsBesideWrites ? Monitor(Readers()) : nil
    }

    private static func open(
        _ names: [String], _ environment: OpaquePointer, _ path: String
    ) throws(LMDBError) -> (LMDBTable, [LMDBTable]) {
        var transaction: OpaquePointer?
        try check(mdb_txn_begin(environment, nil, 0, &transaction), "mdb_txn_begin", path)
        var opened: [LMDBTable] = []
        for name in [nil] + names.map(Optional.some) {
            var table = MDB_dbi()
            let result = mdb_dbi_open(transaction, name, name == nil ? 0 : UInt32(MDB_CREATE), &table)
            guard result == 0 else {
                mdb_txn_abort(transaction)
                throw LMDBError(call: "mdb_dbi_open", code: result, path: path)
            }
            opened.append(LMDBTable(number: table))
        }
        try check(mdb_txn_commit(transaction), "mdb_txn_commit", path)
        return (opened[0], Array(opened.dropFirst()))
    }

    /// The file, as it was named when it was opened.
    package let path: String

    deinit { close() }

    /// Closes the file, waiting for a transaction under way. Repeated calls do nothing.
    package func close() {
        readers?.change { $0.isOpen = false }
        readers?.wait { $0.count == 0 ? ((), wakes: nil) : nil }
        isOpen.withLock { isOpen in
            guard isOpen else { return }
            isOpen = false
            // Closing alone would not give the lock back while a process that is being started has the file, too.
            flock(descriptor, LOCK_UN)
            mdb_env_close(handle)
            cs_guard_file_release(mapGuard)
        }
    }

    /// Runs one transaction: all that `body` writes is kept, or nothing if it or the commit fails.
    ///
    /// One transaction runs at a time, others wait.
    package func write(_ body: (LMDBTransaction) throws(LMDBError) -> Void) throws(LMDBError) {
        try isOpen.withLock { isOpen throws(LMDBError) in
            guard isOpen else { throw closed }
            var begun: OpaquePointer?
            try check(mdb_txn_begin(handle, nil, 0, &begun), "mdb_txn_begin", path)
            guard let begun else { throw LMDBError(call: "mdb_txn_begin", code: ENOMEM, path: path) }
            do throws(LMDBError) {
                try body(LMDBTransaction(handle: begun, table: table, path: path))
                try checkMap()
            } catch {
                mdb_txn_abort(begun)
                try checkMap()
                throw error
            }
            let result = mdb_txn_commit(begun)
            try checkMap()
            try check(result == EIO ? reasonOfShortWrite() : result, "mdb_txn_commit", path)
        }
    }

    /// Runs one look at what is committed.
    ///
    /// Unless the environment reads beside writes, one transaction runs at a time and others wait: without a lock file the
    /// library cannot tell which pages a reader still needs.
    package func read<Result>(
        _ body: (LMDBSnapshot) throws(LMDBError) -> Result
    ) throws(LMDBError) -> Result {
        guard let readers else {
            return try isOpen.withLock { isOpen throws(LMDBError) in
                guard isOpen else { throw closed }
                let handle = try beginReading()
                defer { mdb_txn_abort(handle) }
                let result: Result
                do throws(LMDBError) {
                    result = try body(LMDBSnapshot(handle: handle, table: table, path: path))
                } catch {
                    try checkMap()
                    throw error
                }
                try checkMap()
                return result
            }
        }
        let enters = readers.read { readers in
            if readers.isOpen { readers.count += 1 }
            return readers.isOpen
        }
        guard enters else { throw closed }
        defer { readers.change { $0.count -= 1 } }
        let handle = try beginReading()
        defer { mdb_txn_abort(handle) }
        let result: Result
        do throws(LMDBError) {
            result = try body(LMDBSnapshot(handle: handle, table: table, path: path))
        } catch {
            try checkMap()
            throw error
        }
        try checkMap()
        return result
    }

    private var closed: LMDBError { LMDBError(call: "mdb_txn_begin", code: EBADF, path: path) }

    private func beginReading() throws(LMDBError) -> OpaquePointer {
        var begun: OpaquePointer?
        try check(mdb_txn_begin(handle, nil, UInt32(MDB_RDONLY), &begun), "mdb_txn_begin", path)
        guard let begun else { throw LMDBError(call: "mdb_txn_begin", code: ENOMEM, path: path) }
        return begun
    }

    /// Waits until everything committed is on the disk, for an environment that is not durable by itself.
    package func sync() throws(LMDBError) {
        try isOpen.withLock { isOpen throws(LMDBError) in
            guard isOpen else { throw closed }
            try check(mdb_env_sync(handle, 1), "mdb_env_sync", path)
        }
    }

    /// Gives back the memory of pages of the file that were read.
    package func letPagesGo() {
        guard let map else { return }
        madvise(UnsafeMutableRawPointer(bitPattern: map.lowerBound), map.count, MADV_DONTNEED)
    }

    /// Where in the address space the file is mapped, which the library tells nobody; `nil` if the kernel does not say it.
    private static func findMap(of descriptor: Int32) -> Range<UInt>? {
        guard let name = name(of: descriptor), let maps = fopen("/proc/self/maps", "re") else { return nil }
        defer { fclose(maps) }
        var line = [CChar](repeating: 0, count: 8192)
        while fgets(&line, Int32(line.count), maps) != nil {
            let text = line.prefix { $0 != 0 && $0 != 0x0a }.map { UInt8(bitPattern: $0) }
            guard text.count > name.count, text.suffix(name.count).elementsEqual(name) else { continue }
            let bounds = String(decoding: text.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self).split(separator: "-")
            guard bounds.count == 2, let lower = UInt(bounds[0], radix: 16), let upper = UInt(bounds[1], radix: 16),
                lower < upper
            else { continue }
            return lower..<upper
        }
        return nil
    }

    private static func name(of descriptor: Int32) -> [UInt8]? {
        var name = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/fd/\(descriptor)", &name, name.count - 1)
        return count > 0 ? name.prefix(count).map { UInt8(bitPattern: $0) } : nil
    }

    /// Guards the library's map by the name the kernel has for the file.
    private static func guardMap(of descriptor: Int32) -> Int32 {
        guard let name = name(of: descriptor) else { return -1 }
        return (name.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { name in
            name.baseAddress.map { cs_guard_file($0) } ?? -1
        }
    }

    /// Why the library could write less than it wanted, which it calls `EIO` whatever the system would say next: tries to let the
    /// file grow, and takes that back.
    private func reasonOfShortWrite() -> Int32 {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { return EIO }
        let room = [UInt8](repeating: 0, count: 64 << 10)
        let count = pwrite(descriptor, room, room.count, info.st_size)
        let number = count < 0 ? errno : ENOSPC
        if count > 0 { ftruncate(descriptor, info.st_size) }
        if count == room.count { return EIO }
        return [ENOSPC, EDQUOT, EFBIG].contains(number) ? number : EIO
    }

    /// - Throws: An error of code `EIO` if the file was cut, or could not be read, while it was mapped.
    private func checkMap() throws(LMDBError) {
        let fault = cs_guard_file_fault(mapGuard)
        guard fault < 0 else { throw LMDBError(unreadableAt: Int(fault), path: path) }
    }
}

func check(_ result: Int32, _ call: String, _ path: String) throws(LMDBError) {
    guard result == 0 else { throw LMDBError(call: call, code: result, path: path) }
}

/// A call of the library failed, or a file is not what the library writes.
package struct LMDBError: Error, Sendable, CustomStringConvertible {
    package let code: Int32
    /// What failed and why, without the file's name.
    package let reason: String
    package let path: String

    package var description: String { "\(path): \(reason)" }

    /// Whether the device, the quota, the largest size of a file or the reserved space is used up.
    package var isFull: Bool { [ENOSPC, EDQUOT, EFBIG, MDB_MAP_FULL].contains(code) }

    /// Whether the file contradicts itself or is no file of the library.
    package var isDamage: Bool { [MDB_CORRUPTED, MDB_INVALID, MDB_VERSION_MISMATCH, MDB_PAGE_NOTFOUND].contains(code) }

    /// Whether `code` is an `errno` of the system.
    package var isSystem: Bool { code > 0 }

    /// Whether another environment has the file open.
    package var isInUse: Bool { code == EWOULDBLOCK }

    init(call: String, code: Int32, path: String) {
        self.code = code
        self.path = path
        self.reason = "\(call): \(mdb_strerror(code).map { String(cString: $0) } ?? "error \(code)")"
    }

    /// The error by which a body gives up its own transaction.
    package init(aborting path: String) {
        self.code = ECANCELED
        self.path = path
        self.reason = "the transaction was given up"
    }

    /// The error of a map that has a hole.
    init(unreadableAt offset: Int, path: String) {
        self.code = EIO
        self.path = path
        self.reason = "cannot be read at byte \(offset): the file was cut while it was in use, or the disk failed"
    }

    /// The error of a file whose structure contradicts itself.
    init(damage: String, path: String) {
        self.code = MDB_CORRUPTED
        self.path = path
        self.reason = damage
    }
}
