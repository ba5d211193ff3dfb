import HTTPServer
import JSON

extension Operation {
    /// Where a page ends: bytes of items read, before filtering (API reference, Query and Scan).
    private static let maximumPageBytes = 1 << 20
    private static let maximumSegments = 1_000_000

    /// What a Query and a Scan have in common.
    private struct PageRequest {
        let table: TableDefinition
        var range = StoreSession.Range()
        let limit: Int?
        let filter: Condition?
        let projection: Projection?
        let isCount: Bool
        let isConsistent: Bool
        let report: CapacityReport
    }

    /// `Scan`.
    mutating func scan() throws(ServiceError) -> HTTPServerBody {
        try request.refuse(["ScanFilter", "ConditionalOperator"])
        try refuseIndex()
        let (segment, segments) = try segment()
        var context = try ExpressionContext(request, expressions: [.projection, .filter])
        let filter = try filter(&context)
        var page = try pageRequest(filter, &context)
        try context.checkAllUsed()
        page.range.lower = ItemPosition.lowerBound(ofSegment: segment, of: segments)
        page.range.upper = segment + 1 < segments ? ItemPosition.lowerBound(ofSegment: segment + 1, of: segments) : nil
        if let start = try startKey(page.table) {
            let isInside =
                !start.bytes.lexicographicallyPrecedes(page.range.lower)
                && page.range.upper.map { start.bytes.lexicographicallyPrecedes($0) } ?? true
            guard isInside else {
                throw .validation(
                    "The provided starting key is invalid: The provided starting key is outside the segment")
            }
            page.range.lower = start.bytes
            page.range.excludesLower = true
        }
        return try read(page)
    }

    private func segment() throws(ServiceError) -> (segment: Int, of: Int) {
        let segment = try request.integer("Segment")
        let total = try request.integer("TotalSegments")
        if let segment, !(0..<Self.maximumSegments).contains(segment) {
            throw .constraint(
                "'\(segment)'", at: "segment",
                segment < 0
                    ? "Member must have value greater than or equal to 0"
                    : "Member must have value less than or equal to \(Self.maximumSegments - 1)")
        }
        if let total, !(1...Self.maximumSegments).contains(total) {
            throw .constraint(
                "'\(total)'", at: "totalSegments",
                total < 1
                    ? "Member must have value greater than or equal to 1"
                    : "Member must have value less than or equal to \(Self.maximumSegments)")
        }
        switch (segment, total) {
        case (nil, nil): return (0, 1)
        case (nil, _):
            throw .validation(
                "The Segment parameter is required but was not present in the request when parameter TotalSegments is "
                    + "present")
        case (_, nil):
            throw .validation(
                "The TotalSegments parameter is required but was not present in the request when Segment parameter is "
                    + "present")
        case (let segment?, let total?):
            guard segment < total else {
                throw .validation(
                    "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: "
                        + "\(segment) is not less than TotalSegments: \(total)")
            }
            return (segment, total)
        }
    }

