import JSON

/// What a file of the store holds: one JSON object `{"Value":"<base64>"}` and a newline
/// (Vault 1.14 `physical/file`, `fileEntry`).
enum EntryEnvelope {
    /// Why a file's content is not an envelope.
    struct Damage: Error, Equatable {
        /// As Go's decoder words it where scripts may match on it.
        let message: String
        /// Byte of the file at which it shows.
        let offset: Int
    }

    /// What every file written here begins with.
    static let opening = Array("{\"Value\":\"".utf8)
    private static let closing = Array("\"}\n".utf8)

    /// Whether `content` ends as a whole envelope does, so that no further read is needed to know the file's end.
    static func looksWhole(_ content: UnsafeRawBufferPointer) -> Bool {
        content.count >= opening.count + closing.count
            && content[(content.count - closing.count)...].elementsEqual(closing)
    }

    /// The base64 text of a file laid out exactly as servers write it; `nil` for any other layout.
    static func canonicalText(_ content: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard looksWhole(content), content[..<opening.count].elementsEqual(opening) else { return nil }
        return UnsafeRawBufferPointer(rebasing: content[opening.count..<(content.count - closing.count)])
    }

    /// Reads any layout a server reads: member names of any case, other members beside it, white space, escapes,
    /// `null`, more data behind the first value.
    static func value(in content: UnsafeRawBufferPointer) throws(Damage) -> [UInt8] {
        var reader = EnvelopeReader(content)
        guard let text = try reader.readValueMember() else { return [] }
        // Go's base64 decoder passes over line breaks.
        let compact = text.filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        let decoded = compact.withUnsafeBytes { text -> [UInt8]? in
            var isWhole = true
            let bytes = [UInt8](unsafeUninitializedCapacity: Base64.maximumDecodedCount(text.count) + 3) { room, used in
                let count = Base64.decode(text, into: UnsafeMutableRawBufferPointer(room))
                isWhole = count != nil
                used = count ?? 0
            }
            return isWhole ? bytes : nil
        }
        guard let decoded else {
            throw Damage(message: "illegal base64 data in \"Value\"", offset: reader.offset)
        }
        return decoded
    }

    /// Appends the envelope of a value as servers write it.
    static func append(_ value: UnsafeRawBufferPointer, to text: inout [UInt8]) {
        text.append(contentsOf: opening)
        Base64.append(value, to: &text)
        text.append(contentsOf: closing)
    }
}

/// A JSON scanner for one object of which only the member `Value` matters. Bounded depth, no allocation but for that
/// member's text.
private struct EnvelopeReader {
    private static let maximumDepth = 64

