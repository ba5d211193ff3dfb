import CSQLite
package import Storage

/// A prepared statement; bound, stepped and reset any number of times.
package final class SQLiteStatement {
    /// What a column holds, borrowed until the next step.
    package enum Cell {
        case bytes(UnsafeRawBufferPointer)
        case text(UnsafeRawBufferPointer)
        case null
        /// An integer or a floating-point number.
        case number
    }

    private let handle: OpaquePointer
    private let connection: SQLiteConnection

    init(_ handle: OpaquePointer, of connection: SQLiteConnection) {
        self.handle = handle
        self.connection = connection
    }

    deinit {
        sqlite3_finalize(handle)
    }

    /// Binds bytes without copying them: they must stay where they are until the statement is reset or bound again.
    package func bind(_ index: Int32, borrowing bytes: UnsafeRawBufferPointer) throws(StorageError) {
        // A null pointer would bind NULL.
        let result =
            bytes.isEmpty
            ? sqlite3_bind_zeroblob(handle, index, 0)
            : sqlite3_bind_blob64(handle, index, bytes.baseAddress, UInt64(bytes.count), nil)
        guard result == SQLITE_OK else { throw connection.failure(result, "use") }
    }

    /// Binds a copy of bytes.
    package func bind(_ index: Int32, copying bytes: [UInt8]) throws(StorageError) {
        try bytes.withBytes { bytes throws(StorageError) in
            guard !bytes.isEmpty else { return try bind(index, borrowing: bytes) }
            let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            let result = sqlite3_bind_blob64(handle, index, bytes.baseAddress, UInt64(bytes.count), transient)
            guard result == SQLITE_OK else { throw connection.failure(result, "use") }
        }
    }

    /// Binds a copy of a text.
    package func bind(_ index: Int32, text: String) throws(StorageError) {
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        let result = sqlite3_bind_text(handle, index, text, -1, transient)
        guard result == SQLITE_OK else { throw connection.failure(result, "use") }
    }

    /// Binds a number.
    package func bind(_ index: Int32, number: Int) throws(StorageError) {
        let result = sqlite3_bind_int64(handle, index, Int64(number))
        guard result == SQLITE_OK else { throw connection.failure(result, "use") }
    }

    /// Goes to the next row; `false` at the end.
    package func step() throws(StorageError) -> Bool {
        let result = sqlite3_step(handle)
        if result == SQLITE_ROW { return true }
        guard result == SQLITE_DONE else { throw connection.failure(result, "use") }
        return false
    }

    /// Runs a statement that returns no row, and makes it ready for the next bindings.
    ///
    /// - Returns: `false` if a row with the same unique key is there already.
    package func runOnce() throws(StorageError) -> Bool {
        let result = sqlite3_step(handle)
        guard !ExtendedCode.duplicateKey.contains(result) else {
            sqlite3_reset(handle)
            return false
        }
        guard result == SQLITE_DONE else {
            let error = connection.failure(result, "write to")
            sqlite3_reset(handle)
            throw error
        }
        sqlite3_reset(handle)
        return true
    }

    /// Makes the statement ready to run again with the same bindings.
    package func reset() {
        sqlite3_reset(handle)
    }

    /// A column of the current row.
    package func cell(_ column: Int32) throws(StorageError) -> Cell {
        let type = sqlite3_column_type(handle, column)
        switch type {
        case SQLITE_BLOB, SQLITE_TEXT:
            let start = sqlite3_column_blob(handle, column)
            let count = Int(sqlite3_column_bytes(handle, column))
            // An empty value has no address; any other without one is a value there was no memory for.
            guard start != nil || count == 0 else { throw StorageError(.io, "read \(connection.path): out of memory") }
            let bytes = UnsafeRawBufferPointer(start: start, count: count)
            return type == SQLITE_BLOB ? .bytes(bytes) : .text(bytes)
        case SQLITE_NULL: return .null
        default: return .number
        }
    }

    /// A column of the current row as a number.
    package func number(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }

    /// A column of the current row as text.
    package func text(_ column: Int32) -> String {
        sqlite3_column_text(handle, column).map { String(cString: $0) } ?? ""
    }
}
