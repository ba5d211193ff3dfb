import JSON

extension AttributeValue {
    /// Levels that lists and maps may nest (Developer Guide, "Quotas: Attribute values").
    private static let maximumDepth = 32

    /// Reads a value in the protocol's form: an object with one member, named after the type.
    ///
    /// - Throws: A serialization or validation error in the service's words.
    init(_ node: JSONNode, depth: Int = 0) throws(ServiceError) {
        guard node.kind == .object else {
            throw node.kind == .array
                ? .serialization("Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue")
                : .serialization("Unexpected value type in payload")
        }
        guard depth <= Self.maximumDepth else {
            throw .validation(
                "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond "
                    + "supported limit")
        }
        var found: AttributeValue?
        for (name, value) in node.members where value.kind != .null {
            guard let decoded = try Self.decode(name, value, depth) else { continue }
            guard found == nil else {
                throw .validation(
                    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
                        + "supported datatypes")
            }
            found = decoded
        }
        guard let found else {
            throw .validation(
                "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
        }
        self = found
    }

    /// `nil` for a name that is no type: the service ignores members it does not know.
    private static func decode(
        _ type: UnsafeRawBufferPointer, _ value: JSONNode, _ depth: Int
    ) throws(ServiceError) -> AttributeValue? {
        switch (type.first, type.count) {
        case (UInt8(ascii: "S"), 1): return .string(try text(value))
        case (UInt8(ascii: "N"), 1): return .number(try number(value))
        case (UInt8(ascii: "B"), 1): return .binary(try blob(value))
        case (UInt8(ascii: "L"), 1):
            var elements: [AttributeValue] = []
            for element in try list(value) { elements.append(try AttributeValue(element, depth: depth + 1)) }
            return .list(elements)
        case (UInt8(ascii: "M"), 1): return .map(try members(of: value, depth: depth + 1))
        default: return try decodeLonger(String(decoding: type, as: UTF8.self), value)
        }
    }

    private static func decodeLonger(_ type: String, _ value: JSONNode) throws(ServiceError) -> AttributeValue? {
        switch type {
        case "BOOL":
            return .boolean(try flag(value))
        case "NULL":
            guard try flag(value) else {
                throw .validation(
                    "One or more parameter values were invalid: Null attribute value types must have the value of true")
            }
            return .null
        case "SS": return .stringSet(try set(value, "An string set  may not be empty", text))
        case "NS": return .numberSet(try set(value, "An number set  may not be empty", number))
        case "BS": return .binarySet(try set(value, "Binary sets should not be empty", blob))
        default: return nil
        }
    }

    /// The attributes of an item or the members of a map; of two of one name the last one counts.
    static func members(of node: JSONNode, depth: Int = 0) throws(ServiceError) -> [Member] {
        guard node.kind == .object else {
            throw node.kind == .array
                ? .serialization(
                    "Unrecognized collection type java.util.Map<java.lang.String, "
                        + "com.amazonaws.dynamodb.v20120810.AttributeValue>")
                : .serialization("Unexpected field type")
        }
        var members: [Member] = []
        members.reserveCapacity(node.count)
        for (name, value) in node.members {
            members.append(Member(name: Array(name), value: try AttributeValue(value, depth: depth)))
        }
        guard members.count > 1 else { return members }
        var places: [[UInt8]: Int] = [:]
        for (place, member) in members.enumerated() { places[member.name] = place }
        guard places.count < members.count else { return members }
        return members.enumerated().filter { places[$1.name] == $0 }.map { $1 }
    }

    private static func text(_ node: JSONNode) throws(ServiceError) -> [UInt8] {
        guard node.kind == .string else { throw .wrongType(node, wanted: "String") }
        return Array(node.bytes)
    }

    private static func number(_ node: JSONNode) throws(ServiceError) -> DecimalNumber {
        guard node.kind == .string else { throw .wrongType(node, wanted: "String") }
        return try DecimalNumber(node.bytes)
    }

    private static func blob(_ node: JSONNode) throws(ServiceError) -> [UInt8] {
        guard node.kind == .string else {
            throw node.kind == .array
                ? .serialization("Unrecognized collection type class java.nio.ByteBuffer")
                : .serialization("only base-64-encoded strings are convertible to bytes")
        }
        let text = node.bytes
        guard text.count % 4 == 0 else {
            throw .serialization(
                "Base64 encoded length is expected a multiple of 4 bytes but found: \(text.count)")
        }
        var count: Int?
        let decoded = [UInt8](unsafeUninitializedCapacity: Base64.maximumDecodedCount(text.count)) { room, used in
            count = Base64.decode(text, into: UnsafeMutableRawBufferPointer(room))
            used = count ?? 0
        }
        guard count != nil else { throw .serialization("Invalid Base64 character detected") }
        return decoded
    }

    private static func flag(_ node: JSONNode) throws(ServiceError) -> Bool {
        if let flag = node.boolean { return flag }
        guard node.kind == .string else { throw .wrongType(node, wanted: "Boolean") }
        switch (node.text ?? "").uppercased() {
        case "TRUE", "1", "YES": return true
        case "FALSE", "0", "NO": return false
        default: throw .serialization("Unexpected token received from parser")
        }
    }

    private static func list(_ node: JSONNode) throws(ServiceError) -> JSONElements {
        guard node.kind == .array else {
            throw node.kind == .object
                ? .serialization("Start of structure or map found where not expected")
                : .serialization("Unexpected field type")
        }
        return node.elements
    }

    private static func set<Element: Hashable>(
        _ node: JSONNode, _ emptyMessage: String, _ read: (JSONNode) throws(ServiceError) -> Element
    ) throws(ServiceError) -> [Element] {
        var elements: [Element] = []
        for element in try list(node) { elements.append(try read(element)) }
        guard !elements.isEmpty else {
            throw .validation("One or more parameter values were invalid: \(emptyMessage)")
        }
        guard Set(elements).count == elements.count else {
            throw .validation("One or more parameter values were invalid: Input collection contains duplicates.")
        }
        return elements
    }
}

extension ServiceError {
    /// A JSON value stands where one of another type belongs.
    static func wrongType(_ node: JSONNode, wanted: String) -> ServiceError {
        switch node.kind {
        case .boolean:
            .serialization("\(node.boolean == true ? "TRUE" : "FALSE")_VALUE cannot be converted to \(wanted)")
        case .number:
            .serialization("\(node.integer != nil ? "NUMBER" : "DECIMAL")_VALUE cannot be converted to \(wanted)")
        case .string: .serialization("STRING_VALUE cannot be converted to \(wanted)")
        case .array: .serialization("Unrecognized collection type class java.lang.\(wanted)")
        case .object, .null: .serialization("Start of structure or map found where not expected")
        }
    }
}