    private let content: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ content: UnsafeRawBufferPointer) {
        self.content = content
    }

    /// The text of the last member called `Value`; `nil` if there is none, or it is null.
    mutating func readValueMember() throws(EntryEnvelope.Damage) -> [UInt8]? {
        guard try nextSignificant() == UInt8(ascii: "{") else { throw unexpected("an object") }
        offset += 1
        var value: [UInt8]?
        var isFirst = true
        while true {
            let byte = try nextSignificant()
            if byte == UInt8(ascii: "}") { return value }
            if !isFirst {
                guard byte == UInt8(ascii: ",") else { throw unexpected("a comma or a closing brace") }
                offset += 1
            }
            isFirst = false
            guard try nextSignificant() == UInt8(ascii: "\"") else { throw unexpected("a member name") }
            let name = try readString()
            guard try nextSignificant() == UInt8(ascii: ":") else { throw unexpected("a colon") }
            offset += 1
            let first = try nextSignificant()
            guard isValueName(name) else {
                try skipValue(depth: 0)
                continue
            }
            switch first {
            case UInt8(ascii: "\""): value = try readString()
            case UInt8(ascii: "n"):
                try skipWord("null")
                value = nil
            default: throw unexpected("a string as \"Value\"")
            }
        }
    }

    private func isValueName(_ name: [UInt8]) -> Bool {
        name.count == 5 && zip(name, "value".utf8).allSatisfy { $0 | 0x20 == $1 }
    }

    private mutating func nextSignificant() throws(EntryEnvelope.Damage) -> UInt8 {
        while offset < content.count {
            let byte = content[offset]
            if byte != 0x20 && byte != 0x09 && byte != 0x0a && byte != 0x0d { return byte }
            offset += 1
        }
        throw endOfFile
    }

    private var endOfFile: EntryEnvelope.Damage {
        EntryEnvelope.Damage(message: "unexpected EOF", offset: content.count)
    }

    private func unexpected(_ wanted: String) -> EntryEnvelope.Damage {
        EntryEnvelope.Damage(message: "invalid character in JSON, looking for \(wanted)", offset: offset)
    }

    private mutating func skipWord(_ word: StaticString) throws(EntryEnvelope.Damage) {
        let wanted = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        for byte in wanted {
            guard offset < content.count else { throw endOfFile }
            guard content[offset] == byte else { throw unexpected("a literal") }
            offset += 1
        }
    }

    private mutating func skipValue(depth: Int) throws(EntryEnvelope.Damage) {
        guard depth < Self.maximumDepth else { throw unexpected("less nesting") }
        switch try nextSignificant() {
        case UInt8(ascii: "\""): _ = try readString()
        case UInt8(ascii: "t"): try skipWord("true")
        case UInt8(ascii: "f"): try skipWord("false")
        case UInt8(ascii: "n"): try skipWord("null")
        case UInt8(ascii: "{"): try skipMembers(closing: UInt8(ascii: "}"), named: true, depth: depth)
        case UInt8(ascii: "["): try skipMembers(closing: UInt8(ascii: "]"), named: false, depth: depth)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): skipNumber()
        default: throw unexpected("a value")
        }
    }

    private mutating func skipNumber() {
        while offset < content.count {
            switch content[offset] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                offset += 1
            default: return
            }
        }
    }

    private mutating func skipMembers(closing: UInt8, named: Bool, depth: Int) throws(EntryEnvelope.Damage) {
        offset += 1
        if try nextSignificant() == closing {
            offset += 1
            return
        }
        while true {
            if named {
                guard try nextSignificant() == UInt8(ascii: "\"") else { throw unexpected("a member name") }
                _ = try readString()
                guard try nextSignificant() == UInt8(ascii: ":") else { throw unexpected("a colon") }
                offset += 1
            }
            try skipValue(depth: depth + 1)
            let byte = try nextSignificant()
            offset += 1
            if byte == closing { return }
            guard byte == UInt8(ascii: ",") else {
                offset -= 1
                throw unexpected("a comma or the end")
            }
        }
    }

    /// Reads a string whose opening quote is next. Base64 needs ASCII only, so escapes beyond it become `?`, which no
    /// name and no base64 text contains.
    private mutating func readString() throws(EntryEnvelope.Damage) -> [UInt8] {
        offset += 1
        var text: [UInt8] = []
        while offset < content.count {
            let byte = content[offset]
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"): text.append(try readEscape())
            case 0..<0x20: throw unexpected("a string without control characters")
            default: text.append(byte)
            }
        }
        throw endOfFile
    }

    private mutating func readEscape() throws(EntryEnvelope.Damage) -> UInt8 {
        guard offset < content.count else { throw endOfFile }
        let byte = content[offset]
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return byte
        case UInt8(ascii: "n"): return 0x0a
        case UInt8(ascii: "r"): return 0x0d
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0c
        case UInt8(ascii: "u"):
            var code = 0
            for _ in 0..<4 {
                guard offset < content.count else { throw endOfFile }
                guard let digit = Character(UnicodeScalar(content[offset])).hexDigitValue else {
                    throw unexpected("a hexadecimal digit")
                }
                code = code << 4 | digit
                offset += 1
            }
            return code < 0x80 ? UInt8(code) : UInt8(ascii: "?")
        default: throw unexpected("an escape")
        }
    }
}
