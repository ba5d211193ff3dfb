package import Storage

extension SQLiteBackend {
    /// Rows looked at for each partition wanted, to find keys that cut the store into even parts.
    private static let samplesPerPartition = 32
    /// Rows between two questions whether the scan is to stop.
    private static let rowsBetweenChecks = 64

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        try read { connection throws(StorageError) in
            try connection.transaction("DEFERRED") { () throws(StorageError) in
                let form = try table.keyForm(connection)
                let query = try connection.statement(
                    "SELECT key FROM \(table.quoted) WHERE \(form.expression) >= ?1 ORDER BY \(form.expression)")
                try query.bind(1, copying: prefix.bytes)
                defer { query.reset() }
                return try Self.children(of: prefix, in: query, mayJump: form == .bytes)
            }
        } ?? []
    }

    /// Reads direct children off rows that ascend from `prefix` on.
    ///
    /// - Parameter mayJump: Whether going to another key is cheap, so that what lies in a sub-directory is passed over.
    private static func children(
        of prefix: StorageKey, in query: SQLiteStatement, mayJump: Bool
    ) throws(StorageError) -> [StorageKey] {
        var names: [StorageKey] = []
        var directory: [UInt8]?
        while try query.step() {
            guard let key = try keyBytes(query), key.starts(with: prefix.bytes) else { break }
            if let directory, key.starts(with: directory) { continue }
            let rest = UnsafeRawBufferPointer(rebasing: key[prefix.bytes.count...])
            guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else {
                // A key equal to the prefix is no child of it.
                if !rest.isEmpty { names.append(StorageKey(copying: rest)) }
                continue
            }
            names.append(StorageKey(Array(rest[...slash])))
            let path = Array(key[...(prefix.bytes.count + slash)])
            directory = path
            if mayJump {
                query.reset()
                // The first key behind all keys in the directory: its slash made the next byte.
                try query.bind(1, copying: path.dropLast() + [UInt8(ascii: "/") + 1])
            }
        }
        return names
    }

    private static func keyBytes(_ query: SQLiteStatement) throws(StorageError) -> UnsafeRawBufferPointer? {
        switch try query.cell(0) {
        case .bytes(let bytes), .text(let bytes): bytes
        case .null, .number: nil
        }
    }

    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] {
        try pool.checkOpen()
        guard count > 1 else { return [.whole] }
        let bounds = try read { connection throws(StorageError) in
            try boundaries(connection, min(count, 1024), samplesPerPart: Self.samplesPerPartition)
        }
        return StoragePartition.split(at: bounds ?? [])
    }

    /// Keys, ascending, that cut the store into parts of about the same number of rows, `count` at most.
    func boundaries(
        _ connection: SQLiteConnection, _ count: Int, samplesPerPart: Int
    ) throws(StorageError) -> [StorageKey] {
        let sorted = Set(try sampleKeys(connection, count * samplesPerPart)).sorted()
        guard sorted.count > 1 else { return [] }
        let parts = min(count, sorted.count)
        return (1..<parts).map { sorted[$0 * sorted.count / parts] }
    }

    /// Keys of rows that lie evenly spread in the table, whatever order the rows came in.
    private func sampleKeys(_ connection: SQLiteConnection, _ wanted: Int) throws(StorageError) -> [StorageKey] {
        // A table without row numbers cannot be sampled; it is scanned as one part.
        guard
            let query = try? connection.statement(
                "SELECT key FROM \(table.quoted) WHERE rowid >= ?1 ORDER BY rowid LIMIT 1"),
            let lower = try connection.number("SELECT min(rowid) FROM \(table.quoted)"),
            let upper = try connection.number("SELECT max(rowid) FROM \(table.quoted)"), lower < upper
        else { return [] }
        // Row numbers are any 64-bit numbers, so their distance may not fit one.
        let distance = Double(upper) - Double(lower)
        let step = max(distance / Double(wanted), 1)
        var keys: [StorageKey] = []
        for index in 0..<wanted where Double(index) * step <= distance {
            let row = Double(lower) + Double(index) * step
            try query.bind(1, number: Int(exactly: row.rounded(.down)) ?? upper)
            if try query.step(), let key = try Self.keyBytes(query) { keys.append(StorageKey(copying: key)) }
            query.reset()
        }
        return keys
    }

    package func estimatedBytes() -> Int? {
        let bytes = try? read { connection throws(StorageError) -> Int? in
            let used =
                (try connection.number("PRAGMA page_count") ?? 0)
                - (try connection.number("PRAGMA freelist_count") ?? 0)
            return used * (try connection.number("PRAGMA page_size") ?? 0)
        }
        return bytes ?? nil
    }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try SQLiteScan(store: self, request: request).run(deliver)
    }

    /// Streams the rows of one range over one connection, which is in a transaction.
    func stream(
        _ request: ScanRequest, _ connection: SQLiteConnection,
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        let query = try selection(request, connection)
        let withValues = request.content == .entries
        var batch = request.pool.take()
        var last = request.cursor?.bytes
        var untilCheck = Self.rowsBetweenChecks
        while try query.step() {
            untilCheck -= 1
            if untilCheck == 0 {
                untilCheck = Self.rowsBetweenChecks
                if request.isCancelled() { throw StorageError.cancelled }
            }
            guard let key = try Self.keyBytes(query) else { throw table.wrongType("key", connection) }
            try checkOrder(key, batch, last)
            if let wants = request.wants, !wants(key) { continue }
            if let value = withValues ? try value(query, key, request, connection) : Self.nothing {
                batch.append(key: key, value: value)
            }
            if batch.isFull {
                try pool.checkIndex()
                last = Self.close(batch)
                guard try deliver(batch) else { return }
                batch = request.pool.take()
                if request.isCancelled() { throw StorageError.cancelled }
            }
        }
        try pool.checkIndex()
        guard batch.count > 0 else { return }
        _ = Self.close(batch)
        _ = try deliver(batch)
    }

    private static var nothing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    private func value(
        _ query: SQLiteStatement, _ key: UnsafeRawBufferPointer, _ request: ScanRequest,
        _ connection: SQLiteConnection
    ) throws(StorageError) -> UnsafeRawBufferPointer? {
        switch try query.cell(1) {
        case .bytes(let bytes), .text(let bytes): return bytes
        case .null: return Self.nothing
        case .number:
            let error = table.wrongType("value", connection, key: StorageKey(copying: key))
            guard request.passesOver(error) else { throw error }
            return nil
        }
    }

    /// Two rows of one key, as TEXT and as BLOB or in a table without a unique index, are no map; keys that do not
    /// ascend come from a damaged index.
    private func checkOrder(
        _ key: UnsafeRawBufferPointer, _ batch: EntryBatch, _ last: [UInt8]?
    ) throws(StorageError) {
        let order =
            batch.count > 0
            ? compareBytes(batch.key(batch.count - 1), key) : last?.withUnsafeBytes { compareBytes($0, key) } ?? -1
        guard order < 0 else {
            throw StorageError(
                .damagedStore,
                "\(location), table \(table.shown): the key \(escapedKey(key)) "
                    + (order == 0 ? "is there twice. Delete one of the rows." : "is out of order. Run REINDEX."),
                key: StorageKey(copying: key))
        }
    }

    private static func close(_ batch: EntryBatch) -> [UInt8] {
        let last = Array(batch.key(batch.count - 1))
        batch.cursor = ScanCursor(last)
        return last
    }

    private func selection(
        _ request: ScanRequest, _ connection: SQLiteConnection
    ) throws(StorageError) -> SQLiteStatement {
        let key = try table.keyForm(connection).expression
        var conditions: [String] = []
        if request.partition.lower != nil { conditions.append("\(key) >= ?1") }
        if request.partition.upper != nil { conditions.append("\(key) < ?2") }
        if request.cursor != nil { conditions.append("\(key) > ?3") }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let columns = request.content == .keys ? "key" : "key, value"
        let query = try connection.statement("SELECT \(columns) FROM \(table.quoted) \(filter) ORDER BY \(key)")
        if let lower = request.partition.lower { try query.bind(1, copying: lower.bytes) }
        if let upper = request.partition.upper { try query.bind(2, copying: upper.bytes) }
        if let cursor = request.cursor { try query.bind(3, copying: cursor.bytes) }
        return query
    }
}
