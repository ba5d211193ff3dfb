import JSON

/// What a Query asks of the key.
struct KeyCondition {
    private enum Test {
        case compare(Condition.Comparison, AttributeValue)
        case between(AttributeValue, AttributeValue)
        case beginsWith(AttributeValue)

        var values: [AttributeValue] {
            switch self {
            case .compare(_, let value), .beginsWith(let value): [value]
            case .between(let lower, let upper): [lower, upper]
            }
        }
    }

    private var tests: [(name: [UInt8], test: Test)] = []

    /// Reads `KeyConditionExpression`.
    static func parse(
        _ request: RequestBody, _ context: inout ExpressionContext
    ) throws(ServiceError) -> KeyCondition {
        guard !request.has("KeyConditions") else {
            throw .validation(
                "Can not use both expression and non-expression parameters in the same request: Non-expression "
                    + "parameters: {KeyConditions} Expression parameters: {KeyConditionExpression}")
        }
        let text = try request.string("KeyConditionExpression") ?? ""
        var key = KeyCondition()
        try key.add(try ConditionParser.parse(text, .keyCondition, &context))
        return key
    }

    private mutating func add(_ condition: Condition) throws(ServiceError) {
        switch condition {
        case .all(let parts):
            for part in parts { try add(part) }
        case .compare(.notEqual, _, _): throw Self.invalidOperator("<>")
        case .compare(let comparison, .path(let path), .value(let value)):
            try add(path, .compare(comparison, value))
        case .compare(let comparison, .value(let value), .path(let path)):
            try add(path, .compare(comparison.mirrored, value))
        case .between(.path(let path), .value(let lower), .value(let upper)):
            try add(path, .between(lower, upper))
        case .beginsWith(.path(let path), .value(let prefix)): try add(path, .beginsWith(prefix))
        case .any: throw Self.invalidOperator("OR")
        case .not: throw Self.invalidOperator("NOT")
        case .among: throw Self.invalidOperator("IN")
        case .exists: throw Self.invalidOperator("attribute_exists")
        case .isAbsent: throw Self.invalidOperator("attribute_not_exists")
        case .hasType: throw Self.invalidOperator("attribute_type")
        case .contains: throw Self.invalidOperator("contains")
        case .compare(_, .path, .path), .between, .beginsWith(.path, _):
            throw .validation(
                "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
        case .compare(_, .value, .value), .beginsWith:
            throw .validation("Invalid condition in KeyConditionExpression: No key attribute specified")
        case .compare:
            throw .validation("KeyConditionExpressions cannot contain nested operations")
        }
    }

    private static func invalidOperator(_ name: String) -> ServiceError {
        .validation("Invalid operator used in KeyConditionExpression: \(name)")
    }

    private mutating func add(_ path: DocumentPath, _ test: Test) throws(ServiceError) {
        guard path.steps.isEmpty else {
            throw .validation("KeyConditionExpressions cannot have conditions on nested attributes")
        }
        guard !tests.contains(where: { $0.name == path.name }) else {
            throw .validation("KeyConditionExpressions must only contain one condition per key")
        }
        tests.append((path.name, test))
    }

    /// Reads `KeyConditions`, the form before expressions, which Vault's backend uses.
    static func legacy(_ request: RequestBody) throws(ServiceError) -> KeyCondition {
        guard let conditions = try request.object("KeyConditions") else { return KeyCondition() }
        var key = KeyCondition()
        for (name, node) in conditions.members {
            let condition = try RequestBody(node)
            let name = Array(name)
            var values: [AttributeValue] = []
            if let list = try condition.array("AttributeValueList") {
                for element in list.elements { values.append(try AttributeValue(element)) }
            }
            let comparison = try condition.choice(
                "ComparisonOperator", at: "keyConditions.member.comparisonOperator",
                among: [
                    "IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL", "NE", "LE", "BEGINS_WITH",
                    "GE", "CONTAINS",
                ])
            guard let comparison else {
                throw .constraint(
                    "null", at: "keyConditions.member.comparisonOperator", "Member must not be null")
            }
            guard values.count == (comparison == "BETWEEN" ? 2 : 1) else {
                throw .validation(
                    "One or more parameter values were invalid: Invalid number of argument(s) for the \(comparison) "
                        + "ComparisonOperator")
            }
            let operators: [String: Condition.Comparison] = [
                "EQ": .equal, "LT": .less, "LE": .lessOrEqual, "GT": .greater, "GE": .greaterOrEqual,
            ]
            if let known = operators[comparison] {
                key.tests.append((name, .compare(known, values[0])))
            } else if comparison == "BETWEEN" {
                key.tests.append((name, .between(values[0], values[1])))
            } else if comparison == "BEGINS_WITH" {
                key.tests.append((name, .beginsWith(values[0])))
            } else {
                throw .validation("Attempted conditional constraint is not an indexable operation")
            }
        }
        return key
    }

    /// The places that meet the condition: they lie side by side.
    func range(_ table: TableDefinition) throws(ServiceError) -> StoreSession.Range {
        guard (1...2).contains(tests.count) else {
            throw .validation("Conditions can be of length 1 or 2 only")
        }
        for key in table.keyAttributes {
            for test in tests where test.name.elementsEqual(key.name.utf8) {
                guard test.test.values.allSatisfy(key.type.fits) else {
                    throw .validation(
                        "One or more parameter values were invalid: Condition parameter type does not match schema type"
                    )
                }
            }
        }
        guard let partition = test(table.partitionKey) else {
            throw .validation("Query condition missed key schema element: \(table.partitionKey.name)")
        }
        guard case .compare(.equal, let value) = partition else {
            throw .validation("Query key condition not supported")
        }
        guard !ItemPosition.sortable(value).isEmpty else {
            throw .validation(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                    + "empty string value. Key: \(table.partitionKey.name)")
        }
        let prefix = ItemPosition.prefix(value)
        guard tests.count == 2 else {
            return StoreSession.Range(lower: prefix, upper: ItemPosition.end(ofPrefix: prefix))
        }
        guard let sortKey = table.sortKey else { throw .validation("Query key condition not supported") }
        guard let sort = test(sortKey) else {
            throw .validation("Query condition missed key schema element: \(sortKey.name)")
        }
        return Self.range(prefix, sort)
    }

    private func test(_ key: TableDefinition.KeyAttribute) -> Test? {
        tests.first { $0.name.elementsEqual(key.name.utf8) }?.test
    }

    private static func range(_ prefix: [UInt8], _ sort: Test) -> StoreSession.Range {
        let end = ItemPosition.end(ofPrefix: prefix)
        switch sort {
        case .beginsWith(let value):
            let start = prefix + ItemPosition.sortable(value)
            return StoreSession.Range(lower: start, upper: ItemPosition.end(ofPrefix: start))
        case .between(let lower, let upper):
            return StoreSession.Range(
                lower: prefix + ItemPosition.sortable(lower), upper: prefix + ItemPosition.sortable(upper) + [0])
        case .compare(let comparison, let value):
            // Nothing lies between a key and the same key with a zero byte behind it.
            let at = prefix + ItemPosition.sortable(value)
            switch comparison {
            case .equal, .notEqual: return StoreSession.Range(lower: at, upper: at + [0])
            case .less: return StoreSession.Range(lower: prefix, upper: at)
            case .lessOrEqual: return StoreSession.Range(lower: prefix, upper: at + [0])
            case .greater: return StoreSession.Range(lower: at + [0], upper: end)
            case .greaterOrEqual: return StoreSession.Range(lower: at, upper: end)
            }
        }
    }
}
