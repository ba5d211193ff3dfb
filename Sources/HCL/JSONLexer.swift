/// Splits the JSON form into tokens. Strings have the escapes of HCL, numbers no leading zeros.
struct JSONLexer {
    var cursor: SourceCursor

    init(bytes: [UInt8]) {
        cursor = SourceCursor(bytes: bytes, syntax: .json)
    }

    /// Reads the next token; at the end an `.end` token, as often as asked.
    mutating func nextToken() -> Token {
        var first = cursor.next()
        while isBlank(first) { first = cursor.next() }
        let place = cursor.lastPlace
        let kind = scanToken(startingWith: first)
        return Token(kind: kind, place: place, end: cursor.position)
    }

    /// The bytes of a token as written.
    func text(of token: Token) -> [UInt8] {
        cursor.text(from: token.range)
    }

    private mutating func scanToken(startingWith first: UInt32) -> TokenKind {
        if isLetter(first) { return scanWord() }
        if isDecimal(first) { return scanNumber(startingWith: first) }
        guard let scalar = Unicode.Scalar(first) else { return illegalCharacter("") }
        switch scalar {
        case "\0": return .end
        case "\"":
            scanString()
            return .string
        case "[": return .leftBracket
        case "]": return .rightBracket
        case "{": return .leftBrace
        case "}": return .rightBrace
        case ",": return .comma
        case ":": return .colon
        case ".": return .period
        case "-":
            guard isDecimal(cursor.peek()) else { return illegalCharacter("") }
            return scanNumber(startingWith: cursor.next())
        default: return illegalCharacter(": " + String(Character(scalar)))
        }
    }

    private mutating func illegalCharacter(_ suffix: String) -> TokenKind {
        cursor.report(
            "illegal char\(suffix)",
            "JSON values are strings in double quotes, numbers, true, false, null, lists and objects.")
        return .illegal
    }

    private mutating func scanWord() -> TokenKind {
        let start = cursor.lastPosition
        var scalar = cursor.next()
        while isLetter(scalar) || isDigit(scalar) || scalar == 0x2D { scalar = cursor.next() }
        if scalar != 0 { cursor.stepBack() }
        let length = cursor.position.offset - start.offset
        if length == 4 || length == 5 {
            let word = cursor.text(from: start.offset, to: cursor.position.offset)
            if word == Array("true".utf8) || word == Array("false".utf8) { return .boolean }
            if word == Array("null".utf8) { return .null }
        }
        report(
            "illegal char", "Put text into double quotes; JSON's only bare words are true, false and null.", from: start
        )
        return .illegal
    }

    /// Notes a fault of what began at `start` and has just been read; it lies on one line.
    private mutating func report(_ summary: String, _ detail: String, from start: SourcePosition) {
        let length = cursor.position.column - start.column
        let isAtEnd = cursor.position.offset == cursor.bytes.count
        let place = Place(position: start, columnShift: isAtEnd ? length : length - 1)
        cursor.report(summary, detail, at: place)
    }

    private mutating func scanString() {
        while true {
            let scalar = cursor.next()
            if scalar == 0x22 { return }
            if scalar == 0 || scalar == 0x0A {
                cursor.report(
                    "literal not terminated",
                    "Close the string with a double quote on the same line; a line feed inside it is written \\n.")
                return
            }
            if scalar == 0x5C { cursor.scanEscape() }
        }
    }

    private mutating func scanNumber(startingWith first: UInt32) -> TokenKind {
        let start = cursor.lastPosition
        let firstEnd = cursor.position.offset
        skipDigits()
        let hasLeadingZero = first == 0x30 && cursor.position.offset != firstEnd
        var kind = TokenKind.number
        if cursor.peek() == 0x2E {
            _ = cursor.next()
            skipDigits()
            kind = .float
        }
        if cursor.peek() == 0x65 || cursor.peek() == 0x45 {
            _ = cursor.next()
            if cursor.peek() == 0x2B || cursor.peek() == 0x2D { _ = cursor.next() }
            skipDigits()
            kind = .float
        }
        if hasLeadingZero, kind == .number {
            report("numbers cannot start with 0", "Drop the leading zero, or use a string.", from: start)
        }
        return kind
    }

    private mutating func skipDigits() {
        while isDecimal(cursor.peek()) { _ = cursor.next() }
    }
}
