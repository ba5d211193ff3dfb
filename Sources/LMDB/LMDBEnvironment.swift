import CLMDB
import Glibc

/// An LMDB environment: one file with one unnamed table of byte keys and byte values, used as scratch or journal.
///
/// One write transaction at a time; readers any number (LMDB 0.9). Keys have 1 to 511 bytes and are ordered bytewise.
// Unchecked: the library guards the environment; this class only holds its handle, which never changes until `close`.
package final class LMDBEnvironment: @unchecked Sendable {
    private let handle: OpaquePointer
    private let table: MDB_dbi
    private var isOpen = true

    /// Opens or creates the environment in the file `path` (beside it `path`-lock).
    ///
    /// - Parameters:
    ///   - maximumBytes: Address space reserved for the file, the limit of its growth.
    ///   - isDurable: Whether a commit waits for the disk. Scratch data needs no waiting.
    package init(path: String, maximumBytes: Int, isDurable: Bool) throws(LMDBError) {
        var created: OpaquePointer?
        try check(mdb_env_create(&created), "mdb_env_create", path)
        guard let environment = created else { throw LMDBError(call: "mdb_env_create", code: ENOMEM, path: path) }
        do throws(LMDBError) {
            try check(mdb_env_set_mapsize(environment, maximumBytes), "mdb_env_set_mapsize", path)
            var flags = UInt32(MDB_NOSUBDIR)
            if !isDurable { flags |= UInt32(MDB_NOSYNC) }
            try check(mdb_env_open(environment, path, flags, 0o600), "mdb_env_open", path)
            var transaction: OpaquePointer?
            try check(mdb_txn_begin(environment, nil, 0, &transaction), "mdb_txn_begin", path)
            var table = MDB_dbi()
            let opened = mdb_dbi_open(transaction, nil, 0, &table)
            guard opened == 0 else {
                mdb_txn_abort(transaction)
                throw LMDBError(call: "mdb_dbi_open", code: opened, path: path)
            }
            try check(mdb_txn_commit(transaction), "mdb_txn_commit", path)
            self.table = table
        } catch {
            mdb_env_close(environment)
            throw error
        }
        self.handle = environment
        self.path = path
    }

    /// The file.
    package let path: String

    deinit { close() }

    /// Closes the file. No transaction may be open.
    package func close() {
        guard isOpen else { return }
        isOpen = false
        mdb_env_close(handle)
    }

    /// Appends pairs whose keys are greater than all keys in the table, in one transaction.
    package func append(_ pairs: [(key: [UInt8], value: [UInt8])]) throws(LMDBError) {
        var transaction: OpaquePointer?
        try check(mdb_txn_begin(handle, nil, 0, &transaction), "mdb_txn_begin", path)
        for (key, value) in pairs {
            let failure = put(transaction, key, value, UInt32(MDB_APPEND))
            guard failure == 0 else {
                mdb_txn_abort(transaction)
                throw LMDBError(call: "mdb_put", code: failure, path: path)
            }
        }
        try check(mdb_txn_commit(transaction), "mdb_txn_commit", path)
    }

    private func put(_ transaction: OpaquePointer?, _ key: [UInt8], _ value: [UInt8], _ flags: UInt32) -> Int32 {
        var keyBytes = key
        var valueBytes = value
        return keyBytes.withUnsafeMutableBytes { key in
            valueBytes.withUnsafeMutableBytes { value in
                var keyView = MDB_val(mv_size: key.count, mv_data: key.baseAddress)
                var valueView = MDB_val(mv_size: value.count, mv_data: value.baseAddress)
                return mdb_put(transaction, table, &keyView, &valueView, flags)
            }
        }
    }

    /// The value under a key, copied; `nil` if there is none.
    package func value(of key: [UInt8]) throws(LMDBError) -> [UInt8]? {
        var transaction: OpaquePointer?
        try check(mdb_txn_begin(handle, nil, UInt32(MDB_RDONLY), &transaction), "mdb_txn_begin", path)
        defer { mdb_txn_abort(transaction) }
        var keyBytes = key
        var found = MDB_val()
        let result = keyBytes.withUnsafeMutableBytes { key in
            var keyView = MDB_val(mv_size: key.count, mv_data: key.baseAddress)
            return mdb_get(transaction, table, &keyView, &found)
        }
        if result == MDB_NOTFOUND { return nil }
        try check(result, "mdb_get", path)
        return Array(UnsafeRawBufferPointer(start: found.mv_data, count: found.mv_size))
    }
}

private func check(_ result: Int32, _ call: String, _ path: String) throws(LMDBError) {
    guard result == 0 else { throw LMDBError(call: call, code: result, path: path) }
}

/// A call of the library failed.
package struct LMDBError: Error, Sendable, CustomStringConvertible {
    package let code: Int32
    package let description: String

    /// Whether the device or the reserved space is full.
    package var isFull: Bool { code == ENOSPC || code == MDB_MAP_FULL }

    init(call: String, code: Int32, path: String) {
        self.code = code
        let reason = mdb_strerror(code).map { String(cString: $0) } ?? "error \(code)"
        self.description = "\(path): \(call): \(reason)"
    }
}
