/// Builds the tree of an HCL 1 file.
///
/// Which mistake is reported, and where, follows the parser in hashicorp/hcl v1.0.1-vault-5, `hcl/parser`, so that
/// messages agree with the stock command's.
struct HCLParser {
    private var lexer: HCLLexer
    private var token: Token
    private var isPutBack = false
    /// Set when the token that failed must not pass for the end of its object.
    private var isTokenSpent = false
    /// A failure at a closing brace, passed over because the object may end there.
    private var passedOver: Diagnostic?
    /// The line in which the last value ended; what follows in it may be the rest of that value.
    private var lineOfLastValue = 0

    /// Parses a whole file.
    ///
    /// - Throws: The last lexical fault if there was one, else the failure that stopped the parser.
    static func parse(_ source: SourceText) throws(Diagnostic) -> ObjectNode {
        var parser = HCLParser(bytes: source.bytes)
        return try parser.parseFile()
    }

    private init(bytes: [UInt8]) {
        lexer = HCLLexer(bytes: bytes)
        let start = SourcePosition(line: 1, column: 1, offset: 0)
        token = Token(kind: .end, place: Place(position: start), end: start)
    }

    private mutating func parseFile() throws(Diagnostic) -> ObjectNode {
        let start = SourcePosition(line: 1, column: 1, offset: 0)
        do throws(ParseFailure) {
            let items = try parseItems(isBraced: false, depth: 0)
            if let fault = lexer.cursor.fault { throw ParseFailure.syntax(fault.diagnostic(prefix: "At ")) }
            return ObjectNode(items: items, range: SourceRange(start: start, end: lexer.cursor.position))
        } catch {
            if let fault = lexer.cursor.fault { throw fault.diagnostic(prefix: "At ") }
            switch error {
            case .syntax(let diagnostic), .limit(let diagnostic): throw diagnostic
            case .endOfInput: return ObjectNode(items: [], range: SourceRange(start: start, end: start))
            }
        }
    }

    /// The items of the file or of a braced object, up to its closing brace, which is left.
    ///
    /// An item cut off by the end of the text (`path =`) is dropped, as HCL 1 does.
    private mutating func parseItems(isBraced: Bool, depth: Int) throws(ParseFailure) -> [ObjectItem] {
        var items: [ObjectItem] = []
        while true {
            if isBraced {
                let kind = scan().kind
                putBack()
                if kind == .rightBrace { return items }
            }
            do throws(ParseFailure) {
                items.append(try parseItem(depth: depth))
            } catch {
                switch error {
                case .endOfInput: return items
                case .syntax(let diagnostic) where isBraced && token.kind == .rightBrace && !isTokenSpent:
                    passedOver = diagnostic
                    return items
                default: throw error
                }
            }
            if scan().kind != .comma { putBack() }
        }
    }

    private mutating func parseItem(depth: Int) throws(ParseFailure) -> ObjectItem {
        let keys = try parseKeys(depth: depth)
        let isAssignment = token.kind == .assign
        let value: Node
        switch token.kind {
        case .assign where !isTokenSpent:
            value = try parseValue(depth: depth + keys.count - 1)
        case .leftBrace where !isTokenSpent:
            value = try parseObject(depth: depth + keys.count - 1)
        default:
            throw .at(
                token, "key '\(shownKeys(keys))' expected start of object ('{') or assignment ('=')",
                "Write name = value for a setting, or name { … } for a block.")
        }
        lineOfLastValue = value.range.end.line
        // HCL 1 reads one token ahead here, which decides what fault it meets last.
        _ = scan()
        putBack()
        return ObjectItem(keys: keys, value: value, hasAssignment: isAssignment)
    }

    /// Keys as they are written, except what may be a value that lacks its `=`, or the rest of one that has a quotation
    /// mark in it or was broken over lines. A word that stands alone is shown only if it is one that every file may have.
    private func shownKeys(_ keys: [SettingKey]) -> String {
        if let first = keys.first, first.range.start.line == lineOfLastValue { return "***" }
        return keys.enumerated().map { index, key in
            let text = String(decoding: lexer.cursor.text(from: key.range), as: UTF8.self)
            let isShown =
                index > 0
                ? knownStorageTypes.contains(key.text.lowercased())
                : keys.count > 1 ? looksLikeName(key.text) : isHarmlessAlone(key.text)
            return isShown ? text : text.hasPrefix("\"") ? "\"***\"" : "***"
        }.joined(separator: " ")
    }

    /// Reads keys up to `=` or `{`, which becomes the current token; without one of the two the item is broken, and
    /// the caller says so.
    private mutating func parseKeys(depth: Int) throws(ParseFailure) -> [SettingKey] {
        var keys: [SettingKey] = []
        while true {
            let token = scan()
            switch token.kind {
            case .end:
                if keys.isEmpty { throw .endOfInput }
                return keys
            case .assign:
                if keys.count > 1 {
                    throw .at(
                        token, "nested object expected: LBRACE got: ASSIGN",
                        "A block with labels has no =; a setting has a single name.")
                }
                if keys.isEmpty {
                    throw .at(token, "no object keys found!", "Write a name before the =.")
                }
                return keys
            case .leftBrace:
                if keys.isEmpty {
                    throw .at(token, "expected: IDENT | STRING got: LBRACE", "Write a name before the brace.")
                }
                return keys
            case .identifier, .string:
                keys.append(try key(token))
                if depth + keys.count > Limits.depth { throw .tooDeep(at: token) }
            case .illegal:
                throw .at(token, "illegal character", "Remove the character.")
            case .rightBrace where !keys.isEmpty:
                isTokenSpent = true
                return keys
            default:
                throw .at(
                    token, "expected: IDENT | STRING | ASSIGN | LBRACE got: \(token.kind.rawValue)",
                    "A name was expected here, plain or in double quotes.")
            }
        }
    }

