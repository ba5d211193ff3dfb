import HTTPServer
import JSON

extension Operation {
    /// Writes of one batch, and items read by one (API reference, BatchWriteItem and BatchGetItem).
    private static let maximumWrites = 25
    private static let maximumReads = 100
    private static let maximumBytes = 16 << 20

    /// One element of a BatchWriteItem.
    private struct BatchWrite {
        let table: TableDefinition
        let key: ItemPosition
        /// `nil` deletes.
        let item: StoredItem?
        /// The item or key as it came, to be handed back if it is not processed.
        let attributes: [AttributeValue.Member]
    }

    /// `BatchWriteItem`.
    mutating func batchWriteItem() throws(ServiceError) -> HTTPServerBody {
        let writes = try batchWrites()
        let report = try capacityReport()
        var accepted: [BatchWrite] = []
        var refused: [BatchWrite] = []
        for write in writes {
            guard capacity.mayWrite(write.table), !leavesUnprocessed() else {
                refused.append(write)
                continue
            }
            // Taken at once, so that one batch cannot go far beyond what there is.
            consume(.write(bytes: write.item?.size ?? 0), write.table)
            accepted.append(write)
        }
        throttledItems = refused.count
        guard !accepted.isEmpty else { throw .throughputExceeded }
        let extra = try store.write { session throws(ServiceError) in
            var extra: [(TableDefinition, Consumption)] = []
            for write in accepted {
                let oldSize = try session.size(write.table, write.key)
                if let item = write.item {
                    try session.put(write.table, write.key, item, oldSize: oldSize)
                } else if let oldSize {
                    try session.delete(write.table, write.key, oldSize: oldSize)
                }
                // What was replaced counts if it was larger.
                let more =
                    Consumption.write(bytes: max(write.item?.size ?? 0, oldSize ?? 0)).write
                    - Consumption.write(bytes: write.item?.size ?? 0).write
                if more > 0 { extra.append((write.table, Consumption(write: more))) }
            }
            return extra
        }
        for (table, consumption) in extra { consume(consumption, table) }
        var json = JSONWriter()
        json.beginObject()
        json.name("UnprocessedItems")
        Self.write(refused, &json)
        writeConsumptions(report, &json)
        json.endObject()
        return HTTPServerBody(copying: json.bytes)
    }

    private static func write(_ refused: [BatchWrite], _ json: inout JSONWriter) {
        json.beginObject()
        for (name, writes) in Dictionary(grouping: refused, by: \.table.name).sorted(by: { $0.key < $1.key }) {
            Array(name.utf8).withUnsafeBytes { json.name($0) }
            json.array(writes) { json, write in
                json.beginObject()
                json.name(write.item == nil ? "DeleteRequest" : "PutRequest")
                json.beginObject()
                json.attributes(write.item == nil ? "Key" : "Item", write.attributes)
                json.endObject()
                json.endObject()
            }
        }
        json.endObject()
    }

    private func batchWrites() throws(ServiceError) -> [BatchWrite] {
        let tables = try requestItems()
        var writes: [BatchWrite] = []
        for (name, list) in tables.members {
            guard list.kind == .array else { throw .serialization("Unexpected field type") }
            guard (1...Self.maximumWrites).contains(list.count) else {
                throw .constraint(
                    "'{\(String(decoding: name.prefix(255), as: UTF8.self))=[…]}'", at: "requestItems",
                    "Map value must satisfy constraint: [Member must have length less than or equal to "
                        + "\(Self.maximumWrites), Member must have length greater than or equal to 1]")
            }
            guard writes.count + list.count <= Self.maximumWrites else {
                throw .validation("Too many items requested for the BatchWriteItem call")
            }
            let table = try batchTable(name)
            var keys: Set<ItemPosition> = []
            for element in list.elements {
                let write = try batchWrite(try RequestBody(element), table)
                guard keys.insert(write.key).inserted else {
                    throw .validation("Provided list of item keys contains duplicates")
                }
                writes.append(write)
            }
        }
        guard writes.reduce(0, { $0 + ($1.item?.size ?? 0) }) <= Self.maximumBytes else {
            throw .validation("The total size of the items in a BatchWriteItem call exceeds 16 MB")
        }
        return writes
    }

