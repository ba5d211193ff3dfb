import Storage

/// Writes items in the largest batches the service takes, and again what it leaves undone.
struct BatchWriter {
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
        while !left.isEmpty {
            let count = left.count
            left = try table.write(left)
            if !left.isEmpty { try table.transport.waitAfterLeftovers(.write, madeProgress: left.count < count) }
        }
    }
}
