/// Cuts an expression into tokens and hands them out one after the other.
struct ExpressionLexer {
    enum Token: Equatable {
        /// A plain word: name, keyword or function.
        case word(String)
        /// `#name`.
        case name(String)
        /// `:value`.
        case value(String)
        case number(Int)
        /// `= <> < <= > >=`
        case comparator(String)
        /// `( ) [ ] , . + -`
        case mark(Character)
        case end

        var text: String {
            switch self {
            case .word(let text), .name(let text), .value(let text), .comparator(let text): text
            case .number(let number): String(number)
            case .mark(let character): String(character)
            case .end: "<EOF>"
            }
        }
    }

    let kind: ExpressionContext.Kind
    private var tokens: [Token] = []
    /// How many tokens were taken.
    private(set) var position = 0

    /// - Throws: A validation error for a text that is empty, too long, or has characters no expression has.
    init(_ text: String, _ kind: ExpressionContext.Kind) throws(ServiceError) {
        self.kind = kind
        let bytes = Array(text.utf8)
        guard bytes.count <= ExpressionContext.maximumBytes else {
            throw kind.invalid(
                "Expression size has exceeded the maximum allowed size; expression size: \(bytes.count)")
        }
        var rest = bytes[...]
        while let byte = rest.first {
            if [0x20, 0x09, 0x0a, 0x0d].contains(byte) {
                rest.removeFirst()
            } else if let token = Self.token(&rest) {
                tokens.append(token)
            } else {
                let near = String(decoding: bytes.suffix(from: max(rest.startIndex - 8, 0)).prefix(20), as: UTF8.self)
                let odd = String(decoding: rest, as: UTF8.self).prefix(1)
                throw kind.invalid("Syntax error; token: \"\(odd)\", near: \"\(near)\"")
            }
        }
        if tokens.isEmpty { throw kind.invalid("The expression can not be empty;") }
        tokens.append(.end)
    }

    static func isNamePart(_ byte: UInt8) -> Bool { isLetter(byte) || byte &- 0x30 <= 9 }

    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 || byte == UInt8(ascii: "_") }

    private static func token(_ rest: inout ArraySlice<UInt8>) -> Token? {
        guard let first = rest.first else { return nil }
        switch first {
        case UInt8(ascii: "#"), UInt8(ascii: ":"):
            let name = rest.dropFirst().prefix(while: isNamePart)
            let text = String(decoding: rest.prefix(name.count + 1), as: UTF8.self)
            rest = rest.dropFirst(name.count + 1)
            return first == UInt8(ascii: "#") ? .name(text) : .value(text)
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            let digits = rest.prefix { $0 &- 0x30 <= 9 }
            rest = rest.dropFirst(digits.count)
            return Int(String(decoding: digits, as: UTF8.self)).map { .number($0) }
        case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "="):
            let two = String(decoding: rest.prefix(2), as: UTF8.self)
            let text = ["<>", "<=", ">="].contains(two) ? two : String(two.prefix(1))
            rest = rest.dropFirst(text.utf8.count)
            return .comparator(text)
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ","),
            UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"):
            rest.removeFirst()
            return .mark(Character(UnicodeScalar(first)))
        default:
            guard isLetter(first) else { return nil }
            let word = rest.prefix(while: isNamePart)
            rest = rest.dropFirst(word.count)
            return .word(String(decoding: word, as: UTF8.self))
        }
    }

    /// The next token, not taken.
    var peek: Token { position < tokens.count ? tokens[position] : .end }

    /// The token behind the next one.
    var second: Token { position + 1 < tokens.count ? tokens[position + 1] : .end }

    /// Takes the next token.
    mutating func next() -> Token {
        let token = peek
        if position < tokens.count { position += 1 }
        return token
    }

    /// Takes the next token if it is that mark.
    mutating func take(_ mark: Character) -> Bool {
        guard peek == .mark(mark) else { return false }
        position += 1
        return true
    }

    /// Takes the next token if it is that word, in any case.
    mutating func takeKeyword(_ word: String) -> Bool {
        guard case .word(let found) = peek, found.uppercased() == word else { return false }
        position += 1
        return true
    }

    mutating func expect(_ mark: Character) throws(ServiceError) {
        guard take(mark) else { throw syntaxError }
    }

    mutating func expectEnd() throws(ServiceError) {
        guard peek == .end else { throw syntaxError }
    }

    /// The error for a next token that cannot stand there.
    var syntaxError: ServiceError {
        let near = tokens[max(position - 1, 0)..<min(position + 2, tokens.count)].filter { $0 != .end }
        return kind.invalid(
            "Syntax error; token: \"\(peek.text)\", near: \"\(near.map(\.text).joined(separator: " "))\"")
    }
}
