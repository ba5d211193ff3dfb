package import Storage

extension DynamoDBBackend {
    /// Not in one step, which would need a permission more (`dynamodb:PutItem`): of two programs that write in the same
    /// instant the one that wrote first finds out when it asks again.
    package func replace(
        _ key: StorageKey, _ expected: [UInt8]?, with value: [UInt8]
    ) throws(StorageError) -> Bool {
        guard try get(key) == expected else { return false }
        try put(key, value)
        return try get(key) == value
    }
}
