import JSON

/// What DescribeTable says of a table.
struct TableDescription: Sendable {
    let status: String
    /// Items of all kinds; the service counts them about every six hours.
    let items: Int
    /// Bytes of all items; counted with them.
    let bytes: Int
    /// Units a second; `nil` for a table on demand.
    let provisionedRead: Int?
    let provisionedWrite: Int?
    /// A number of its own for each table that was ever created, with its time.
    let incarnation: String
    /// Key attributes as `name:role:type`.
    let schema: [String]

    /// The schema that the stock backend creates (Vault 1.14 `physical/dynamodb`, `ensureTableExists`).
    static let vaultSchema = ["Path:HASH:S", "Key:RANGE:S"]

    init(_ reply: JSONNode) {
        let table = reply["Table"] ?? reply["TableDescription"]
        status = table?["TableStatus"]?.text ?? ""
        items = table?["ItemCount"]?.integer ?? 0
        bytes = table?["TableSizeBytes"]?.integer ?? 0
        let throughput = table?["ProvisionedThroughput"]
        let isOnDemand = table?["BillingModeSummary"]?["BillingMode"]?.isString("PAY_PER_REQUEST") == true
        provisionedRead = isOnDemand ? nil : throughput?["ReadCapacityUnits"]?.integer.flatMap { $0 > 0 ? $0 : nil }
        provisionedWrite = isOnDemand ? nil : throughput?["WriteCapacityUnits"]?.integer.flatMap { $0 > 0 ? $0 : nil }
        let created = table?["CreationDateTime"]?.double.map { "\($0)" } ?? ""
        incarnation = "\(table?["TableArn"]?.text ?? "") \(table?["TableId"]?.text ?? "") \(created)"
        var types: [String: String] = [:]
        for definition in table?["AttributeDefinitions"]?.elements ?? .none {
            types[definition["AttributeName"]?.text ?? ""] = definition["AttributeType"]?.text
        }
        schema = (table?["KeySchema"]?.elements ?? JSONElements.none).map { element in
            let name = element["AttributeName"]?.text ?? ""
            return "\(name):\(element["KeyType"]?.text ?? ""):\(types[name] ?? "")"
        }
    }
}
