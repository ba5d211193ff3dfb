import DynamoDBFormat
import JSON
package import Storage
import Synchronization

/// A store in a DynamoDB table with the stock backend's schema: an item per entry, and an item per directory by which
/// listing finds it (Vault 1.14 `physical/dynamodb`).
package final class DynamoDBBackend: KeyValueStore, StorageDestination, ServiceMeter {
    package let kind = "dynamodb"
    package let location: String
    package let identity: StoreIdentity
    let settings: DynamoDBSettings
    let table: VaultTable
    private let isWritable: Bool
    private let description: Mutex<TableDescription?>
    private let isClosed = Mutex(false)
    /// Held by those who write single entries: a delete looks for neighbours before it takes a marker away.
    let writing = Mutex(())

    init(
        settings: DynamoDBSettings, table: VaultTable, endpoint: String, isWritable: Bool,
        description: TableDescription?
    ) {
        self.settings = settings
        self.table = table
        self.isWritable = isWritable
        self.description = Mutex(description)
        location = "table \(settings.table) at \(endpoint)"
        identity = StoreIdentity("dynamodb:\(endpoint)#\(settings.table)")
    }

    package var traits: SourceTraits {
        SourceTraits(
            isAscending: false, keepsDirectoryMarkers: true, readsEventually: !settings.readsConsistently)
    }

    package var isRemote: Bool { true }

    package var serverUse: ServerUse? { .singleWrites }

    package var meter: (any ServiceMeter)? { self }

    /// Bytes of an item at most, names of attributes included, less the names `Path`, `Key` and `Value`
    /// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html).
    static let itemBytes = 409_600 - 12

    package var rules: EntryRules { Self.tableRules }

    /// What a table with the stock schema cannot keep.
    static let tableRules: EntryRules = [
        .emptyKey,
        // Below the root the slash before the name is not kept; at the root a space stands for the Path.
        .largerEntry(than: itemBytes + 1, lessAtRoot: 2), .invalidUTF8, .longerDirectory(than: 2048),
        // A directory's marker keeps its slash.
        .longerDirectoryName(than: 1023), .longerName(than: 1024),
        .key("core/_lock", because: "the key is the place of the active node's lock"),
        .keysBelow(" /", because: "a directory named by one space is where entries without a directory lie"),
        .uncleanedKey,
    ]

    /// What is known of the table; `nil` while it does not exist.
    func tableDescription() throws(StorageError) -> TableDescription? {
        try checkOpen()
        if let known = description.withLock({ $0 }) { return known }
        let found = try table.describe()
        description.withLock { $0 = found }
        return found
    }

    /// What was known of the table when it was opened or last asked for.
    var knownDescription: TableDescription? { description.withLock { $0 } }

    func remember(_ found: TableDescription?) { description.withLock { $0 = found } }

    func checkOpen() throws(StorageError) {
        if isClosed.withLock({ $0 }) { throw StorageError(.io, "\(location) was closed.") }
    }

    package func estimatedBytes() -> Int? { knownDescription.flatMap { $0.bytes > 0 ? $0.bytes : nil } }

    package func estimatedEntries() -> Int? { knownDescription.flatMap { $0.items > 0 ? $0.items : nil } }

    package func incarnation() throws(StorageError) -> String {
        try tableDescription()?.incarnation ?? ""
    }

    package var remarks: [String] {
        settings.endpointSource.map { ["The \(location): the endpoint comes from \($0)."] } ?? []
    }

    package func activity() -> StoreActivity { table.transport.activity }

    package func letIdleGo() { table.transport.letIdleGo() }

    package func close() { isClosed.withLock { $0 = true } }

    // MARK: single entries

    /// Whether the table can hold an entry of that key at all; then its place.
    private func place(of key: StorageKey) -> ItemKey? {
        guard key.bytes.withBytes({ rules.objection(to: $0, valueCount: 0) }) == nil else { return nil }
        return ItemKey(entry: key.bytes)
    }

    package func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        guard try tableDescription() != nil, let place = place(of: key) else { return nil }
        return try table.item(place) { item throws(StorageError) in
            try item.map { item throws(StorageError) in try ItemReader.value(of: item, key: key) }
        }
    }

    package func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) {
        try checkOpen()
        if let objection = key.bytes.withBytes({ rules.objection(to: $0, valueCount: value.count) }) {
            throw StorageError(.limit, "DynamoDB cannot keep the entry \(key): \(objection).", key: key)
        }
        try createIfMissing()
        // Servers and migrations read the migration marker by its key. Its directory is none of ours: on a source it may
        // be missing, or have what nobody may replace.
        let directories = key == .migrationMarker ? [] : key.bytes.withBytes { ItemKey.ancestors(of: $0) }
        let markers = directories.map { PutRequest.marker(ItemKey(markerOf: $0)) }
        let entry = value.withUnsafeBytes { PutRequest.entry(ItemKey(entry: key.bytes), $0) }
        let failure = writing.withLock { _ in
            // Markers first: if they need several requests, an entry is never there without them.
            catching { () throws(StorageError) in try BatchWriter(table).write(markers + [entry]) }
        }
        if let failure { throw failure }
    }

    package func delete(_ key: StorageKey) throws(StorageError) {
        guard try tableDescription() != nil, let place = place(of: key) else { return }
        let failure = writing.withLock { _ in
            catching { () throws(StorageError) in try remove(place, key) }
        }
        if let failure { throw failure }
    }

    /// Removes an entry, and the markers of directories that hold nothing any more; of the migration marker only itself,
    /// as it was written.
    ///
    /// Unlike the stock backend, which takes `foo/` for a part of a deleted `foo`, this asks for anything at all.
    private func remove(_ place: ItemKey, _ key: StorageKey) throws(StorageError) {
        try table.delete(place)
        guard key != .migrationMarker else { return }
        let directories = key.bytes.withBytes { ItemKey.ancestors(of: $0) }
        for directory in directories.reversed() {
            var request = VaultTable.PageRequest()
            request.path = Array(directory)
            request.limit = 1
            request.namesOnly = true
            var isEmpty = true
            try table.page(request) { items, _ in isEmpty = !items.contains { _ in true } }
            guard isEmpty else { return }
            try table.delete(ItemKey(markerOf: directory))
        }
    }

    package func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] {
        guard try tableDescription() != nil else { return [] }
        var request = VaultTable.PageRequest()
        request.path = ItemKey.path(ofChildren: prefix)
        request.namesOnly = true
        guard request.path?.isEmpty == false else { return [] }
        var names: [StorageKey] = []
        var progress = PageProgress(location)
        repeat {
            request.start = try table.page(request) { items, next throws(StorageError) in
                try progress.check(next)
                for item in items {
                    let name = try ItemReader.parts(of: item).name
                    // As the stock backend hides its lock, and with it every other such name.
                    if name.first != UInt8(ascii: "_") { names.append(StorageKey(copying: name)) }
                }
            }
        } while request.start != nil
        return names.sorted()
    }
}

/// The error that `body` throws, for use behind a mutex.
func catching(_ body: () throws(StorageError) -> Void) -> StorageError? {
    do throws(StorageError) {
        try body()
        return nil
    } catch {
        return error
    }
}
