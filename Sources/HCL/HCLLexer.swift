/// Splits HCL 1 text into tokens.
///
/// A lexical fault does not stop it: the fault is kept in the cursor and the token given out as far as it was read.
/// The rules, odd ones included, are those of the scanner in hashicorp/hcl v1.0.1-vault-5, `hcl/scanner`.
struct HCLLexer {
    var cursor: SourceCursor

    init(bytes: [UInt8]) {
        cursor = SourceCursor(bytes: bytes, syntax: .hcl)
    }

    /// Reads the next token, comments included; at the end an `.end` token, as often as asked.
    mutating func nextToken() -> Token {
        var first = cursor.next()
        while isBlank(first) { first = cursor.next() }
        let place = cursor.lastPlace
        let kind = scanToken(startingWith: first)
        return Token(kind: kind, place: place, end: cursor.position)
    }

    /// The text of a token with line ends normalised.
    func text(of token: Token) -> [UInt8] {
        cursor.text(from: token.place.position.offset, to: token.end.offset)
    }

    private mutating func scanToken(startingWith first: UInt32) -> TokenKind {
        if isLetter(first) { return scanIdentifier() }
        if isDecimal(first) { return scanNumber(startingWith: first) }
        guard let scalar = Unicode.Scalar(first) else { return illegalCharacter() }
        switch scalar {
        case "\0": return .end
        case "\"":
            scanString()
            return .string
        case "#", "/":
            scanComment(startingWith: first)
            return .comment
        case ".": return scanPeriod()
        case "<":
            scanHeredoc()
            return .heredoc
        case "[": return .leftBracket
        case "]": return .rightBracket
        case "{": return .leftBrace
        case "}": return .rightBrace
        case ",": return .comma
        case "=": return .assign
        case "+": return .add
        case "-":
            guard isDecimal(cursor.peek()) else { return .subtract }
            return scanNumber(startingWith: cursor.next())
        default: return illegalCharacter()
        }
    }

    private mutating func illegalCharacter() -> TokenKind {
        cursor.report("illegal char", "Remove the character, or put it inside double quotes if it belongs to a value.")
        return .illegal
    }

    private mutating func scanIdentifier() -> TokenKind {
        let start = cursor.lastPosition.offset
        var scalar = cursor.next()
        while isLetter(scalar) || isDigit(scalar) || scalar == 0x2D || scalar == 0x2E { scalar = cursor.next() }
        if scalar != 0 { cursor.stepBack() }
        let length = cursor.position.offset - start
        guard length == 4 || length == 5 else { return .identifier }
        let word = cursor.text(from: start, to: cursor.position.offset)
        return word == Array("true".utf8) || word == Array("false".utf8) ? .boolean : .identifier
    }

    private mutating func scanComment(startingWith first: UInt32) {
        let slash: UInt32 = 0x2F
        let star: UInt32 = 0x2A
        guard first == slash, cursor.peek() == star else {
            if first == slash, cursor.peek() != slash {
                cursor.report("expected '/' for comment", "A comment starts with #, // or /*.")
                return
            }
            var scalar = cursor.next()
            while scalar != 0x0A, scalar != 0 { scalar = cursor.next() }
            if scalar != 0 { cursor.stepBack() }
            return
        }
        _ = cursor.next()
        var scalar = cursor.next()
        while scalar != 0 {
            let previous = scalar
            scalar = cursor.next()
            if previous == star, scalar == slash { return }
        }
        cursor.report("comment not terminated", "Close the comment with */.")
    }

    /// A quoted string. Inside `${…}` quotes and line feeds are part of it.
    private mutating func scanString() {
        var braces = 0
        while true {
            let scalar = cursor.next()
            if scalar == 0 || (scalar == 0x0A && braces == 0) {
                cursor.report(
                    "literal not terminated",
                    "Close the string with a double quote on the same line; a line feed inside it is written \\n.")
                return
            }
            if scalar == 0x22, braces == 0 { return }
            if braces == 0, scalar == 0x24, cursor.peek() == 0x7B {
                braces = 1
                _ = cursor.next()
            } else if braces > 0, scalar == 0x7B {
                braces += 1
            } else if braces > 0, scalar == 0x7D {
                braces -= 1
            }
            if scalar == 0x5C { cursor.scanEscape() }
        }
    }
}

extension SourceCursor {
    /// Reads what follows a backslash in a string and reports what is no escape.
    mutating func scanEscape() {
        let scalar = next()
        switch scalar {
        case 0x61, 0x62, 0x66, 0x6E, 0x72, 0x74, 0x76, 0x5C, 0x22: break
        case 0x30...0x37: scanDigits(startingWith: scalar, base: 8, count: 3)
        case 0x78: scanDigits(startingWith: next(), base: 16, count: 2)
        case 0x75: scanDigits(startingWith: next(), base: 16, count: 4)
        case 0x55: scanDigits(startingWith: next(), base: 16, count: 8)
        default: reportEscape()
        }
    }

    private mutating func scanDigits(startingWith first: UInt32, base: UInt32, count: Int) {
        var scalar = first
        var missing = count
        while missing > 0, digitValue(scalar) < base {
            scalar = next()
            if scalar == 0 { break }
            missing -= 1
        }
        if missing > 0 { reportEscape() }
        if missing != count, scalar != 0 { stepBack() }
    }

    private mutating func reportEscape() {
        report("illegal char escape", "Write a backslash as \\\\; other escapes are \\\", \\n, \\t, \\r and \\uXXXX.")
    }
}
