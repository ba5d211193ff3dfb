/// Standard base64 with padding (RFC 4648 section 4), straight between arenas.
package enum Base64 {
    /// Four tables, one per position in a group of four characters, of the character's bits already in place; bit 24
    /// marks a character that does not belong to the alphabet.
    private static let tables: [UInt32] = {
        var values = [UInt32](repeating: 1 << 24, count: 4 * 256)
        for (value, character) in alphabet.enumerated() {
            for position in 0..<4 {
                values[position * 256 + Int(character)] = UInt32(value) << UInt32(18 - 6 * position)
            }
        }
        return values
    }()

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The most bytes that `count` characters can decode to.
    package static func maximumDecodedCount(_ count: Int) -> Int { (count / 4) * 3 }

    /// Decodes whole groups of four characters.
    ///
    /// - Parameter output: Room for ``maximumDecodedCount(_:)`` bytes.
    /// - Returns: Bytes written; `nil` if the text is not base64.
    package static func decode(_ text: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
        guard text.count % 4 == 0 else { return nil }
        guard text.count > 0, let source = text.baseAddress, let target = output.baseAddress else { return 0 }
        let padding = text[text.count - 1] != 0x3d ? 0 : text[text.count - 2] == 0x3d ? 2 : 1
        let whole = padding == 0 ? text.count / 4 : text.count / 4 - 1
        let isValid = tables.withUnsafeBufferPointer { tables -> Bool in
            guard let table = tables.baseAddress else { return false }
            var errors: UInt32 = 0
            var read = source.assumingMemoryBound(to: UInt8.self)
            var write = target.assumingMemoryBound(to: UInt8.self)
            for _ in 0..<whole {
                let bits =
                    table[Int(read[0])] | table[256 &+ Int(read[1])] | table[512 &+ Int(read[2])]
                    | table[768 &+ Int(read[3])]
                errors |= bits
                write[0] = UInt8(truncatingIfNeeded: bits &>> 16)
                write[1] = UInt8(truncatingIfNeeded: bits &>> 8)
                write[2] = UInt8(truncatingIfNeeded: bits)
                read += 4
                write += 3
            }
            guard padding > 0 else { return errors & (1 << 24) == 0 }
            var bits = errors | table[Int(read[0])] | table[256 &+ Int(read[1])]
            let first = table[Int(read[0])] | table[256 &+ Int(read[1])]
            write[0] = UInt8(truncatingIfNeeded: first &>> 16)
            if padding == 1 {
                bits |= table[512 &+ Int(read[2])]
                write[1] = UInt8(truncatingIfNeeded: (first | table[512 &+ Int(read[2])]) &>> 8)
            }
            return bits & (1 << 24) == 0
        }
        guard isValid else { return nil }
        return text.count / 4 * 3 - padding
    }

    /// The number of characters that `count` bytes encode to.
    package static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    /// Appends the encoded form of `bytes`.
    package static func append(_ bytes: UnsafeRawBufferPointer, to text: inout [UInt8]) {
        let start = text.count
        text.append(contentsOf: repeatElement(0, count: encodedCount(bytes.count)))
        alphabet.withUnsafeBufferPointer { alphabet in
            text.withUnsafeMutableBufferPointer { text in
                var write = start
                var read = 0
                while read + 3 <= bytes.count {
                    let group =
                        UInt32(bytes[read]) << 16 | UInt32(bytes[read + 1]) << 8 | UInt32(bytes[read + 2])
                    text[write] = alphabet[Int(group >> 18)]
                    text[write + 1] = alphabet[Int(group >> 12 & 63)]
                    text[write + 2] = alphabet[Int(group >> 6 & 63)]
                    text[write + 3] = alphabet[Int(group & 63)]
                    read += 3
                    write += 4
                }
                let left = bytes.count - read
                guard left > 0 else { return }
                let group = UInt32(bytes[read]) << 16 | (left == 2 ? UInt32(bytes[read + 1]) << 8 : 0)
                text[write] = alphabet[Int(group >> 18)]
                text[write + 1] = alphabet[Int(group >> 12 & 63)]
                text[write + 2] = left == 2 ? alphabet[Int(group >> 6 & 63)] : 0x3d
                text[write + 3] = 0x3d
            }
        }
    }
}
