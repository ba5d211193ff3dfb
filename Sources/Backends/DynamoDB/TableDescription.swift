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
    /// A number of its own for each table that was ever created, with its time; empty if the service tells neither.
    let incarnation: String
    /// Key attributes as `name:role:type`.
    let schema: [String]

    /// The schema that the stock backend creates (Vault 1.14 `physical/dynamodb`, `ensureTableExists`).
    static let vaultSchema = ["Path:HASH:S", "Key:RANGE:S"]

    init(_ reply: JSONNode) {
        let table = reply["Table"] ?? reply["TableDescription"]
        status = table?["TableStatus"]?.text ?? ""
        items = Self.count(table?["ItemCount"])
        bytes = Self.count(table?["TableSizeBytes"])
        let throughput = table?["ProvisionedThroughput"]
        let isOnDemand = table?["BillingModeSummary"]?["BillingMode"]?.isString("PAY_PER_REQUEST") == true
        provisionedRead = isOnDemand ? nil : Self.units(throughput?["ReadCapacityUnits"])
        provisionedWrite = isOnDemand ? nil : Self.units(throughput?["WriteCapacityUnits"])
        let created = table?["CreationDateTime"]?.double.map { "\($0)" } ?? ""
        let numbers = [table?["TableArn"]?.text ?? "", table?["TableId"]?.text ?? "", created]
        // A service that tells none of them would make all its tables one.
        incarnation = numbers.allSatisfy(\.isEmpty) ? "" : numbers.joined(separator: " ")
        var types: [String: String] = [:]
        for definition in table?["AttributeDefinitions"]?.elements ?? .none {
            types[definition["AttributeName"]?.text ?? ""] = definition["AttributeType"]?.text
        }
        schema = (table?["KeySchema"]?.elements ?? JSONElements.none).map { element in
            let name = element["AttributeName"]?.text ?? ""
            return "\(name):\(element["KeyType"]?.text ?? ""):\(types[name] ?? "")"
        }
    }

    /// More than any table has; what a server says is calculated with.
    private static let maximumCount = 1 << 52

    private static func count(_ number: JSONNode?) -> Int {
        max(0, min(number?.integer ?? 0, maximumCount))
    }

    private static func units(_ number: JSONNode?) -> Int? {
        let units = count(number)
        return units > 0 ? units : nil
    }
}
