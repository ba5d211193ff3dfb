/// A value of an item's attribute.
indirect enum AttributeValue: Hashable {
    /// UTF-8.
    case string([UInt8])
    case number(DecimalNumber)
    case binary([UInt8])
    case boolean(Bool)
    case null
    case stringSet([[UInt8]])
    case numberSet([DecimalNumber])
    case binarySet([[UInt8]])
    case list([AttributeValue])
    case map([Member])

    /// A named value: an attribute of an item, or a member of a map.
    struct Member: Hashable {
        /// UTF-8.
        let name: [UInt8]
        var value: AttributeValue
    }

    /// The type's name in requests.
    var typeName: StaticString {
        switch self {
        case .string: "S"
        case .number: "N"
        case .binary: "B"
        case .boolean: "BOOL"
        case .null: "NULL"
        case .stringSet: "SS"
        case .numberSet: "NS"
        case .binarySet: "BS"
        case .list: "L"
        case .map: "M"
        }
    }

    /// Bytes the value counts for in an item's size (Developer Guide, "DynamoDB item sizes and formats").
    var size: Int {
        switch self {
        case .string(let bytes), .binary(let bytes): bytes.count
        case .number(let number): number.size
        case .boolean, .null: 1
        case .stringSet(let elements), .binarySet(let elements): elements.reduce(0) { $0 + $1.count }
        case .numberSet(let numbers): numbers.reduce(0) { $0 + $1.size }
        case .list(let elements): elements.reduce(3) { $0 + $1.size + 1 }
        case .map(let members): members.reduce(3) { $0 + $1.name.count + $1.value.size + 1 }
        }
    }

    /// What `size()` answers in an expression; `nil` for types that have none.
    var elementCount: Int? {
        switch self {
        case .string(let bytes):
            // Characters as the service counts them: UTF-16 units would differ only outside the basic plane.
            String(decoding: bytes, as: UTF8.self).unicodeScalars.count
        case .binary(let bytes): bytes.count
        case .stringSet(let elements), .binarySet(let elements): elements.count
        case .numberSet(let numbers): numbers.count
        case .list(let elements): elements.count
        case .map(let members): members.count
        case .number, .boolean, .null: nil
        }
    }

    /// Equality as expressions have it: sets and maps in any order.
    func isEqual(to other: AttributeValue) -> Bool {
        switch (self, other) {
        case (.stringSet(let left), .stringSet(let right)), (.binarySet(let left), .binarySet(let right)):
            return Set(left) == Set(right)
        case (.numberSet(let left), .numberSet(let right)): return Set(left) == Set(right)
        case (.list(let left), .list(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { $0.isEqual(to: $1) }
        case (.map(let left), .map(let right)):
            guard left.count == right.count else { return false }
            let known = Dictionary(right.map { ($0.name, $0.value) }) { first, _ in first }
            return left.allSatisfy { known[$0.name].map($0.value.isEqual) ?? false }
        default: return self == other
        }
    }

    /// Whether the first is before the second; `nil` if they cannot be ordered: different types, or types without order.
    static func isLess(_ left: AttributeValue, _ right: AttributeValue) -> Bool? {
        switch (left, right) {
        case (.string(let left), .string(let right)), (.binary(let left), .binary(let right)):
            left.lexicographicallyPrecedes(right)
        case (.number(let left), .number(let right)): left < right
        default: nil
        }
    }
}
