import JSON

/// The JSON object a request consists of; members are read by name with the type each must have.
struct RequestBody {
    let node: JSONNode

    /// - Throws: A serialization error if the root is no object.
    init(_ node: JSONNode) throws(ServiceError) {
        guard node.kind == .object else {
            throw .serialization(
                node.kind == .array
                    ? "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.Request"
                    : "Unexpected value type in payload")
        }
        self.node = node
    }

    /// A member that is there and not null.
    func member(_ name: String) -> JSONNode? {
        guard let found = node.member(named: name.utf8), found.kind != .null else { return nil }
        return found
    }

    func has(_ name: String) -> Bool { member(name) != nil }

    func string(_ name: String) throws(ServiceError) -> String? {
        guard let found = member(name) else { return nil }
        guard let text = found.text else { throw .wrongType(found, wanted: "String") }
        return text
    }

    func flag(_ name: String) throws(ServiceError) -> Bool? {
        guard let found = member(name) else { return nil }
        if let flag = found.boolean { return flag }
        switch found.text?.uppercased() {
        case "TRUE"?, "1"?, "YES"?: return true
        case "FALSE"?, "0"?, "NO"?: return false
        case .some: throw .serialization("Unexpected token received from parser")
        case nil: throw .wrongType(found, wanted: "Boolean")
        }
    }

    func integer(_ name: String) throws(ServiceError) -> Int? {
        guard let found = member(name) else { return nil }
        if let number = found.integer { return number }
        guard let number = found.double else { throw .wrongType(found, wanted: "Integer") }
        guard let whole = Int(exactly: number.rounded(.down)) else {
            throw .serialization("NUMBER_VALUE cannot be converted to Integer")
        }
        return whole
    }

    func object(_ name: String) throws(ServiceError) -> JSONNode? {
        guard let found = member(name) else { return nil }
        guard found.kind == .object else {
            throw found.kind == .array
                ? .serialization("Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>")
                : .serialization("Unexpected field type")
        }
        return found
    }

    func array(_ name: String) throws(ServiceError) -> JSONNode? {
        guard let found = member(name) else { return nil }
        guard found.kind == .array else {
            throw found.kind == .object
                ? .serialization("Start of structure or map found where not expected")
                : .serialization("Unexpected field type")
        }
        return found
    }

    /// A structure within the request.
    func structure(_ name: String) throws(ServiceError) -> RequestBody? {
        guard let found = try object(name) else { return nil }
        return try RequestBody(found)
    }

    /// A map of attributes, such as a key or an item.
    func attributes(_ name: String) throws(ServiceError) -> [AttributeValue.Member]? {
        guard let found = member(name) else { return nil }
        return try AttributeValue.members(of: found)
    }

    func requiredAttributes(_ name: String, at parameter: String) throws(ServiceError) -> [AttributeValue.Member] {
        guard let found = try attributes(name) else {
            throw .constraint("null", at: parameter, "Member must not be null")
        }
        return found
    }

    /// The name of the table, in the form names have (3 to 255 of `a-zA-Z0-9_.-`), or taken out of its ARN.
    func tableName() throws(ServiceError) -> String {
        guard let text = try string("TableName") else {
            throw .constraint("null", at: "tableName", "Member must not be null")
        }
        return try Self.tableName(text)
    }

    static func tableName(_ text: String) throws(ServiceError) -> String {
        let name =
            text.hasPrefix("arn:aws:dynamodb:")
            ? text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().first.map(String.init) ?? text
            : text
        let isPlain = name.utf8.allSatisfy { ExpressionLexer.isNamePart($0) || $0 == 0x2e || $0 == 0x2d }
        guard isPlain else {
            throw .constraint(
                "'\(name.prefix(255))'", at: "tableName",
                "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
        }
        guard (3...255).contains(name.utf8.count) else {
            throw .validation(
                "TableName must be at least 3 characters long and at most 255 characters long")
        }
        return name
    }

    /// A member whose value is one of a list.
    func choice(_ name: String, at parameter: String, among values: [String]) throws(ServiceError) -> String? {
        guard let text = try string(name) else { return nil }
        guard values.contains(text) else {
            throw .constraint(
                "'\(text.prefix(80))'", at: parameter,
                "Member must satisfy enum value set: [\(values.joined(separator: ", "))]")
        }
        return text
    }

    /// Parameters from before expressions, which the practice table does not know.
    func refuse(_ legacy: [String]) throws(ServiceError) {
        for name in legacy where member(name) != nil {
            throw .validation("The practice table does not know the legacy parameter \(name); use an expression")
        }
    }
}
