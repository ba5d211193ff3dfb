import HTTPServer
import JSON

extension Operation {
    /// Largest capacity of a table by default (Developer Guide, "Quotas: Throughput default quotas").
    private static let maximumUnits = 40_000
    private static let maximumListed = 100

    /// `CreateTable`.
    func createTable() throws(ServiceError) -> HTTPServerBody {
        let name = try request.tableName()
        let keys = try keySchema()
        for unsupported in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes", "GlobalTableVersion"] {
            guard let list = request.member(unsupported), list.count > 0 else { continue }
            throw .validation("The practice table has no \(unsupported)")
        }
        let billing = try billing(nil)
        let made = try store.createTable(
            name, partitionKey: keys[0], sortKey: keys.count > 1 ? keys[1] : nil, billing: billing,
            at: wallSeconds())
        return describe("TableDescription", made, status: "CREATING")
    }

    /// The key attributes, the partition key first.
    private func keySchema() throws(ServiceError) -> [TableDefinition.KeyAttribute] {
        var types: [String: TableDefinition.KeyType] = [:]
        guard let definitions = try request.array("AttributeDefinitions") else {
            throw .validation(
                "One or more parameter values were invalid: Some AttributeDefinitions are not defined.")
        }
        for element in definitions.elements {
            let definition = try RequestBody(element)
            guard let name = try definition.string("AttributeName"), !name.isEmpty else {
                throw .constraint(
                    "null", at: "attributeDefinitions.1.member.attributeName", "Member must not be null")
            }
            let type = try definition.choice(
                "AttributeType", at: "attributeDefinitions.1.member.attributeType", among: ["B", "N", "S"])
            types[name] = type.flatMap { TableDefinition.KeyType(rawValue: $0) }
        }
        guard let schema = try request.array("KeySchema") else {
            throw .constraint("null", at: "keySchema", "Member must not be null")
        }
        guard (1...2).contains(schema.count) else {
            throw .constraint(
                "'[…]'", at: "keySchema",
                schema.count == 0
                    ? "Member must have length greater than or equal to 1"
                    : "Member must have length less than or equal to 2")
        }
        var keys: [TableDefinition.KeyAttribute] = []
        for (element, wanted) in zip(schema.elements, ["HASH", "RANGE"]) {
            let part = try RequestBody(element)
            let role = try part.choice("KeyType", at: "keySchema.1.member.keyType", among: ["HASH", "RANGE"])
            guard role == wanted else {
                throw .validation(
                    wanted == "HASH"
                        ? "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"
                        : "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
            }
            guard let name = try part.string("AttributeName") else {
                throw .constraint("null", at: "keySchema.1.member.attributeName", "Member must not be null")
            }
            guard (1...255).contains(name.utf8.count) else {
                throw .constraint(
                    "'\(name.prefix(80))'", at: "keySchema.1.member.attributeName",
                    name.isEmpty
                        ? "Member must have length greater than or equal to 1"
                        : "Member must have length less than or equal to 255")
            }
            guard !keys.contains(where: { $0.name == name }) else {
                throw .validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
            }
            guard let type = types[name] else {
                throw .validation(
                    "One or more parameter values were invalid: Some index key attributes are not defined in "
                        + "AttributeDefinitions. Keys: [\(name)], AttributeDefinitions: "
                        + "[\(types.keys.sorted().joined(separator: ", "))]")
            }
            keys.append(.init(name: name, type: type))
        }
        guard keys.count == types.count else {
            throw .validation(
                "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match "
                    + "number of attributes defined in AttributeDefinitions")
        }
        return keys
    }

    /// How the request wants to pay.
    ///
    /// - Parameter current: What holds already, for a table that is there.
    /// - Parameter suffix: What the members' names end in.
    func billing(
        _ current: TableDefinition.Billing?, suffix: String = ""
    ) throws(ServiceError) -> TableDefinition.Billing {
        let mode = try request.choice(
            "BillingMode\(suffix)", at: "billingMode\(suffix)", among: ["PROVISIONED", "PAY_PER_REQUEST"])
        let throughput = try request.structure("ProvisionedThroughput\(suffix)")
        if mode == "PAY_PER_REQUEST" {
            guard throughput == nil else {
                throw .validation(
                    "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be "
                        + "specified when BillingMode is PAY_PER_REQUEST")
            }
            return .perRequest
        }
        guard let throughput else {
            if let current, mode == nil { return current }
            throw .validation(
                "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be "
                    + "specified when BillingMode is PROVISIONED")
        }
        var units: [Int] = []
        for (name, parameter) in [
            ("ReadCapacityUnits", "readCapacityUnits"), ("WriteCapacityUnits", "writeCapacityUnits"),
        ] {
            guard let number = try throughput.integer(name) else {
                throw .constraint("null", at: "provisionedThroughput.\(parameter)", "Member must not be null")
            }
            guard number >= 1 else {
                throw .constraint(
                    "'\(number)'", at: "provisionedThroughput.\(parameter)",
                    "Member must have value greater than or equal to 1")
            }
            guard number <= Self.maximumUnits else {
                throw .validation("Given value \(number) for \(name) is out of bounds")
            }
            units.append(number)
        }
        return .provisioned(read: units[0], write: units[1])
    }

    /// `DescribeTable`.
    func describeTable() throws(ServiceError) -> HTTPServerBody {
        let table = try existing()
        let origin = try store.origin(of: table.definition)
        return describe("Table", table, status: "ACTIVE") { json in
            Self.write(origin, isInProgress: false, &json)
        }
    }

    /// `UpdateTable`: the capacity.
    func updateTable() throws(ServiceError) -> HTTPServerBody {
        let table = try existing()
        let billing = try billing(table.definition.billing)
        capacity.forget(table.definition)
        return describe(
            "TableDescription", try store.change(table.definition.name, to: billing), status: "UPDATING")
    }

    /// `DeleteTable`.
    func deleteTable() throws(ServiceError) -> HTTPServerBody {
        let table = try existing()
        capacity.forget(table.definition)
        try store.deleteTable(table.definition.name)
        return describe("TableDescription", table, status: "DELETING")
    }

    func existing() throws(ServiceError) -> TableStore.Table {
        let name = try request.tableName()
        guard let table = store.table(name) else { throw .tableNotFound(named: name) }
        return table
    }

    /// `ListTables`.
    func listTables() throws(ServiceError) -> HTTPServerBody {
        let limit = try request.integer("Limit") ?? Self.maximumListed
        guard (1...Self.maximumListed).contains(limit) else {
            throw .constraint(
                "'\(limit)'", at: "limit",
                limit < 1
                    ? "Member must have value greater than or equal to 1"
                    : "Member must have value less than or equal to \(Self.maximumListed)")
        }
        var names = store.names
        if let start = try request.string("ExclusiveStartTableName") {
            names.removeAll { !start.utf8.lexicographicallyPrecedes($0.utf8) }
        }
        var json = JSONWriter()
        json.beginObject()
        json.name("TableNames")
        json.array(Array(names.prefix(limit))) { json, name in json.string(name) }
        if names.count > limit {
            json.name("LastEvaluatedTableName")
            json.string(names[limit - 1])
        }
        json.endObject()
        return HTTPServerBody(copying: json.bytes)
    }

    /// `DescribeTimeToLive`, `ListTagsOfResource`, `DescribeLimits`: the shortest true answers.
    func describeNothing(_ operation: String) throws(ServiceError) -> HTTPServerBody {
        var json = JSONWriter()
        json.beginObject()
        switch operation {
        case "DescribeTimeToLive":
            _ = try existing()
            json.name("TimeToLiveDescription")
            json.beginObject()
            json.name("TimeToLiveStatus")
            json.string("DISABLED")
            json.endObject()
        case "ListTagsOfResource":
            json.name("Tags")
            json.beginArray()
            json.endArray()
        default:
            for name: StaticString in [
                "AccountMaxReadCapacityUnits", "AccountMaxWriteCapacityUnits", "TableMaxReadCapacityUnits",
                "TableMaxWriteCapacityUnits",
            ] {
                json.name(name)
                json.integer(name.description.hasPrefix("Account") ? 2 * Self.maximumUnits : Self.maximumUnits)
            }
        }
        json.endObject()
        return HTTPServerBody(copying: json.bytes)
    }

    func describe(
        _ member: StaticString, _ table: TableStore.Table, status: String,
        adding more: (inout JSONWriter) -> Void = { _ in }
    ) -> HTTPServerBody {
        let definition = table.definition
        var json = JSONWriter()
        json.beginObject()
        json.name(member)
        json.beginObject()
        json.name("AttributeDefinitions")
        json.array(definition.keyAttributes) { json, key in
            json.beginObject()
            json.name("AttributeName")
            json.string(key.name)
            json.name("AttributeType")
            json.string(key.type.rawValue)
            json.endObject()
        }
        json.name("TableName")
        json.string(definition.name)
        writeKeySchema(definition, &json)
        json.name("TableStatus")
        json.string(status)
        json.name("CreationDateTime")
        json.integer(definition.createdAt)
        write(definition.billing, &json)
        json.name("TableSizeBytes")
        json.integer(table.bytes)
        json.name("ItemCount")
        json.integer(table.items)
        json.name("TableArn")
        json.string(definition.resourceName)
        json.name("TableId")
        json.string(definition.identifier)
        json.name("DeletionProtectionEnabled")
        json.boolean(false)
        more(&json)
        json.endObject()
        json.endObject()
        return HTTPServerBody(copying: json.bytes)
    }

    func writeKeySchema(_ definition: TableDefinition, _ json: inout JSONWriter) {
        json.name("KeySchema")
        json.array(Array(zip(definition.keyAttributes, ["HASH", "RANGE"]))) { json, part in
            json.beginObject()
            json.name("AttributeName")
            json.string(part.0.name)
            json.name("KeyType")
            json.string(part.1)
            json.endObject()
        }
    }

    private func write(_ billing: TableDefinition.Billing, _ json: inout JSONWriter) {
        var units = (read: 0, write: 0)
        if case .provisioned(let read, let write) = billing {
            units = (read, write)
        } else {
            json.name("BillingModeSummary")
            json.beginObject()
            json.name("BillingMode")
            json.string("PAY_PER_REQUEST")
            json.endObject()
        }
        json.name("ProvisionedThroughput")
        json.beginObject()
        json.name("NumberOfDecreasesToday")
        json.integer(0)
        json.name("ReadCapacityUnits")
        json.integer(units.read)
        json.name("WriteCapacityUnits")
        json.integer(units.write)
        json.endObject()
    }
}
