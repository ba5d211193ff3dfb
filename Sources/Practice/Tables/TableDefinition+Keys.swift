extension TableDefinition {
    /// The key values in an item that is to be written.
    ///
    /// - Throws: A validation error if one is missing, of the wrong type, empty or too long.
    func key(ofItem attributes: [AttributeValue.Member]) throws(ServiceError) -> ItemPosition {
        var values: [AttributeValue] = []
        for key in keyAttributes {
            guard let found = attributes.first(where: { $0.name.elementsEqual(key.name.utf8) }) else {
                throw .validation(
                    "One or more parameter values were invalid: Missing the key \(key.name) in the item")
            }
            guard key.type.fits(found.value) else {
                throw .validation(
                    "One or more parameter values were invalid: Type mismatch for key \(key.name) expected: "
                        + "\(key.type.rawValue) actual: \(found.value.typeName)")
            }
            values.append(found.value)
        }
        return try place(of: values)
    }

    /// The place that a request's key means: exactly the table's key attributes.
    func key(_ attributes: [AttributeValue.Member]) throws(ServiceError) -> ItemPosition {
        var values: [AttributeValue] = []
        for key in keyAttributes {
            guard let found = attributes.first(where: { $0.name.elementsEqual(key.name.utf8) }),
                key.type.fits(found.value)
            else { throw .validation("The provided key element does not match the schema") }
            values.append(found.value)
        }
        guard attributes.count == values.count else {
            throw .validation("The provided key element does not match the schema")
        }
        return try place(of: values)
    }

    private func place(of values: [AttributeValue]) throws(ServiceError) -> ItemPosition {
        for (key, value) in zip(keyAttributes, values) { try check(value, key) }
        return ItemPosition(partition: values[0], sort: values.count > 1 ? values[1] : nil)
    }

    private func check(_ value: AttributeValue, _ key: KeyAttribute) throws(ServiceError) {
        guard case .string(let bytes) = value else {
            guard case .binary(let bytes) = value else { return }
            return try check(bytes, "binary", key)
        }
        try check(bytes, "string", key)
    }

    private func check(_ bytes: [UInt8], _ kind: String, _ key: KeyAttribute) throws(ServiceError) {
        guard !bytes.isEmpty else {
            throw .validation(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                    + "empty \(kind) value. Key: \(key.name)")
        }
        let isPartitionKey = key == partitionKey
        guard bytes.count <= (isPartitionKey ? ItemPosition.maximumPartitionKeyBytes : ItemPosition.maximumSortKeyBytes)
        else {
            throw .validation(
                "One or more parameter values were invalid: "
                    + (isPartitionKey
                        ? "Size of hashkey has exceeded the maximum size limit of2048 bytes"
                        : "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"))
        }
    }
}

extension TableDefinition.KeyType {
    /// Whether the value is of this type.
    func fits(_ value: AttributeValue) -> Bool {
        switch (self, value) {
        case (.string, .string), (.number, .number), (.binary, .binary): true
        default: false
        }
    }
}