    /// `Query`.
    mutating func query() throws(ServiceError) -> HTTPServerBody {
        try request.refuse(["QueryFilter", "ConditionalOperator"])
        try refuseIndex()
        let hasLegacy = request.has("KeyConditions")
        guard request.has("KeyConditionExpression") || hasLegacy else {
            throw .validation(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
        }
        var context = try ExpressionContext(request, expressions: [.projection, .filter, .keyCondition])
        let condition =
            hasLegacy
            ? try KeyCondition.legacy(request) : try KeyCondition.parse(request, &context)
        let filter = try filter(&context)
        var page = try pageRequest(filter, &context)
        try context.checkAllUsed()
        let table = page.table
        if let name = filter?.attributeNames.first(where: table.isKeyAttribute) {
            throw .validation(
                "Filter Expression can only contain non-primary key attributes: Primary key attribute: "
                    + String(decoding: name, as: UTF8.self))
        }
        page.range = try condition.range(table)
        page.range.isBackward = try request.flag("ScanIndexForward") == false
        if let start = try startKey(table) {
            let isInside =
                !start.bytes.lexicographicallyPrecedes(page.range.lower)
                && page.range.upper.map { start.bytes.lexicographicallyPrecedes($0) } ?? true
            guard isInside else {
                throw .validation(
                    "The provided starting key is outside query boundaries based on provided conditions")
            }
            if page.range.isBackward {
                page.range.upper = start.bytes
            } else {
                page.range.lower = start.bytes
                page.range.excludesLower = true
            }
        }
        return try read(page)
    }

    private func refuseIndex() throws(ServiceError) {
        guard let name = try request.string("IndexName") else { return }
        throw .validation("The table does not have the specified index: \(name)")
    }

    private func filter(_ context: inout ExpressionContext) throws(ServiceError) -> Condition? {
        guard let text = try request.string("FilterExpression") else { return nil }
        return try ConditionParser.parse(text, .filter, &context)
    }

    private func pageRequest(
        _ filter: Condition?, _ context: inout ExpressionContext
    ) throws(ServiceError) -> PageRequest {
        let limit = try request.integer("Limit")
        if let limit, limit < 1 {
            throw .constraint(
                "'\(limit)'", at: "limit", "Member must have value greater than or equal to 1")
        }
        let projection = try projection(&context)
        let select = try request.choice(
            "Select", at: "select",
            among: ["SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"])
        if let select, projection != nil, select != "SPECIFIC_ATTRIBUTES" {
            throw .validation(
                select == "COUNT"
                    ? "Cannot specify the AttributesToGet when choosing to get only the Count"
                    : "Cannot specify the AttributesToGet when choosing to get \(select)")
        }
        if select == "SPECIFIC_ATTRIBUTES", projection == nil {
            throw .validation(
                "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
        }
        if select == "ALL_PROJECTED_ATTRIBUTES" {
            throw .validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
        }
        return PageRequest(
            table: try table(), limit: limit, filter: filter, projection: projection, isCount: select == "COUNT",
            isConsistent: try request.flag("ConsistentRead") ?? false, report: try capacityReport())
    }

    private func startKey(_ table: TableDefinition) throws(ServiceError) -> ItemPosition? {
        guard let attributes = try request.attributes("ExclusiveStartKey") else { return nil }
        do throws(ServiceError) {
            return try table.key(attributes)
        } catch {
            throw .validation("The provided starting key is invalid: \(error.message)")
        }
    }

    private mutating func read(_ page: PageRequest) throws(ServiceError) -> HTTPServerBody {
        try checkMayRead(page.table)
        let body = HTTPServerBody(capacity: page.isCount ? 256 : (page.limit ?? 1000) < 20 ? 16 << 10 : 1_600_000)
        if !page.isCount { body.append("{\"Items\":[") } else { body.append("{") }
        var (scanned, count, bytes) = (0, 0, 0)
        var last: [UInt8]?
        try store.read { session throws(ServiceError) in
            try session.walk(page.table, page.range) { item throws(ServiceError) in
                scanned += 1
                bytes += StoredItem.size(of: item)
                let isWanted = try page.filter.map { filter throws(ServiceError) in
                    try filter.holds { name throws(ServiceError) in try reader.value(name, in: item) }
                }
                if isWanted ?? true {
                    if !page.isCount {
                        if count > 0 { body.append(UInt8(ascii: ",")) }
                        try append(item, page.projection, to: body)
                    }
                    count += 1
                }
                guard bytes >= Self.maximumPageBytes || scanned == page.limit else { return true }
                last = keyText(page.table, item)
                return false
            }
        }
        consume(.read(bytes: bytes, consistent: page.isConsistent), page.table)
        if !page.isCount { body.append("],") }
        body.append("\"Count\":\(count),\"ScannedCount\":\(scanned)")
        if let last {
            body.append(",\"LastEvaluatedKey\":{")
            last.withUnsafeBytes { body.append($0) }
            body.append("}")
        }
        if page.report != .none {
            body.append(",")
            appendConsumption(page.table, page.report, to: body)
        }
        body.append("}")
        return body
    }

    /// The key of an item as members of a JSON object.
    private func keyText(_ table: TableDefinition, _ item: UnsafeRawBufferPointer) -> [UInt8] {
        var text: [UInt8] = []
        for attribute in StoredItem.attributes(of: item)
        where table.keyAttributes.contains(where: { $0.name.utf8.elementsEqual(attribute.name) }) {
            if !text.isEmpty { text.append(UInt8(ascii: ",")) }
            text.append(contentsOf: attribute.text)
        }
        return text
    }
}
