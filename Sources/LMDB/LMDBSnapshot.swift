import CLMDB

/// What tables hold at one moment, valid during the call it is given to. Bytes are borrowed from the file's map for the
/// call that hands them over.
package struct LMDBSnapshot {
    private let handle: OpaquePointer
    private let table: LMDBTable
    private let path: String

    init(handle: OpaquePointer, table: LMDBTable, path: String) {
        self.handle = handle
        self.table = table
        self.path = path
    }

    /// How many pairs a table has.
    package func count(in table: LMDBTable? = nil) throws(LMDBError) -> Int {
        var statistics = MDB_stat()
        try check(mdb_stat(handle, (table ?? self.table).number, &statistics), "mdb_stat", path)
        return Int(statistics.ms_entries)
    }

    /// Calls `body` with the value under a key.
    ///
    /// - Returns: What `body` does; `nil` if there is no such key.
    package func withValue<Result>(
        of key: [UInt8], in table: LMDBTable? = nil,
        _ body: (UnsafeRawBufferPointer) throws(LMDBError) -> Result
    ) throws(LMDBError) -> Result? {
        var value = MDB_val()
        let result = key.withUnsafeBytes { key in
            var view = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
            return mdb_get(handle, (table ?? self.table).number, &view, &value)
        }
        if result == MDB_NOTFOUND { return nil }
        try check(result, "mdb_get", path)
        return try body(UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
    }

    /// The value under a key, borrowed as long as nothing is written; `nil` if there is no such key.
    package func view(
        of key: UnsafeRawBufferPointer, in table: LMDBTable? = nil
    ) throws(LMDBError) -> UnsafeRawBufferPointer? {
        var name = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
        var value = MDB_val()
        let result = mdb_get(handle, (table ?? self.table).number, &name, &value)
        if result == MDB_NOTFOUND { return nil }
        try check(result, "mdb_get", path)
        return UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
    }

    /// The value under a key, copied; `nil` if there is no such key.
    package func value(of key: [UInt8], in table: LMDBTable? = nil) throws(LMDBError) -> [UInt8]? {
        try withValue(of: key, in: table) { Array($0) }
    }

    /// Walks through the pairs of a table in ascending order of their keys.
    ///
    /// - Parameters:
    ///   - lower: Begin at this key or the first behind it; at the first of all if `nil`.
    ///   - body: `false` ends the walk.
    package func forEach(
        from lower: [UInt8]? = nil, in table: LMDBTable? = nil,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(LMDBError) -> Bool
    ) throws(LMDBError) {
        let cursor = try LMDBCursor(handle, table ?? self.table, path)
        defer { cursor.close() }
        var isThere = try cursor.move(to: lower)
        while isThere {
            guard try body(cursor.key, cursor.value) else { return }
            isThere = try cursor.move(.next)
        }
    }

    /// Walks through the pairs of a table in descending order of their keys.
    ///
    /// - Parameters:
    ///   - upper: Begin at the last key before this one; at the last of all if `nil`.
    ///   - body: `false` ends the walk.
    package func forEachDescending(
        before upper: [UInt8]? = nil, in table: LMDBTable? = nil,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(LMDBError) -> Bool
    ) throws(LMDBError) {
        let cursor = try LMDBCursor(handle, table ?? self.table, path)
        defer { cursor.close() }
        var isThere: Bool
        if let upper, try cursor.move(to: upper) {
            isThere = try cursor.move(.previous)
        } else {
            isThere = try cursor.move(.last)
        }
        while isThere {
            guard try body(cursor.key, cursor.value) else { return }
            isThere = try cursor.move(.previous)
        }
    }
}

/// A place in a table. The key and value at hand are borrowed from the map until the next move.
final class LMDBCursor {
    enum Move {
        case first, last, next, previous

        fileprivate var operation: MDB_cursor_op {
            switch self {
            case .first: MDB_FIRST
            case .last: MDB_LAST
            case .next: MDB_NEXT
            case .previous: MDB_PREV
            }
        }
    }

    private let handle: OpaquePointer
    private let path: String
    private(set) var key = UnsafeRawBufferPointer(start: nil, count: 0)
    private(set) var value = UnsafeRawBufferPointer(start: nil, count: 0)

    init(_ transaction: OpaquePointer, _ table: LMDBTable, _ path: String) throws(LMDBError) {
        var opened: OpaquePointer?
        try check(mdb_cursor_open(transaction, table.number, &opened), "mdb_cursor_open", path)
        guard let opened else { throw LMDBError(call: "mdb_cursor_open", code: MDB_PANIC, path: path) }
        handle = opened
        self.path = path
    }

    /// Before the transaction ends.
    func close() { mdb_cursor_close(handle) }

    /// - Returns: Whether a pair stands there.
    func move(_ move: Move) throws(LMDBError) -> Bool {
        var key = MDB_val()
        return try take(&key, move.operation)
    }

    /// Goes to a key or the first behind it; to the first of all if `nil`.
    ///
    /// - Returns: Whether a pair stands there.
    func move(to lower: [UInt8]?) throws(LMDBError) -> Bool {
        // The library takes no empty key; before all others is at the first.
        guard let lower, !lower.isEmpty else { return try move(.first) }
        return try lower.withUnsafeBufferPointer { lower throws(LMDBError) in
            var key = MDB_val(mv_size: lower.count, mv_data: UnsafeMutableRawPointer(mutating: lower.baseAddress))
            return try take(&key, MDB_SET_RANGE)
        }
    }

    /// Removes the pair at hand.
    func delete() throws(LMDBError) {
        try check(mdb_cursor_del(handle, 0), "mdb_cursor_del", path)
    }

    private func take(_ key: inout MDB_val, _ operation: MDB_cursor_op) throws(LMDBError) -> Bool {
        var value = MDB_val()
        let result = mdb_cursor_get(handle, &key, &value, operation)
        if result == MDB_NOTFOUND { return false }
        try check(result, "mdb_cursor_get", path)
        self.key = UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size)
        self.value = UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
        return true
    }
}
