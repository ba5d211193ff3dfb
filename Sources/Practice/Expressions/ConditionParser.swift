/// Reads conditions: ConditionExpression, FilterExpression and KeyConditionExpression.
struct ConditionParser {
    /// Operators and functions in one expression (Developer Guide, "Quotas: Expression parameters").
    private static let maximumOperators = 300
    /// Operands of IN.
    private static let maximumChoices = 100
    /// Parentheses and NOTs inside one another; the service's bound is not documented.
    private static let maximumDepth = 100

    private var lexer: ExpressionLexer
    private var operators = 0
    private var depth = 0
    /// The tokens between which the parenthesised condition read last stands.
    private var lastGroup: (start: Int, end: Int)?

    private init(_ lexer: ExpressionLexer) {
        self.lexer = lexer
    }

    /// Reads a whole expression.
    static func parse(
        _ text: String, _ kind: ExpressionContext.Kind, _ context: inout ExpressionContext
    ) throws(ServiceError) -> Condition {
        var parser = ConditionParser(try ExpressionLexer(text, kind))
        let condition = try parser.alternatives(&context)
        try parser.lexer.expectEnd()
        return condition
    }

    private mutating func alternatives(_ context: inout ExpressionContext) throws(ServiceError) -> Condition {
        var parts = [try conjunction(&context)]
        while lexer.takeKeyword("OR") {
            try countOperator()
            parts.append(try conjunction(&context))
        }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private mutating func conjunction(_ context: inout ExpressionContext) throws(ServiceError) -> Condition {
        var parts = [try negation(&context)]
        while lexer.takeKeyword("AND") {
            try countOperator()
            parts.append(try negation(&context))
        }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func negation(_ context: inout ExpressionContext) throws(ServiceError) -> Condition {
        guard lexer.takeKeyword("NOT") else { return try primary(&context) }
        try countOperator()
        try descend()
        defer { depth -= 1 }
        return .not(try negation(&context))
    }

    private mutating func primary(_ context: inout ExpressionContext) throws(ServiceError) -> Condition {
        // A parenthesis may hold a condition or an operand; which one shows only behind it.
        guard lexer.peek == .mark("(") else { return try comparison(&context) }
        let before = (lexer, operators, context)
        if let condition = try parenthesised(&context) { return condition }
        (lexer, operators, context) = before
        return try comparison(&context)
    }

    /// A condition in parentheses; `nil` if they hold an operand.
    private mutating func parenthesised(_ context: inout ExpressionContext) throws(ServiceError) -> Condition? {
        try descend()
        defer { depth -= 1 }
        let start = lexer.position
        _ = lexer.next()
        if isOperandAlone() { return nil }
        let condition = try alternatives(&context)
        // The group that was read last, if it is all there was between these parentheses.
        let isRedundant = lastGroup.map { $0.start == start + 1 && $0.end == lexer.position } ?? false
        try lexer.expect(")")
        if isRedundant { throw lexer.kind.invalid("The expression has redundant parentheses;") }
        lastGroup = (start, lexer.position)
        return condition
    }

    /// Whether only a path or value stands between here and the next closing parenthesis.
    private func isOperandAlone() -> Bool {
        var ahead = lexer
        while ahead.take("(") {}
        switch ahead.next() {
        case .word, .name, .value: break
        default: return false
        }
        while true {
            switch ahead.next() {
            case .mark("."), .mark("["), .mark("]"), .number, .name: continue
            case .word(let word): if ["AND", "OR", "BETWEEN", "IN", "NOT"].contains(word.uppercased()) { return false }
            case .mark(")"): return true
            default: return false
            }
        }
    }

    private mutating func comparison(_ context: inout ExpressionContext) throws(ServiceError) -> Condition {
        if case .word(let name) = lexer.peek, lexer.second == .mark("("), name != "size" {
            return try function(name, &context)
        }
        let left = try operand(&context)
        try countOperator()
        if lexer.takeKeyword("BETWEEN") { return try between(left, &context) }
        if lexer.takeKeyword("IN") { return try among(left, &context) }
        guard case .comparator(let text) = lexer.peek, let comparison = Condition.Comparison(rawValue: text) else {
            throw lexer.syntaxError
        }
        _ = lexer.next()
        let right = try operand(&context)
        try checkDistinct(left, right, text)
        return .compare(comparison, left, right)
    }

    private mutating func between(
        _ operand: Condition.Operand, _ context: inout ExpressionContext
    ) throws(ServiceError) -> Condition {
        let lower = try self.operand(&context)
        guard lexer.takeKeyword("AND") else { throw lexer.syntaxError }
        let upper = try self.operand(&context)
        if case .value(let low) = lower, case .value(let high) = upper {
            if "\(low.typeName)" != "\(high.typeName)" {
                throw lexer.kind.invalid(
                    "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: "
                        + "AttributeValue: \(low.shown), upper bound operand: AttributeValue: \(high.shown)")
            }
            if AttributeValue.isLess(high, low) == true {
                throw lexer.kind.invalid(
                    "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound "
                        + "operand: AttributeValue: \(low.shown), upper bound operand: AttributeValue: \(high.shown)")
            }
        }
        return .between(operand, lower, upper)
    }

    private mutating func among(
        _ operand: Condition.Operand, _ context: inout ExpressionContext
    ) throws(ServiceError) -> Condition {
        try lexer.expect("(")
        var choices = [try self.operand(&context)]
        while lexer.take(",") { choices.append(try self.operand(&context)) }
        try lexer.expect(")")
        guard choices.count <= Self.maximumChoices else {
            throw lexer.kind.invalid(
                "The IN operator is provided with too many operands; number of operands: \(choices.count)")
        }
        return .among(operand, choices)
    }

    private mutating func operand(_ context: inout ExpressionContext) throws(ServiceError) -> Condition.Operand {
        if lexer.take("(") {
            try descend()
            defer { depth -= 1 }
            let inner = try operand(&context)
            try lexer.expect(")")
            return inner
        }
        if case .value(let placeholder) = lexer.peek {
            _ = lexer.next()
            return .value(try context.value(placeholder, in: lexer.kind))
        }
        if case .word(let name) = lexer.peek, lexer.second == .mark("(") {
            guard name == "size" else { throw misused(name) }
            return try size(&context)
        }
        return .path(try DocumentPath(&lexer, &context))
    }

    private mutating func size(_ context: inout ExpressionContext) throws(ServiceError) -> Condition.Operand {
        _ = lexer.next()
        let arguments = try arguments(&context)
        try countOperator()
        guard arguments.count == 1 else { throw wrongCount("size", arguments.count) }
        switch arguments[0] {
        case .path(let path): return .size(path)
        case .value(let value):
            guard value.elementCount != nil else { throw wrongOperand("size", value) }
            return .sizeOfValue(value)
        case .size, .sizeOfValue: throw misused("size")
        }
    }

    private mutating func arguments(_ context: inout ExpressionContext) throws(ServiceError) -> [Condition.Operand] {
        try lexer.expect("(")
        try descend()
        defer { depth -= 1 }
        var arguments = [try operand(&context)]
        while lexer.take(",") { arguments.append(try operand(&context)) }
        try lexer.expect(")")
        return arguments
    }

    private mutating func function(
        _ name: String, _ context: inout ExpressionContext
    ) throws(ServiceError) -> Condition {
        let counts = [
            "attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2,
        ]
        guard let wanted = counts[name] else {
            throw lexer.kind.invalid("Invalid function name; function: \(name)")
        }
        _ = lexer.next()
        let arguments = try arguments(&context)
        try countOperator()
        guard arguments.count == wanted else { throw wrongCount(name, arguments.count) }
        if wanted == 2 { try checkDistinct(arguments[0], arguments[1], name) }
        switch name {
        case "begins_with":
            for case .value(let value) in arguments {
                switch value {
                case .string, .binary: break
                default: throw wrongOperand(name, value)
                }
            }
            return .beginsWith(arguments[0], arguments[1])
        case "contains": return .contains(arguments[0], arguments[1])
        default: return try pathFunction(name, arguments)
        }
    }

    private func pathFunction(_ name: String, _ arguments: [Condition.Operand]) throws(ServiceError) -> Condition {
        guard case .path(let path) = arguments[0] else {
            throw lexer.kind.invalid(
                "Operator or function requires a document path; operator or function: \(name)")
        }
        switch name {
        case "attribute_exists": return .exists(path)
        case "attribute_not_exists": return .isAbsent(path)
        default: break
        }
        guard case .value(let value) = arguments[1], case .string(let type) = value else {
            if case .value(let value) = arguments[1] { throw wrongOperand(name, value) }
            throw lexer.syntaxError
        }
        let text = String(decoding: type, as: UTF8.self)
        guard ["S", "N", "B", "NULL", "SS", "BOOL", "L", "BS", "NS", "M"].contains(text) else {
            throw lexer.kind.invalid(
                "Invalid attribute type name found; type: \(text), valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}")
        }
        return .hasType(path, text)
    }

    private mutating func countOperator() throws(ServiceError) {
        operators += 1
        guard operators <= Self.maximumOperators else {
            throw lexer.kind.invalid(
                "The expression contains too many operators; operator count: \(operators)")
        }
    }

    private mutating func descend() throws(ServiceError) {
        depth += 1
        guard depth <= Self.maximumDepth else {
            throw lexer.kind.invalid("The expression has too many nested levels; nesting levels: \(depth)")
        }
    }

    private func checkDistinct(
        _ left: Condition.Operand, _ right: Condition.Operand, _ name: String
    ) throws(ServiceError) {
        guard case .path(let path) = left, left == right else { return }
        throw lexer.kind.invalid(
            "The first operand must be distinct from the remaining operands for this operator or function; operator: "
                + "\(name), first operand: \(path)")
    }

    private func wrongCount(_ name: String, _ count: Int) -> ServiceError {
        lexer.kind.invalid(
            "Incorrect number of operands for operator or function; operator or function: \(name), number of operands: "
                + "\(count)")
    }

    private func wrongOperand(_ name: String, _ value: AttributeValue) -> ServiceError {
        lexer.kind.invalid(
            "Incorrect operand type for operator or function; operator or function: \(name), operand type: "
                + "\(value.typeName)")
    }

    private func misused(_ name: String) -> ServiceError {
        lexer.kind.invalid(
            "The function is not allowed to be used this way in an expression; function: \(name)")
    }
}

extension AttributeValue {
    /// The form in messages: `{S:text}`.
    var shown: String {
        switch self {
        case .string(let bytes): "{S:\(String(decoding: bytes.prefix(80), as: UTF8.self))}"
        case .number(let number): "{N:\(String(decoding: number.text, as: UTF8.self))}"
        default: "{\(typeName)}"
        }
    }
}
