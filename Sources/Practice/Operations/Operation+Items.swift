import HTTPServer
import JSON

extension Operation {
    private static let legacyConditions = ["Expected", "ConditionalOperator"]

    /// `PutItem`.
    mutating func putItem() throws(ServiceError) -> HTTPServerBody {
        try request.refuse(Self.legacyConditions)
        let attributes = try request.requiredAttributes("Item", at: "item")
        let returned = try returnValues(
            among: ["ALL_OLD", "NONE"], message: "ReturnValues can only be ALL_OLD or NONE")
        let report = try capacityReport()
        var context = try ExpressionContext(request, expressions: [.condition])
        let condition = try condition(&context)
        try context.checkAllUsed()
        let item = StoredItem(attributes)
        guard item.size <= StoredItem.maximumSize else {
            throw .validation("Item size has exceeded the maximum allowed size")
        }
        let table = try table()
        let key = try table.key(ofItem: attributes)
        try checkMayWrite(table)
        let needsOld = condition != nil || returned == "ALL_OLD"
        let (old, oldSize) = try store.write { session throws(ServiceError) in
            let old = needsOld ? try stored(session, table, key) : nil
            try check(condition, old)
            let size = try session.size(table, key)
            try session.put(table, key, item, oldSize: size)
            return (old, size)
        }
        consume(.write(bytes: max(item.size, oldSize ?? 0)), table)
        return reply(table, report, returned == "ALL_OLD" ? old : nil)
    }

    /// `DeleteItem`.
    mutating func deleteItem() throws(ServiceError) -> HTTPServerBody {
        try request.refuse(Self.legacyConditions)
        let attributes = try request.requiredAttributes("Key", at: "key")
        let returned = try returnValues(
            among: ["ALL_OLD", "NONE"], message: "ReturnValues can only be ALL_OLD or NONE")
        let report = try capacityReport()
        var context = try ExpressionContext(request, expressions: [.condition])
        let condition = try condition(&context)
        try context.checkAllUsed()
        let table = try table()
        let key = try table.key(attributes)
        try checkMayWrite(table)
        let needsOld = condition != nil || returned == "ALL_OLD"
        let (old, oldSize) = try store.write { session throws(ServiceError) in
            let old = needsOld ? try stored(session, table, key) : nil
            try check(condition, old)
            let size = try session.size(table, key)
            if let size { try session.delete(table, key, oldSize: size) }
            return (old, size)
        }
        consume(.write(bytes: oldSize ?? 0), table)
        return reply(table, report, returned == "ALL_OLD" ? old : nil)
    }

    /// `UpdateItem`.
    mutating func updateItem() throws(ServiceError) -> HTTPServerBody {
        try request.refuse(Self.legacyConditions + ["AttributeUpdates"])
        let keyAttributes = try request.requiredAttributes("Key", at: "key")
        let returned = try returnValues(among: [], message: nil)
        let report = try capacityReport()
        var context = try ExpressionContext(request, expressions: [.update, .condition])
        let table = try table()
        let update = try request.string("UpdateExpression").map { text throws(ServiceError) in
            try UpdateParser.parse(text, &context, table)
        }
        let condition = try condition(&context)
        try context.checkAllUsed()
        let key = try table.key(keyAttributes)
        try checkMayWrite(table)
        let change = try store.write { session throws(ServiceError) in
            let old = try stored(session, table, key)
            try check(condition, old)
            var new = old ?? keyAttributes
            let touched = try update?.apply(to: &new) ?? []
            let item = StoredItem(new)
            guard item.size <= StoredItem.maximumSize else {
                throw .validation("Item size to update has exceeded the maximum allowed size")
            }
            let oldSize = try session.size(table, key)
            try session.put(table, key, item, oldSize: oldSize)
            return (old: old, new: new, touched: Set(touched), size: max(item.size, oldSize ?? 0))
        }
        consume(.write(bytes: change.size), table)
        switch returned {
        case "ALL_OLD": return reply(table, report, change.old)
        case "ALL_NEW": return reply(table, report, change.new)
        case "UPDATED_OLD":
            let parts = change.old?.filter { change.touched.contains($0.name) }
            return reply(table, report, parts?.isEmpty == false ? parts : nil)
        case "UPDATED_NEW":
            let parts = change.new.filter { change.touched.contains($0.name) }
            return reply(table, report, parts.isEmpty ? nil : parts)
        default: return reply(table, report, nil)
        }
    }

