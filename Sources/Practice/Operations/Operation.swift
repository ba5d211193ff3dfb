import HTTPServer
import JSON

/// What one request works with.
struct Operation {
    let store: TableStore
    let capacity: CapacityMeter
    let request: RequestBody
    let reader: StoredItemReader
    let backups: BackupService
    /// Decides for one item of a batch whether it is left unprocessed.
    let leavesUnprocessed: () -> Bool

    /// What the request consumed, by table.
    var consumed: [String: Consumption] = [:]
    /// Items of a batch that were turned away.
    var throttledItems = 0

    /// The table the request names.
    func table() throws(ServiceError) -> TableDefinition {
        let name = try request.tableName()
        guard let table = store.table(name) else { throw .tableNotFound }
        return table.definition
    }

    /// Fails if the table's read capacity is used up.
    func checkMayRead(_ table: TableDefinition) throws(ServiceError) {
        guard capacity.mayRead(table) else { throw .throughputExceeded }
    }

    func checkMayWrite(_ table: TableDefinition) throws(ServiceError) {
        guard capacity.mayWrite(table) else { throw .throughputExceeded }
    }

    /// Accounts for what was consumed.
    mutating func consume(_ consumption: Consumption, _ table: TableDefinition) {
        capacity.take(consumption, from: table)
        consumed[table.name, default: Consumption()] += consumption
    }

    /// What of the consumption the request wants to hear.
    enum CapacityReport: String, CaseIterable {
        case indexes = "INDEXES"
        case total = "TOTAL"
        case none = "NONE"
    }

    func capacityReport() throws(ServiceError) -> CapacityReport {
        let name = try request.choice(
            "ReturnConsumedCapacity", at: "returnConsumedCapacity", among: CapacityReport.allCases.map(\.rawValue))
        return name.flatMap { CapacityReport(rawValue: $0) } ?? .none
    }

    /// Writes the member `ConsumedCapacity` of one table.
    func writeConsumption(of table: TableDefinition, _ report: CapacityReport, _ json: inout JSONWriter) {
        guard report != .none else { return }
        json.name("ConsumedCapacity")
        writeUnits(table.name, consumed[table.name] ?? Consumption(), report, &json)
    }

    /// Writes the member `ConsumedCapacity` of a batch.
    func writeConsumptions(_ report: CapacityReport, _ json: inout JSONWriter) {
        guard report != .none else { return }
        json.name("ConsumedCapacity")
        json.beginArray()
        for (name, consumption) in consumed.sorted(by: { $0.key < $1.key }) {
            writeUnits(name, consumption, report, &json)
        }
        json.endArray()
    }

    private func writeUnits(
        _ name: String, _ consumption: Consumption, _ report: CapacityReport, _ json: inout JSONWriter
    ) {
        let units = consumption.read + consumption.write
        json.beginObject()
        json.name("TableName")
        json.string(name)
        json.name("CapacityUnits")
        json.double(units)
        if report == .indexes {
            json.name("Table")
            json.beginObject()
            json.name("CapacityUnits")
            json.double(units)
            json.endObject()
        }
        json.endObject()
    }

    /// The condition of a write, `nil` if there is none.
    func condition(_ context: inout ExpressionContext) throws(ServiceError) -> Condition? {
        guard let text = try request.string("ConditionExpression") else { return nil }
        return try ConditionParser.parse(text, .condition, &context)
    }

    /// Fails if an item, or its absence, does not meet a condition.
    func check(
        _ condition: Condition?, _ item: [AttributeValue.Member]?
    ) throws(ServiceError) {
        guard let condition else { return }
        let isMet = try condition.holds { name throws(ServiceError) in item?.first { $0.name == name }?.value }
        guard !isMet else { return }
        var error = ServiceError.conditionFailed
        let wanted = try request.choice(
            "ReturnValuesOnConditionCheckFailure", at: "returnValuesOnConditionCheckFailure",
            among: ["ALL_OLD", "NONE"])
        if wanted == "ALL_OLD", let item {
            var json = JSONWriter()
            json.members(item)
            error.item = json.bytes
        }
        throw error
    }

    /// What is to be given back of an item that is written.
    func returnValues(among allowed: [String], message: String?) throws(ServiceError) -> String {
        let all = ["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"]
        let wanted = try request.choice("ReturnValues", at: "returnValues", among: all) ?? "NONE"
        if let message, !allowed.contains(wanted) { throw .validation(message) }
        return wanted
    }
}

extension JSONWriter {
    /// A member whose value is a set of attributes.
    mutating func attributes(_ name: StaticString, _ attributes: [AttributeValue.Member]) {
        self.name(name)
        members(attributes)
    }
}
