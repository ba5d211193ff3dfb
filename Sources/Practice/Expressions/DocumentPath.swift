/// The way to a value in an item: an attribute's name, then members of maps and elements of lists.
struct DocumentPath: Hashable {
    enum Step: Hashable {
        case member([UInt8])
        case element(Int)
    }

    /// Deepest path (Developer Guide, "Quotas: Attributes").
    private static let maximumSteps = 32

    /// The attribute's name.
    let name: [UInt8]
    let steps: [Step]

    /// Reads a path.
    init(_ lexer: inout ExpressionLexer, _ context: inout ExpressionContext) throws(ServiceError) {
        name = try Self.name(&lexer, &context)
        var steps: [Step] = []
        while true {
            if lexer.take(".") {
                steps.append(.member(try Self.name(&lexer, &context)))
            } else if lexer.take("[") {
                guard case .number(let index) = lexer.peek else { throw lexer.syntaxError }
                _ = lexer.next()
                try lexer.expect("]")
                steps.append(.element(index))
            } else {
                break
            }
            guard steps.count < Self.maximumSteps else {
                throw lexer.kind.invalid(
                    "The document path has too many nesting elements; nesting levels: \(steps.count + 1)")
            }
        }
        self.steps = steps
    }

    init(name: [UInt8]) {
        self.name = name
        steps = []
    }

    private static func name(
        _ lexer: inout ExpressionLexer, _ context: inout ExpressionContext
    ) throws(ServiceError) -> [UInt8] {
        switch lexer.peek {
        case .word(let word):
            guard !ReservedWords.contains(word) else {
                throw lexer.kind.invalid("Attribute name is a reserved keyword; reserved keyword: \(word)")
            }
            _ = lexer.next()
            return Array(word.utf8)
        case .name(let placeholder):
            _ = lexer.next()
            return Array(try context.name(placeholder, in: lexer.kind).utf8)
        default: throw lexer.syntaxError
        }
    }

    /// The value at the path, given the attribute's own.
    func value(in attribute: AttributeValue?) -> AttributeValue? {
        var value = attribute
        for step in steps {
            switch (step, value) {
            case (.member(let name), .map(let members)): value = members.first { $0.name == name }?.value
            case (.element(let index), .list(let elements)): value = index < elements.count ? elements[index] : nil
            default: return nil
            }
        }
        return value
    }

    /// Whether the two mean the same place, or one a part of the other.
    func overlaps(_ other: DocumentPath) -> Bool {
        name == other.name && zip(steps, other.steps).allSatisfy { $0 == $1 }
    }
}

extension DocumentPath: CustomStringConvertible {
    /// The form in messages: `[a, b, [0]]`.
    var description: String {
        let parts =
            [String(decoding: name, as: UTF8.self)]
            + steps.map {
                switch $0 {
                case .member(let name): String(decoding: name, as: UTF8.self)
                case .element(let index): "[\(index)]"
                }
            }
        return "[\(parts.joined(separator: ", "))]"
    }
}
