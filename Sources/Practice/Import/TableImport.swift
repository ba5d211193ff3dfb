import Storage
import Wording

/// What an import brought into a table.
package struct ImportResult: Sendable, Equatable {
    /// Items written, markers included.
    package internal(set) var items = 0
    /// Items that stand for directories.
    package internal(set) var markers = 0
    /// Bytes of the items as the service counts them.
    package internal(set) var bytes = 0
    /// What could not become an item, with the reason; the first ones, see ``leftOutCount``.
    package internal(set) var leftOut: [String] = []
    package internal(set) var leftOutCount = 0

    /// Reasons that are kept.
    private static let maximumReasons = 100

    mutating func leaveOut(_ reason: String) {
        leftOutCount += 1
        if leftOut.count < Self.maximumReasons { leftOut.append(reason) }
    }
}

/// Why an import cannot be done.
package struct ImportError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

extension PracticeTable {
    /// Makes the table that an import fills, with the schema of Vault's backend, unless it is there.
    ///
    /// - Parameters:
    ///   - replaces: Whether a table that holds something is emptied first.
    ///   - capacity: Read and write units a second; `nil` for on-demand. Counts for a new table only.
    /// - Throws: `ImportError` if the table holds something and `replaces` is false.
    package func prepareImport(
        into name: String, replaces: Bool, capacity: (read: Int, write: Int)?
    ) throws(ImportError) {
        do throws(ServiceError) {
            let name = try RequestBody.tableName(name)
            if let table = store.table(name) {
                guard table.items > 0 else { return }
                guard replaces else {
                    throw .validation(
                        "the table holds \(table.items) \(plural(table.items, "item")). Name another with -table, or give -replace "
                            + "to delete what is there"
                    )
                }
                try store.deleteTable(name)
            }
            _ = try store.createTable(
                name, partitionKey: .init(name: VaultItem.pathName, type: .string),
                sortKey: .init(name: VaultItem.keyName, type: .string),
                billing: capacity.map { .provisioned(read: $0.read, write: $0.write) } ?? .perRequest,
                at: wallSeconds())
        } catch {
            throw ImportError(
                description: "import into table \(name): \(error.cause.map { "\($0)" } ?? error.message).")
        }
    }
}

/// Collects items and writes them in large transactions, in key order within each.
struct ItemLoader {
    /// Items and bytes of one transaction.
    private static let maximumItems = 10_000
    private static let maximumBytes = 16 << 20

    private let store: TableStore
    private let table: TableDefinition
    private var pending: [(key: ItemPosition, item: StoredItem)] = []
    private var pendingBytes = 0
    private(set) var result = ImportResult()

    init(_ store: TableStore, table name: String) throws(ImportError) {
        guard let table = store.table(name) else {
            throw ImportError(description: "import into table \(name): there is no such table.")
        }
        self.store = store
        self.table = table.definition
    }

    /// Adds an item.
    ///
    /// - Parameter shown: What to call it if it cannot be kept.
    mutating func add(
        _ attributes: [AttributeValue.Member], isMarker: Bool, shown: @autoclosure () -> String
    ) throws(ImportError) {
        let item = StoredItem(attributes)
        let key: ItemPosition
        do throws(ServiceError) {
            guard item.size <= StoredItem.maximumSize else {
                throw .validation("the item has \(item.size) bytes, DynamoDB takes \(StoredItem.maximumSize)")
            }
            key = try table.key(ofItem: attributes)
        } catch {
            return result.leaveOut("\(shown()): \(error.message)")
        }
        if isMarker { result.markers += 1 }
        pending.append((key, item))
        pendingBytes += item.size
        if pending.count >= Self.maximumItems || pendingBytes >= Self.maximumBytes { try flush() }
    }

    mutating func leaveOut(_ reason: String) { result.leaveOut(reason) }

    /// Writes what was added.
    mutating func flush() throws(ImportError) {
        guard !pending.isEmpty else { return }
        let batch = pending.sorted { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }
        pending.removeAll(keepingCapacity: true)
        do throws(ServiceError) {
            try store.write { session throws(ServiceError) in
                for (key, item) in batch {
                    try session.put(table, key, item, oldSize: try session.size(table, key))
                }
            }
        } catch {
            throw ImportError(
                description: "import into table \(table.name): the database cannot be written"
                    + (error.cause.map { ": \($0)" } ?? "") + ".")
        }
        result.items += batch.count
        result.bytes += pendingBytes
        pendingBytes = 0
    }
}
