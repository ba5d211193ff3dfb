/// A place as the lexers know it.
struct Place {
    /// Where, inside the text.
    var position: SourcePosition
    /// How far to the right HCL 1 names its column: it counts one for each attempt to read at the end, and for a bad
    /// word or number of the JSON form it names the last character.
    var columnShift = 0

    /// `line:column` as HCL 1 prints it.
    var incumbentText: String { "\(position.line):\(position.column + columnShift)" }
}

/// What a lexer found wrong; it goes on afterwards.
struct LexicalFault {
    var summary: String
    var detail: String
    var place: Place
    /// The place after the offending character.
    var end: SourcePosition
}

/// Reads a text character by character, keeping position and the last fault.
///
/// The end of the text is read as 0, and so is a null character: both end a token.
struct SourceCursor {
    /// The two surface syntaxes; they differ in line ends and reserved characters.
    enum Syntax {
        /// `\r\n` is one line feed; U+0000 and U+E123 are refused.
        case hcl
        /// Bytes are taken as they come.
        case json
    }

    let bytes: [UInt8]
    let syntax: Syntax
    /// Where the next character is.
    private(set) var position = SourcePosition(line: 1, column: 1, offset: 0)
    /// Where the character was that `next()` gave out last.
    private(set) var lastPosition = SourcePosition(line: 1, column: 1, offset: 0)
    /// The most recent fault: HCL 1 reports the last one before it stops, not the first.
    private(set) var fault: LexicalFault?
    private var endReads = 0
    private var lastWasEnd = false

    init(bytes: [UInt8], syntax: Syntax) {
        self.bytes = bytes
        self.syntax = syntax
    }

    /// Place of the character read last.
    var lastPlace: Place {
        lastWasEnd ? Place(position: position, columnShift: endReads - 1) : Place(position: lastPosition)
    }

    /// Reads the next character; 0 at the end.
    mutating func next() -> UInt32 {
        guard let (scalar, length) = character(at: position.offset) else {
            endReads += 1
            lastWasEnd = true
            lastPosition = position
            return 0
        }
        lastWasEnd = false
        lastPosition = position
        position.offset += length
        position.column += 1
        if scalar == 0x0A {
            position.line += 1
            position.column = 1
        }
        if scalar == replacementScalar, length == 1 {
            report("illegal UTF-8 encoding", "Save the file as UTF-8.")
        } else if syntax == .hcl, scalar == 0 {
            report("unexpected null character (0x00)", "Remove the null character; the file may be damaged.")
        } else if syntax == .hcl, scalar == 0xE123 {
            report("unicode code point U+E123 reserved for internal use", "Remove the character.")
            return replacementScalar
        }
        return scalar
    }

    /// Puts back the character read last. The end cannot be put back, and a character only once.
    mutating func stepBack() {
        guard !lastWasEnd else { return }
        position = lastPosition
    }

    /// The next character without reading it or judging it; 0 at the end.
    func peek() -> UInt32 {
        character(at: position.offset)?.scalar ?? 0
    }

    /// Notes a fault at the character read last.
    mutating func report(_ summary: String, _ detail: String) {
        fault = LexicalFault(summary: summary, detail: detail, place: lastPlace, end: position)
    }

    /// Notes a fault at a place of the caller's choice.
    mutating func report(_ summary: String, _ detail: String, at place: Place) {
        fault = LexicalFault(summary: summary, detail: detail, place: place, end: position)
    }

    /// The bytes between two offsets, line ends as the syntax sees them.
    func text(from start: Int, to end: Int) -> [UInt8] {
        guard start < end, start >= 0, end <= bytes.count else { return [] }
        let raw = bytes[start..<end]
        let carriageReturn = UInt8(ascii: "\r")
        guard syntax == .hcl, raw.contains(carriageReturn) else { return Array(raw) }
        var text: [UInt8] = []
        text.reserveCapacity(raw.count)
        for offset in raw.indices {
            let isLineEnd = raw[offset] == carriageReturn && offset + 1 < end && raw[offset + 1] == 0x0A
            if !isLineEnd { text.append(raw[offset]) }
        }
        return text
    }

    private func character(at offset: Int) -> (scalar: UInt32, length: Int)? {
        guard offset < bytes.count else { return nil }
        let byte = bytes[offset]
        if byte == 0x0D, syntax == .hcl, offset + 1 < bytes.count, bytes[offset + 1] == 0x0A {
            return (0x0A, 2)
        }
        return byte < 0x80 ? (UInt32(byte), 1) : decodeScalar(in: bytes, at: offset)
    }
}

extension SourceCursor {
    /// The bytes of a range of this text, line ends as the syntax sees them.
    func text(from range: SourceRange) -> [UInt8] {
        text(from: range.start.offset, to: range.end.offset)
    }
}
