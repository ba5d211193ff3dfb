import Digest

/// Texts of secrets, read without copies of them.
enum SecretText {
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    /// Without white space at both ends.
    static func trimmed(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var slice = text[...]
        while let first = slice.first, isSpace(first) { slice = slice.dropFirst() }
        while let last = slice.last, isSpace(last) { slice = slice.dropLast() }
        return UnsafeRawBufferPointer(rebasing: slice)
    }

    /// The bytes of a text of hexadecimal digits; `nil` if it is none.
    static func hexadecimal(_ text: UnsafeRawBufferPointer) throws(DigestError) -> SecretBytes? {
        guard !text.isEmpty, text.count % 2 == 0 else { return nil }
        let bytes = try SecretBytes(room: text.count / 2)
        let isValid = bytes.withMutableBytes { room in
            for index in room.indices {
                guard let high = digit(text[2 * index]), let low = digit(text[2 * index + 1]) else { return false }
                room[index] = high << 4 | low
            }
            return true
        }
        return isValid ? bytes : nil
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// The bytes of a text in standard base64 with its padding, in the one form that RFC 4648 allows; `nil` if it is none.
    static func base64(_ text: UnsafeRawBufferPointer) throws(DigestError) -> SecretBytes? {
        guard !text.isEmpty, text.count % 4 == 0 else { return nil }
        let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        let bytes = try SecretBytes(room: text.count / 4 * 3 - padding)
        let isValid = bytes.withMutableBytes { room in
            var (held, bits, place): (UInt32, UInt32, Int) = (0, 0, 0)
            for byte in text[..<(text.count - padding)] {
                guard let value = sextet(byte) else { return false }
                held = held << 6 | UInt32(value)
                bits += 6
                guard bits >= 8 else { continue }
                bits -= 8
                guard place < room.count else { return false }
                room[place] = UInt8(truncatingIfNeeded: held >> bits)
                place += 1
                held &= (1 << bits) - 1
            }
            return place == room.count && held == 0
        }
        return isValid ? bytes : nil
    }

    /// The text of bytes in standard base64, with its padding.
    static func base64(of bytes: SecretBytes) throws(DigestError) -> SecretBytes {
        let text = try SecretBytes(room: (bytes.count + 2) / 3 * 4)
        bytes.withBytes { bytes in
            text.withMutableBytes { text in
                for group in 0..<(text.count / 4) {
                    let rest = bytes.count - 3 * group
                    let (first, second, third) = (
                        UInt32(bytes[3 * group]), rest > 1 ? UInt32(bytes[3 * group + 1]) : 0,
                        rest > 2 ? UInt32(bytes[3 * group + 2]) : 0
                    )
                    let held = first << 16 | second << 8 | third
                    for place in 0..<4 {
                        text[4 * group + place] =
                            place > rest ? UInt8(ascii: "=") : digit(UInt8(held >> UInt32(18 - 6 * place) & 63))
                    }
                }
            }
        }
        return text
    }

    private static func digit(_ sextet: UInt8) -> UInt8 {
        switch sextet {
        case 0..<26: sextet + UInt8(ascii: "A")
        case 26..<52: sextet - 26 + UInt8(ascii: "a")
        case 52..<62: sextet - 52 + UInt8(ascii: "0")
        case 62: UInt8(ascii: "+")
        default: UInt8(ascii: "/")
        }
    }

    private static func sextet(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
