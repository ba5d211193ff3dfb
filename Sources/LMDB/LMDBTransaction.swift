import CLMDB

/// A table of an environment.
package struct LMDBTable: Sendable {
    let number: MDB_dbi
}

/// A write transaction, valid during the call it is given to.
package struct LMDBTransaction {
    private let handle: OpaquePointer
    private let table: LMDBTable
    private let path: String

    init(handle: OpaquePointer, table: LMDBTable, path: String) {
        self.handle = handle
        self.table = table
        self.path = path
    }

    /// What the tables hold, with what this transaction has changed; valid as long as the transaction.
    package var snapshot: LMDBSnapshot { LMDBSnapshot(handle: handle, table: table, path: path) }

    /// Writes a pair, replacing what stood under the key.
    ///
    /// - Parameter table: The unnamed one if `nil`.
    package func put(_ key: [UInt8], _ value: [UInt8], in table: LMDBTable? = nil) throws(LMDBError) {
        let failure = value.withUnsafeBytes { value in
            var view = MDB_val(mv_size: value.count, mv_data: UnsafeMutableRawPointer(mutating: value.baseAddress))
            return put(key, &view, 0, table)
        }
        try check(failure, "mdb_put", path)
    }

    /// Writes a pair, replacing what stood under the key.
    ///
    /// - Parameter isLast: Whether the key is known to be greater than all others in the table: pages are filled then, instead
    ///   of being split in the middle.
    package func put(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, isLast: Bool, in table: LMDBTable? = nil
    ) throws(LMDBError) {
        var name = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
        var view = MDB_val(mv_size: value.count, mv_data: UnsafeMutableRawPointer(mutating: value.baseAddress))
        let flags = isLast ? UInt32(MDB_APPEND) : 0
        try check(mdb_put(handle, (table ?? self.table).number, &name, &view, flags), "mdb_put", path)
    }

    /// Removes a pair.
    ///
    /// - Returns: Whether there was one.
    @discardableResult
    package func delete(_ key: UnsafeRawBufferPointer, in table: LMDBTable? = nil) throws(LMDBError) -> Bool {
        var view = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
        let result = mdb_del(handle, (table ?? self.table).number, &view, nil)
        if result == MDB_NOTFOUND { return false }
        try check(result, "mdb_del", path)
        return true
    }

    /// Appends a pair whose key is greater than all keys in the table.
    ///
    /// - Parameter fill: Receives exactly `count` bytes of uninitialised room, inside the file's own pages.
    package func append(
        _ key: [UInt8], count: Int, in table: LMDBTable? = nil, fill: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(LMDBError) {
        var view = MDB_val(mv_size: count, mv_data: nil)
        try check(put(key, &view, UInt32(MDB_APPEND | MDB_RESERVE), table), "mdb_put", path)
        fill(UnsafeMutableRawBufferPointer(start: view.mv_data, count: count))
    }

    /// Removes a pair.
    ///
    /// - Returns: Whether there was one.
    @discardableResult
    package func delete(_ key: [UInt8], in table: LMDBTable? = nil) throws(LMDBError) -> Bool {
        let result = key.withUnsafeBytes { key in
            var view = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
            return mdb_del(handle, (table ?? self.table).number, &view, nil)
        }
        if result == MDB_NOTFOUND { return false }
        try check(result, "mdb_del", path)
        return true
    }

    /// Removes every pair from `lower` up to, but not with, `upper`.
    ///
    /// - Parameters:
    ///   - lower: From the first pair on if `nil`.
    ///   - upper: Up to the last pair if `nil`.
    /// - Returns: How many there were.
    @discardableResult
    package func delete(
        from lower: [UInt8]?, to upper: [UInt8]?, in table: LMDBTable? = nil
    ) throws(LMDBError) -> Int {
        let cursor = try LMDBCursor(handle, table ?? self.table, path)
        defer { cursor.close() }
        var count = 0
        var isThere = try cursor.move(to: lower)
        while isThere {
            if let upper, !cursor.key.lexicographicallyPrecedes(upper) { break }
            try cursor.delete()
            count += 1
            // Behind a pair that went the cursor stands on the one that followed it.
            isThere = try cursor.move(.next)
        }
        return count
    }

    private func put(_ key: [UInt8], _ value: inout MDB_val, _ flags: UInt32, _ table: LMDBTable?) -> Int32 {
        key.withUnsafeBytes { key in
            var view = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
            return mdb_put(handle, (table ?? self.table).number, &view, &value, flags)
        }
    }
}