    private func batchWrite(_ element: RequestBody, _ table: TableDefinition) throws(ServiceError) -> BatchWrite {
        let put = try element.structure("PutRequest")
        let delete = try element.structure("DeleteRequest")
        guard (put == nil) != (delete == nil) else {
            throw .validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported "
                    + "datatypes")
        }
        if let put {
            let attributes = try put.requiredAttributes(
                "Item", at: "requestItems.\(table.name).member.1.member.putRequest.item")
            let item = StoredItem(attributes)
            guard item.size <= StoredItem.maximumSize else {
                throw .validation("Item size has exceeded the maximum allowed size")
            }
            return BatchWrite(
                table: table, key: try table.key(ofItem: attributes), item: item, attributes: attributes)
        }
        let attributes =
            try delete?.requiredAttributes(
                "Key", at: "requestItems.\(table.name).member.1.member.deleteRequest.key") ?? []
        return BatchWrite(table: table, key: try table.key(attributes), item: nil, attributes: attributes)
    }

    private func requestItems() throws(ServiceError) -> JSONNode {
        guard let tables = try request.object("RequestItems") else {
            throw .constraint("null", at: "requestItems", "Member must not be null")
        }
        guard tables.count > 0 else {
            throw .constraint(
                "'{}'", at: "requestItems", "Member must have length greater than or equal to 1")
        }
        return tables
    }

    private func batchTable(_ name: UnsafeRawBufferPointer) throws(ServiceError) -> TableDefinition {
        let name = try RequestBody.tableName(String(decoding: name, as: UTF8.self))
        guard let table = store.table(name) else { throw .tableNotFound }
        return table.definition
    }

    /// What a BatchGetItem asks of one table.
    private struct BatchRead {
        let table: TableDefinition
        let isConsistent: Bool
        let projection: Projection?
        let keys: [(key: ItemPosition, attributes: [AttributeValue.Member])]
        /// The table's part of the request, to be handed back with the keys that were not read.
        let request: RequestBody
    }

    /// `BatchGetItem`.
    mutating func batchGetItem() throws(ServiceError) -> HTTPServerBody {
        let reads = try batchReads()
        let report = try capacityReport()
        let body = HTTPServerBody(capacity: 64 << 10)
        var left: [(read: BatchRead, keys: [[AttributeValue.Member]])] = []
        var total = 0
        var found = 0
        body.append("{\"Responses\":{")
        for (index, read) in reads.enumerated() {
            if index > 0 { body.append(",") }
            body.append("\"\(read.table.name)\":[")
            var unread: [[AttributeValue.Member]] = []
            var isFirst = true
            for key in read.keys {
                guard capacity.mayRead(read.table), total < Self.maximumBytes, !leavesUnprocessed() else {
                    unread.append(key.attributes)
                    continue
                }
                let size = try store.read { session throws(ServiceError) in
                    try session.withItem(read.table, key.key) { bytes throws(ServiceError) -> Int in
                        guard let bytes else { return 0 }
                        let size = StoredItem.size(of: bytes)
                        guard total + size <= Self.maximumBytes else { return -1 }
                        if !isFirst { body.append(",") }
                        isFirst = false
                        try append(bytes, read.projection, to: body)
                        return size
                    }
                }
                guard size >= 0 else {
                    unread.append(key.attributes)
                    continue
                }
                found += 1
                total += size
                consume(.read(bytes: size, consistent: read.isConsistent), read.table)
            }
            body.append("]")
            if !unread.isEmpty { left.append((read, unread)) }
        }
        throttledItems = left.reduce(0) { $0 + $1.keys.count }
        guard found > 0 else { throw .throughputExceeded }
        var json = JSONWriter()
        json.name("UnprocessedKeys")
        json.beginObject()
        for (read, keys) in left { try Self.write(read, keys, &json) }
        json.endObject()
        writeConsumptions(report, &json)
        body.append("},")
        json.bytes.withUnsafeBytes { body.append($0) }
        body.append("}")
        return body
    }

    private static func write(
        _ read: BatchRead, _ keys: [[AttributeValue.Member]], _ json: inout JSONWriter
    ) throws(ServiceError) {
        Array(read.table.name.utf8).withUnsafeBytes { json.name($0) }
        json.beginObject()
        if let text = try read.request.string("ProjectionExpression") {
            json.name("ProjectionExpression")
            json.string(text)
        }
        for (list, kind) in [("AttributesToGet", JSONNode.Kind.array), ("ExpressionAttributeNames", .object)] {
            guard let node = read.request.member(list), node.kind == kind else { continue }
            Array(list.utf8).withUnsafeBytes { json.name($0) }
            if kind == .array {
                json.array(Array(node.elements)) { json, element in json.string(element.bytes) }
            } else {
                json.beginObject()
                for (name, value) in node.members {
                    json.name(name)
                    json.string(value.bytes)
                }
                json.endObject()
            }
        }
        json.name("ConsistentRead")
        json.boolean(read.isConsistent)
        json.name("Keys")
        json.array(keys) { json, key in json.members(key) }
        json.endObject()
    }

    private func batchReads() throws(ServiceError) -> [BatchRead] {
        var reads: [BatchRead] = []
        var count = 0
        for (name, part) in try requestItems().members {
            guard part.kind == .object else { throw .serialization("Unexpected field type") }
            let part = try RequestBody(part)
            guard let list = try part.array("Keys") else {
                throw .constraint("null", at: "requestItems.member.keys", "Member must not be null")
            }
            guard (1...Self.maximumReads).contains(list.count) else {
                throw .constraint(
                    "'[…]'", at: "requestItems.\(String(decoding: name.prefix(255), as: UTF8.self)).member.keys",
                    list.count == 0
                        ? "Member must have length greater than or equal to 1"
                        : "Member must have length less than or equal to \(Self.maximumReads)")
            }
            count += list.count
            guard count <= Self.maximumReads else {
                throw .validation("Too many items requested for the BatchGetItem call")
            }
            var context = try ExpressionContext(part, expressions: [.projection])
            let inner = Operation(
                store: store, capacity: capacity, request: part, reader: reader, backups: backups,
                leavesUnprocessed: leavesUnprocessed)
            let projection = try inner.projection(&context)
            try context.checkAllUsed()
            let table = try batchTable(name)
            var seen: Set<ItemPosition> = []
            var keys: [(ItemPosition, [AttributeValue.Member])] = []
            for element in list.elements {
                let attributes = try AttributeValue.members(of: element)
                let key = try table.key(attributes)
                guard seen.insert(key).inserted else {
                    throw .validation("Provided list of item keys contains duplicates")
                }
                keys.append((key, attributes))
            }
            reads.append(
                BatchRead(
                    table: table, isConsistent: try part.flag("ConsistentRead") ?? false, projection: projection,
                    keys: keys, request: part))
        }
        return reads
    }
}
