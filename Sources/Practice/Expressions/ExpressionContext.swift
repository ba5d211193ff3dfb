import JSON

/// What the expressions of one request share: the names and values they stand for, and which were used.
struct ExpressionContext {
    /// Which of a request's expressions a text is, for messages.
    enum Kind: String {
        case condition = "ConditionExpression"
        case keyCondition = "KeyConditionExpression"
        case filter = "FilterExpression"
        case projection = "ProjectionExpression"
        case update = "UpdateExpression"

        /// The error for a fault in such an expression.
        func invalid(_ message: String) -> ServiceError { .validation("Invalid \(rawValue): \(message)") }
    }

    /// Longest expression, in bytes (Developer Guide, "Quotas: Expression parameters").
    static let maximumBytes = 4096
    /// Longest name or value placeholder.
    private static let maximumPlaceholderBytes = 255
    /// Largest substitution of all names together, and of all values together.
    private static let maximumSubstitutionBytes = 2 << 20

    private var names: [String: String] = [:]
    private var values: [String: AttributeValue] = [:]
    private var unusedNames: Set<String> = []
    private var unusedValues: Set<String> = []

    /// Reads `ExpressionAttributeNames` and `ExpressionAttributeValues`.
    ///
    /// - Parameters:
    ///   - named: Expressions of the operation that are there and those that are not, in the order of messages.
    init(_ request: RequestBody, expressions kinds: [Kind]) throws(ServiceError) {
        let present = kinds.filter { request.has($0.rawValue) }
        let nameNode = try request.object("ExpressionAttributeNames")
        let valueNode = try request.object("ExpressionAttributeValues")
        if nameNode != nil, present.isEmpty {
            throw .validation("ExpressionAttributeNames can only be specified when using expressions")
        }
        let withValues = kinds.filter { $0 != .projection }
        if valueNode != nil, present.allSatisfy({ $0 == .projection }) {
            let verb = withValues.count > 1 ? "are" : "is"
            throw .validation(
                withValues.isEmpty
                    ? "ExpressionAttributeValues can only be specified when using expressions"
                    : "ExpressionAttributeValues can only be specified when using expressions: "
                        + "\(withValues.map(\.rawValue).joined(separator: " and ")) \(verb) null")
        }
        if let nameNode { try readNames(nameNode) }
        if let valueNode { try readValues(valueNode) }
    }

    private mutating func readNames(_ node: JSONNode) throws(ServiceError) {
        guard node.count > 0 else { throw .validation("ExpressionAttributeNames must not be empty") }
        for (key, value) in node.members {
            let key = String(decoding: key, as: UTF8.self)
            guard let name = value.text else { throw .wrongType(value, wanted: "String") }
            guard Self.isPlaceholder(key, "#") else {
                throw .validation("ExpressionAttributeNames contains invalid key: Syntax error; key: \"\(key)\"")
            }
            guard !name.isEmpty, name.utf8.count <= 64 << 10 else {
                throw .validation("ExpressionAttributeNames contains invalid value: \(name.prefix(80)) for key \(key)")
            }
            names[key] = name
            unusedNames.insert(key)
        }
    }

    private mutating func readValues(_ node: JSONNode) throws(ServiceError) {
        guard node.count > 0 else { throw .validation("ExpressionAttributeValues must not be empty") }
        var bytes = 0
        for (key, value) in node.members {
            let key = String(decoding: key, as: UTF8.self)
            guard Self.isPlaceholder(key, ":") else {
                throw .validation("ExpressionAttributeValues contains invalid key: Syntax error; key: \"\(key)\"")
            }
            do throws(ServiceError) {
                let decoded = try AttributeValue(value)
                bytes += decoded.size
                values[key] = decoded
            } catch {
                guard error.name == "ValidationException" else { throw error }
                throw .validation("ExpressionAttributeValues contains invalid value: \(error.message) for key \(key)")
            }
            unusedValues.insert(key)
        }
        guard bytes <= Self.maximumSubstitutionBytes else {
            throw .validation(
                "ExpressionAttributeValues contains values of more than \(Self.maximumSubstitutionBytes) bytes")
        }
    }

    private static func isPlaceholder(_ key: String, _ mark: Character) -> Bool {
        key.first == mark && key.utf8.count > 1 && key.utf8.count <= maximumPlaceholderBytes
            && key.utf8.dropFirst().allSatisfy(ExpressionLexer.isNamePart)
    }

    /// The name that a placeholder stands for.
    mutating func name(_ placeholder: String, in kind: Kind) throws(ServiceError) -> String {
        guard let name = names[placeholder] else {
            throw kind.invalid(
                "An expression attribute name used in the document path is not defined; attribute name: \(placeholder)")
        }
        unusedNames.remove(placeholder)
        return name
    }

    /// The value that a placeholder stands for.
    mutating func value(_ placeholder: String, in kind: Kind) throws(ServiceError) -> AttributeValue {
        guard let value = values[placeholder] else {
            throw kind.invalid(
                "An expression attribute value used in expression is not defined; attribute value: \(placeholder)")
        }
        unusedValues.remove(placeholder)
        return value
    }

    /// Once all expressions are read: names and values that none of them used are an error.
    func checkAllUsed() throws(ServiceError) {
        if !unusedNames.isEmpty {
            throw .validation(
                "Value provided in ExpressionAttributeNames unused in expressions: keys: "
                    + "{\(unusedNames.sorted().joined(separator: ", "))}")
        }
        if !unusedValues.isEmpty {
            throw .validation(
                "Value provided in ExpressionAttributeValues unused in expressions: keys: "
                    + "{\(unusedValues.sorted().joined(separator: ", "))}")
        }
    }
}