    /// `GetItem`.
    mutating func getItem() throws(ServiceError) -> HTTPServerBody {
        let attributes = try request.requiredAttributes("Key", at: "key")
        let report = try capacityReport()
        let isConsistent = try request.flag("ConsistentRead") ?? false
        let projection = try projection()
        let table = try table()
        let key = try table.key(attributes)
        try checkMayRead(table)
        let body = HTTPServerBody(capacity: 1 << 10)
        body.append("{")
        let size = try store.read { session throws(ServiceError) in
            try session.withItem(table, key) { bytes throws(ServiceError) -> Int in
                guard let bytes else { return 0 }
                body.append("\"Item\":")
                try append(bytes, projection, to: body)
                return StoredItem.size(of: bytes)
            }
        }
        consume(.read(bytes: size, consistent: isConsistent), table)
        if report != .none {
            if body.count > 1 { body.append(",") }
            appendConsumption(table, report, to: body)
        }
        body.append("}")
        return body
    }

    /// The projection that the request asks for alone, `nil` for whole items.
    private func projection() throws(ServiceError) -> Projection? {
        var context = try ExpressionContext(request, expressions: [.projection])
        let projection = try projection(&context)
        try context.checkAllUsed()
        return projection
    }

    /// The projection that the request asks for, `nil` for whole items.
    func projection(_ context: inout ExpressionContext) throws(ServiceError) -> Projection? {
        if let names = try request.array("AttributesToGet") {
            if request.has("ProjectionExpression") {
                throw .validation(
                    "Can not use both expression and non-expression parameters in the same request: Non-expression "
                        + "parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}")
            }
            var paths: [DocumentPath] = []
            for name in names.elements {
                guard name.kind == .string else { throw .wrongType(name, wanted: "String") }
                paths.append(DocumentPath(name: Array(name.bytes)))
            }
            return Projection(paths)
        }
        guard let text = try request.string("ProjectionExpression") else { return nil }
        return try Projection.parse(text, &context)
    }

    /// Appends an item as a reply has it, or the part of it that is wanted.
    func append(
        _ item: UnsafeRawBufferPointer, _ projection: Projection?, to body: HTTPServerBody
    ) throws(ServiceError) {
        if let projection, !projection.isPlain {
            var json = JSONWriter()
            json.members(projection.apply(try reader.attributes(item)))
            json.bytes.withUnsafeBytes { body.append($0) }
            return
        }
        body.append(UInt8(ascii: "{"))
        var isFirst = true
        for attribute in StoredItem.attributes(of: item) {
            if let projection, !projection.includes(attribute.name) { continue }
            if !isFirst { body.append(UInt8(ascii: ",")) }
            isFirst = false
            body.append(attribute.text)
        }
        body.append(UInt8(ascii: "}"))
    }

    /// Appends the member `ConsumedCapacity`.
    func appendConsumption(_ table: TableDefinition, _ report: CapacityReport, to body: HTTPServerBody) {
        var json = JSONWriter()
        writeConsumption(of: table, report, &json)
        json.bytes.withUnsafeBytes { body.append($0) }
    }

    private func stored(
        _ session: StoreSession, _ table: TableDefinition, _ key: ItemPosition
    ) throws(ServiceError) -> [AttributeValue.Member]? {
        try session.withItem(table, key) { bytes throws(ServiceError) in
            guard let bytes else { return nil }
            return try reader.attributes(bytes)
        }
    }

    private func reply(
        _ table: TableDefinition, _ report: CapacityReport, _ attributes: [AttributeValue.Member]?
    ) -> HTTPServerBody {
        var json = JSONWriter()
        json.beginObject()
        if let attributes { json.attributes("Attributes", attributes) }
        writeConsumption(of: table, report, &json)
        json.endObject()
        return HTTPServerBody(copying: json.bytes)
    }
}
