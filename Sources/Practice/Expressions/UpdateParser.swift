/// Reads UpdateExpressions.
struct UpdateParser {
    /// Operators and functions in one expression (Developer Guide, "Quotas: Expression parameters").
    private static let maximumOperators = 300
    private static let maximumDepth = 32

    private var lexer: ExpressionLexer
    private var operators = 0

    /// Reads a whole expression.
    ///
    /// - Parameter table: The table whose key attributes may not be changed.
    static func parse(
        _ text: String, _ context: inout ExpressionContext, _ table: TableDefinition
    ) throws(ServiceError) -> Update {
        var parser = UpdateParser(lexer: try ExpressionLexer(text, .update))
        var update = Update()
        var sections: Set<String> = []
        while parser.lexer.peek != .end {
            guard case .word(let word) = parser.lexer.peek else { throw parser.lexer.syntaxError }
            let section = word.uppercased()
            guard ["SET", "REMOVE", "ADD", "DELETE"].contains(section) else { throw parser.lexer.syntaxError }
            _ = parser.lexer.next()
            guard sections.insert(section).inserted else {
                throw ExpressionContext.Kind.update.invalid(
                    "The \"\(section)\" section can only be used once in an update expression;")
            }
            repeat { update.actions.append(try parser.action(section, &context)) } while parser.lexer.take(",")
        }
        try Projection.checkOverlaps(update.actions.map(\.path), .update)
        for action in update.actions where table.isKeyAttribute(action.path.name) {
            throw .validation(
                "One or more parameter values were invalid: Cannot update attribute "
                    + "\(String(decoding: action.path.name, as: UTF8.self)). This attribute is part of the key")
        }
        return update
    }

    private init(lexer: ExpressionLexer) {
        self.lexer = lexer
    }

    private mutating func action(
        _ section: String, _ context: inout ExpressionContext
    ) throws(ServiceError) -> Update.Action {
        let path = try DocumentPath(&lexer, &context)
        try countOperator()
        switch section {
        case "REMOVE": return .remove(path)
        case "SET":
            guard lexer.next() == .comparator("=") else { throw lexer.syntaxError }
            return .set(path, try sum(&context))
        default: break
        }
        guard case .value(let placeholder) = lexer.peek else { throw lexer.syntaxError }
        _ = lexer.next()
        let value = try context.value(placeholder, in: .update)
        switch value {
        case .stringSet, .numberSet, .binarySet: break
        case .number where section == "ADD": break
        default:
            throw lexer.kind.invalid(
                "Incorrect operand type for operator or function; operator: \(section), operand type: "
                    + "\(value.typeDescription)")
        }
        return section == "ADD" ? .add(path, value) : .delete(path, value)
    }

    private mutating func sum(_ context: inout ExpressionContext) throws(ServiceError) -> Update.Term {
        let left = try term(&context, depth: 0)
        let isSum = lexer.take("+")
        guard isSum || lexer.take("-") else { return left }
        try countOperator()
        let right = try term(&context, depth: 0)
        for case .value(let value) in [left, right] {
            guard case .number = value else {
                throw lexer.kind.invalid(
                    "Incorrect operand type for operator or function; operator or function: \(isSum ? "+" : "-"), "
                        + "operand type: \(value.typeName)")
            }
        }
        return isSum ? .sum(left, right) : .difference(left, right)
    }

    private mutating func term(
        _ context: inout ExpressionContext, depth: Int
    ) throws(ServiceError) -> Update.Term {
        guard depth < Self.maximumDepth else {
            throw lexer.kind.invalid("The expression has too many nested levels; nesting levels: \(depth)")
        }
        if lexer.take("(") {
            let inner = try term(&context, depth: depth + 1)
            try lexer.expect(")")
            return inner
        }
        if case .value(let placeholder) = lexer.peek {
            _ = lexer.next()
            return .value(try context.value(placeholder, in: .update))
        }
        guard case .word(let name) = lexer.peek, lexer.second == .mark("(") else {
            return .path(try DocumentPath(&lexer, &context))
        }
        return try function(name, &context, depth)
    }

    private mutating func function(
        _ name: String, _ context: inout ExpressionContext, _ depth: Int
    ) throws(ServiceError) -> Update.Term {
        guard name == "if_not_exists" || name == "list_append" else {
            throw lexer.kind.invalid("Invalid function name; function: \(name)")
        }
        _ = lexer.next()
        try countOperator()
        try lexer.expect("(")
        var arguments = [try term(&context, depth: depth + 1)]
        while lexer.take(",") { arguments.append(try term(&context, depth: depth + 1)) }
        try lexer.expect(")")
        guard arguments.count == 2 else {
            throw lexer.kind.invalid(
                "Incorrect number of operands for operator or function; operator or function: \(name), number of "
                    + "operands: \(arguments.count)")
        }
        if name == "list_append" {
            for case .value(let value) in arguments {
                guard case .list = value else {
                    throw lexer.kind.invalid(
                        "Incorrect operand type for operator or function; operator or function: list_append, operand "
                            + "type: \(value.typeName)")
                }
            }
            return .appended(arguments[0], arguments[1])
        }
        guard case .path(let path) = arguments[0] else {
            throw lexer.kind.invalid(
                "Operator or function requires a document path; operator or function: if_not_exists")
        }
        return .ifNotExists(path, arguments[1])
    }

    private mutating func countOperator() throws(ServiceError) {
        operators += 1
        guard operators <= Self.maximumOperators else {
            throw lexer.kind.invalid("The expression contains too many operators; operator count: \(operators)")
        }
    }
}

extension AttributeValue {
    /// The type's name as messages about ADD and DELETE spell it.
    var typeDescription: String {
        switch self {
        case .string: "STRING"
        case .number: "NUMBER"
        case .binary: "BINARY"
        case .boolean: "BOOLEAN"
        case .null: "NULL"
        case .list: "LIST"
        case .map: "MAP"
        default: typeName.description
        }
    }
}
