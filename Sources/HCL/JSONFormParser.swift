/// Builds the tree of the JSON form.
///
/// A comma before a closing brace or bracket is accepted. What HCL 1 misreads in silence is refused instead: a missing
/// comma, colon or bracket, and text after the root object would make it drop the rest of the file.
struct JSONFormParser {
    private var lexer: JSONLexer
    private var token: Token

    /// Parses a whole file and brings it into the shape of HCL.
    ///
    /// - Throws: The last lexical fault if there was one, else the failure that stopped the parser.
    static func parse(_ source: SourceText) throws(Diagnostic) -> ObjectNode {
        var parser = JSONFormParser(bytes: source.bytes)
        do throws(ParseFailure) {
            let root = try parser.parseRoot()
            if let fault = parser.lexer.cursor.fault { throw .syntax(fault.diagnostic(prefix: "")) }
            return flattened(root)
        } catch {
            if let fault = parser.lexer.cursor.fault { throw fault.diagnostic(prefix: "") }
            switch error {
            case .syntax(let diagnostic), .limit(let diagnostic): throw diagnostic
            case .endOfInput: throw Diagnostic(summary: "EOF token found")
            }
        }
    }

    private init(bytes: [UInt8]) {
        lexer = JSONLexer(bytes: bytes)
        let start = SourcePosition(line: 1, column: 1, offset: 0)
        token = Token(kind: .end, place: Place(position: start), end: start)
    }

    private mutating func parseRoot() throws(ParseFailure) -> ObjectNode {
        // The caller saw an opening brace, but possibly behind white space that JSON does not know.
        guard scan().kind == .leftBrace else { throw unexpected("an object") }
        let root = try parseObject(depth: 0)
        guard scan().kind == .end, token.range.start.offset == lexer.cursor.bytes.count else {
            throw unexpected("the end of the file")
        }
        return root
    }

    /// Parses an object whose opening brace is the current token.
    private mutating func parseObject(depth: Int) throws(ParseFailure) -> ObjectNode {
        let start = token.place.position
        if depth >= Limits.depth { throw .tooDeep(at: token) }
        var items: [ObjectItem] = []
        while true {
            if scan().kind == .rightBrace { break }
            let keys = try parseKeys(depth: depth)
            let value = try parseValue(depth: depth + keys.count)
            items.append(ObjectItem(keys: keys, value: value, hasAssignment: true))
            let next = scan().kind
            if next == .rightBrace { break }
            if next != .comma { throw unexpected("a comma or the closing brace") }
        }
        return ObjectNode(items: items, range: SourceRange(start: start, end: token.end))
    }

    /// Reads the keys that begin with the current token, and the colon. HCL 1 allows several (`"a" "b": 1`).
    private mutating func parseKeys(depth: Int) throws(ParseFailure) -> [SettingKey] {
        var keys: [SettingKey] = []
        while token.kind == .string {
            let content = unquoted(lexer.text(of: token), keepsTemplates: false).flatMap(validString)
            if content == nil, lexer.cursor.fault == nil {
                throw .at(token, "illegal char escape", "The name has an escape that stands for no text.")
            }
            keys.append(SettingKey(text: content ?? "", range: token.range))
            if depth + keys.count > Limits.depth { throw .tooDeep(at: token) }
            scan()
        }
        if token.kind == .colon, !keys.isEmpty { return keys }
        if token.kind == .end { throw unexpected(keys.isEmpty ? "a name" : "a colon") }
        let summary = token.kind == .illegal ? "illegal" : "expected: STRING got: \(token.kind.rawValue)"
        throw .syntax(
            Diagnostic(
                summary: summary, detail: "Members are written \"name\": value.", range: token.range,
                incumbentText: summary))
    }

    private mutating func parseValue(depth: Int) throws(ParseFailure) -> Node {
        switch scan().kind {
        case .number, .float, .boolean, .null, .string: return literal()
        case .leftBrace:
            let object = try parseObject(depth: depth)
            return Node(value: .object(object), range: object.range)
        case .leftBracket: return try parseList(depth: depth)
        case .end: throw unexpected("a value")
        default:
            let text = shownWord(String(decoding: lexer.text(of: token), as: UTF8.self))
            let position = token.place.incumbentText
            let summary = "Expected object value, got unknown token: \(position) \(token.kind.rawValue) \(text)"
            throw .syntax(
                Diagnostic(
                    summary: summary, detail: "A value was expected here.", range: token.range, incumbentText: summary))
        }
    }

    /// Parses a list whose opening bracket is the current token; empty places between commas count for nothing.
    private mutating func parseList(depth: Int) throws(ParseFailure) -> Node {
        let start = token.place.position
        if depth >= Limits.depth { throw .tooDeep(at: token) }
        var elements: [Node] = []
        var needsComma = false
        while true {
            let kind = scan().kind
            if needsComma, kind != .comma, kind != .rightBracket { throw unexpected("a comma or the closing bracket") }
            switch kind {
            case .rightBracket:
                return Node(value: .list(elements), range: SourceRange(start: start, end: token.end))
            case .comma: needsComma = false
            case .number, .float, .string, .boolean: elements.append(literal())
            case .leftBrace:
                let object = try parseObject(depth: depth + 1)
                elements.append(Node(value: .object(object), range: object.range))
            case .leftBracket: elements.append(try parseList(depth: depth + 1))
            default:
                let summary = "unexpected token while parsing list: \(kind.rawValue)"
                throw .syntax(
                    Diagnostic(
                        summary: summary, detail: "An element or the closing bracket was expected here.",
                        range: token.range, incumbentText: summary))
            }
            needsComma = kind != .comma
        }
    }

    private func literal() -> Node {
        jsonLiteral(kind: token.kind, text: lexer.text(of: token), range: token.range)
    }

    private func unexpected(_ wanted: String) -> ParseFailure {
        let found = token.kind == .end ? "the file ends" : "\(token.kind.rawValue) found"
        return .at(token, "\(found) where \(wanted) was expected", "Compare commas and brackets before this place.")
    }

    @discardableResult
    private mutating func scan() -> Token {
        token = lexer.nextToken()
        return token
    }
}
