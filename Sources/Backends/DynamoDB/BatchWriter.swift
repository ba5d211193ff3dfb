import Storage
import Wording

/// Writes items in the largest batches the service takes, and again what it leaves undone.
struct BatchWriter {
    /// Attempts in a row of which not one item was written; with the waits between them, some minutes.
    private static let maximumFruitless = 30

    private let table: VaultTable

    init(_ table: VaultTable) {
        self.table = table
    }

    /// Writes all items; each must have a key of its own.
    ///
    /// - Parameter items: Complete PutRequests as JSON.
    func write(_ items: [[UInt8]]) throws(StorageError) {
        var group: [[UInt8]] = []
        var bytes = 0
        for item in items {
            if group.count == VaultTable.batchWrites || bytes + item.count > VaultTable.batchBytes {
                try writeGroup(group)
                group.removeAll(keepingCapacity: true)
                bytes = 0
            }
            group.append(item)
            bytes += item.count
        }
        if !group.isEmpty { try writeGroup(group) }
    }

    private func writeGroup(_ items: [[UInt8]]) throws(StorageError) {
        var left = items
        var attempt = 0
        while true {
            let count = left.count
            left = try table.write(left)
            if left.isEmpty { return }
            attempt = left.count < count ? 1 : attempt + 1
            guard attempt <= Self.maximumFruitless else {
                throw StorageError(
                    .io,
                    "\(table.name): DynamoDB has left \(left.count) \(plural(left.count, "write")) undone "
                        + "\(attempt) times in a row. Raise the "
                        + "table's write capacity, or lower the rate with max_wcu, and run again.")
            }
            try table.transport.waitAfterLeftovers(.write, attempt: attempt)
        }
    }
}