    private func key(_ token: Token) throws(ParseFailure) -> SettingKey {
        let text = lexer.text(of: token)
        if token.kind == .identifier {
            return SettingKey(text: String(decoding: text, as: UTF8.self), range: token.range)
        }
        // After a lexical fault the text means nothing, and the fault is what gets reported.
        if lexer.cursor.fault != nil { return SettingKey(text: "", range: token.range) }
        guard let content = unquoted(text, keepsTemplates: true).flatMap(validString) else {
            throw .at(token, "illegal char escape", "The name has an escape that stands for no text.")
        }
        return SettingKey(text: content, range: token.range)
    }

    private mutating func parseValue(depth: Int) throws(ParseFailure) -> Node {
        let token = scan()
        switch token.kind {
        case .number, .float, .boolean, .string, .heredoc: return literal(token)
        case .leftBrace: return try parseObject(depth: depth)
        case .leftBracket: return try parseList(depth: depth)
        case .end: throw .endOfInput
        default:
            let text = String(decoding: lexer.text(of: token), as: UTF8.self)
            let detail =
                token.kind == .identifier
                ? "Put text into double quotes; bare words other than true and false are not values."
                : "A value was expected here: a number, true, false, a string in double quotes, a list or an object."
            throw .at(
                token, "Unknown token: \(token.place.incumbentText) \(token.kind.rawValue) \(shownWord(text))", detail)
        }
    }

    /// Parses an object whose opening brace is the current token.
    private mutating func parseObject(depth: Int) throws(ParseFailure) -> Node {
        let start = token.place.position
        if depth >= Limits.depth { throw .tooDeep(at: token) }
        let items = try parseItems(isBraced: true, depth: depth + 1)
        let closing = scan()
        guard closing.kind == .rightBrace else {
            let before = passedOver.map { " Before that: \($0.incumbentText)." } ?? ""
            throw .at(
                closing, "object expected closing RBRACE got: \(closing.kind.rawValue)",
                "The object that begins at \(start) is not closed with }.\(before)")
        }
        let range = SourceRange(start: start, end: closing.end)
        return Node(value: .object(ObjectNode(items: items, range: range)), range: range)
    }

    /// Parses a list whose opening bracket is the current token.
    private mutating func parseList(depth: Int) throws(ParseFailure) -> Node {
        let start = token.place.position
        if depth >= Limits.depth { throw .tooDeep(at: token) }
        var elements: [Node] = []
        var needsComma = false
        while true {
            let token = scan()
            if needsComma, token.kind != .comma, token.kind != .rightBracket {
                throw .at(
                    token, "error parsing list, expected comma or list end, got: \(token.kind.rawValue)",
                    "Separate the elements with commas and close the list with ].")
            }
            switch token.kind {
            case .boolean, .number, .float, .string, .heredoc:
                elements.append(literal(token))
                needsComma = true
            case .comma:
                _ = scan()
                putBack()
                needsComma = false
            case .leftBrace:
                do throws(ParseFailure) {
                    elements.append(try parseObject(depth: depth + 1))
                } catch {
                    throw wrapped(error, "object within", token)
                }
                needsComma = true
            case .leftBracket:
                // HCL 1 asks for no comma after a nested list.
                do throws(ParseFailure) {
                    elements.append(try parseList(depth: depth + 1))
                } catch {
                    throw wrapped(error, "list within", token)
                }
            case .rightBracket:
                return Node(value: .list(elements), range: SourceRange(start: start, end: token.end))
            default:
                throw .at(
                    token, "unexpected token while parsing list: \(token.kind.rawValue)",
                    "Elements are numbers, true, false, strings in double quotes, lists and objects.")
            }
        }
    }

    /// The failure of an element. The stock command names the list's place as well; ours keeps the precise one.
    private func wrapped(_ failure: ParseFailure, _ what: String, _ token: Token) -> ParseFailure {
        guard case .syntax(var diagnostic) = failure else { return failure }
        diagnostic.incumbentText =
            "At \(token.place.incumbentText): error while trying to parse \(what) list: \(diagnostic.incumbentText)"
        return .syntax(diagnostic)
    }

    private func literal(_ token: Token) -> Node {
        hclLiteral(kind: token.kind, text: lexer.text(of: token), range: token.range)
    }

    /// Makes the next token that is not a comment the current one.
    @discardableResult
    private mutating func scan() -> Token {
        if isPutBack {
            isPutBack = false
            return token
        }
        repeat { token = lexer.nextToken() } while token.kind == .comment
        isTokenSpent = false
        return token
    }

    /// Lets the next `scan()` give out the current token again.
    private mutating func putBack() {
        isPutBack = true
    }
}
