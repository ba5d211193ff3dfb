/// Reads JSON that was decrypted where it lies: nothing is copied but what the caller takes. Go's encoder wrote it, so that
/// texts are UTF-8 and numbers whole.
struct SecretJSON {
    /// Deeper nesting is none of a server's.
    private static let deepest = 32

    private let bytes: UnsafeRawBufferPointer
    /// How far it was read.
    private(set) var place = 0

    /// What stands where a value begins.
    enum Kind {
        case object, array, text, number, word
    }

    /// The bytes are no such JSON.
    struct Failure: Error {}

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private mutating func next() throws(Failure) -> UInt8 {
        while place < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[place]) { place += 1 }
        guard place < bytes.count else { throw Failure() }
        return bytes[place]
    }

    private mutating func take(_ byte: Character) throws(Failure) {
        guard let wanted = byte.asciiValue, try next() == wanted else { throw Failure() }
        place += 1
    }

    mutating func kind() throws(Failure) -> Kind {
        switch try next() {
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "\""): .text
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): .number
        default: .word
        }
    }

    /// Calls `body` for every member of an object, with the parser at its value, which it must take.
    mutating func members(_ body: (inout SecretJSON, UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        try take("{")
        if try next() == UInt8(ascii: "}") { return place += 1 }
        while true {
            let name = try text()
            try take(":")
            try body(&self, name)
            if try next() == UInt8(ascii: "}") { return place += 1 }
            try take(",")
        }
    }

    /// Calls `body` for every element of an array, with the parser at it.
    mutating func elements(_ body: (inout SecretJSON) throws(Failure) -> Void) throws(Failure) {
        try take("[")
        if try next() == UInt8(ascii: "]") { return place += 1 }
        while true {
            try body(&self)
            if try next() == UInt8(ascii: "]") { return place += 1 }
            try take(",")
        }
    }

    /// A text as it stands between its quotes, escapes and all.
    mutating func text() throws(Failure) -> UnsafeRawBufferPointer {
        try take("\"")
        let start = place
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                place += 1
                return UnsafeRawBufferPointer(rebasing: bytes[start..<(place - 1)])
            case UInt8(ascii: "\\"): place += 2
            default: place += 1
            }
        }
        throw Failure()
    }

    /// A number that is whole, not negative and no larger than 2^32 - 1; `nil` for any other.
    mutating func number() throws(Failure) -> UInt32? {
        _ = try next()
        let start = place
        while place < bytes.count,
            (0x30...0x39).contains(bytes[place]) || [0x2b, 0x2d, 0x2e, 0x45, 0x65].contains(bytes[place])
        {
            place += 1
        }
        guard place > start else { throw Failure() }
        var number: UInt64 = 0
        for byte in bytes[start..<place] {
            guard (0x30...0x39).contains(byte), number <= UInt64(UInt32.max) else { return nil }
            number = number * 10 + UInt64(byte - 0x30)
        }
        return UInt32(exactly: number)
    }

    /// Passes over a value, whatever it is.
    mutating func skip(depth: Int = 0) throws(Failure) {
        guard depth < Self.deepest else { throw Failure() }
        switch try kind() {
        case .object:
            try members { (json, _) throws(Failure) in try json.skip(depth: depth + 1) }
        case .array: try elements { (json) throws(Failure) in try json.skip(depth: depth + 1) }
        case .text: _ = try text()
        case .number: _ = try number()
        case .word:
            let start = place
            while place < bytes.count, (0x61...0x7a).contains(bytes[place]) { place += 1 }
            guard place > start else { throw Failure() }
        }
    }

    /// Whether nothing but white space is left.
    var isAtEnd: Bool { bytes[min(place, bytes.count)...].allSatisfy { [0x20, 0x09, 0x0a, 0x0d].contains($0) } }

    /// Whether a member's name is this one, in any case, as Go's decoder compares them.
    static func isName(_ name: UnsafeRawBufferPointer, _ wanted: StaticString) -> Bool {
        guard name.count == wanted.utf8CodeUnitCount else { return false }
        for (index, byte) in name.enumerated() {
            let other = wanted.utf8Start[index]
            let lower = { (byte: UInt8) in (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }
            guard lower(byte) == lower(other) else { return false }
        }
        return true
    }

    /// What a text means; only for what is no secret. `nil` for an escape that is none.
    static func unescaped(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        var units: [UInt8] = []
        var index = 0
        while index < text.count {
            guard text[index] == UInt8(ascii: "\\") else {
                units.append(text[index])
                index += 1
                continue
            }
            guard index + 1 < text.count else { return nil }
            switch text[index + 1] {
            case UInt8(ascii: "n"): units.append(0x0a)
            case UInt8(ascii: "t"): units.append(0x09)
            case UInt8(ascii: "r"): units.append(0x0d)
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0c)
            case UInt8(ascii: "u"):
                guard let (scalar, length) = scalar(text, at: index) else { return nil }
                units += Array(String(scalar).utf8)
                index += length
                continue
            default: units.append(text[index + 1])
            }
            index += 2
        }
        return units
    }

    /// The character of one or two `\u` escapes, and the bytes they take.
    private static func scalar(_ text: UnsafeRawBufferPointer, at place: Int) -> (Character, Int)? {
        func unit(_ place: Int) -> UInt16? {
            guard place + 6 <= text.count, text[place] == UInt8(ascii: "\\"), text[place + 1] == UInt8(ascii: "u")
            else {
                return nil
            }
            return UInt16(String(decoding: text[(place + 2)..<(place + 6)], as: UTF8.self), radix: 16)
        }
        guard let first = unit(place) else { return nil }
        guard UTF16.isLeadSurrogate(first) else {
            return UnicodeScalar(first).map { (Character($0), 6) } ?? (Character(UnicodeScalar(0xfffd) ?? "?"), 6)
        }
        guard let second = unit(place + 6), UTF16.isTrailSurrogate(second) else { return nil }
        let scalar = 0x10000 + (UInt32(first & 0x3ff) << 10 | UInt32(second & 0x3ff))
        return UnicodeScalar(scalar).map { (Character($0), 12) }
    }
}
