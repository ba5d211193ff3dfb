/// What a table is: its name, key and capacity.
struct TableDefinition: Sendable, Equatable {
    /// The type of a key attribute.
    enum KeyType: String, Sendable {
        case string = "S"
        case number = "N"
        case binary = "B"
    }

    /// An attribute that is part of the key.
    struct KeyAttribute: Sendable, Equatable {
        let name: String
        let type: KeyType
    }

    /// How requests are paid for.
    enum Billing: Sendable, Equatable {
        case perRequest
        /// Units a second.
        case provisioned(read: Int, write: Int)
    }

    let name: String
    /// Tells the table from a later one of the same name, and names its rows in the database.
    let number: Int
    /// Numbers have 12 hexadecimal digits at most.
    static let maximumNumber = 1 << 48
    let partitionKey: KeyAttribute
    let sortKey: KeyAttribute?
    var billing: Billing
    /// Seconds since 1970.
    let createdAt: Int

    /// The key attributes, the partition key first.
    var keyAttributes: [KeyAttribute] { sortKey.map { [partitionKey, $0] } ?? [partitionKey] }

    func isKeyAttribute(_ name: [UInt8]) -> Bool {
        keyAttributes.contains { $0.name.utf8.elementsEqual(name) }
    }

    /// The table's name for other services.
    var resourceName: String { "arn:aws:dynamodb:us-east-1:000000000000:table/\(name)" }

    /// The same table under a form that tells it apart by number, as the service's TableId does.
    var identifier: String {
        let digits = String(number, radix: 16)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}
