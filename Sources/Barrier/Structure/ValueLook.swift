import Storage

/// Tells what is odd about a value, by what stands in clear. Nothing is decrypted.
enum ValueLook {
    /// Of a value that is no envelope, the first bytes tell; a store may have nothing else.
    private static let mostLookedAt = 512

    // MARK: Values without the barrier's header

    /// What a value seems to have gone through that is no envelope; ``Damage/noEnvelope`` if nothing tells.
    ///
    /// What sound values look like does not matter here: each has its header. So this only names.
    static func damage(ofNoEnvelope value: UnsafeRawBufferPointer) -> Damage {
        guard let first = value.first else { return .empty }
        let head = Array(value.prefix(mostLookedAt))
        if let damage = textForm(head, depth: 0) { return damage }
        if isWide(head) { return .utf16 }
        // The header, changed: a term whose last byte is a line feed, or is above 0x7f.
        let changed: [([UInt8], Damage)] = [
            ([0, 0, 0, 0x0d, 0x0a], .newlines), ([0, 0, 0, 0xc2], .characterSet), ([0, 0, 0, 0xc3], .characterSet),
            ([0, 0, 0, 0xef, 0xbf, 0xbd], .characterSet), ([0xef, 0xbb, 0xbf, 0], .characterSet),
            ([0xc0, 0x80, 0xc0, 0x80, 0xc0, 0x80], .characterSet),
        ]
        for (start, damage) in changed where head.starts(with: start) { return damage }
        if head.count < BarrierEnvelope.shortest { return first == 0 || head.count < 5 ? .truncated : .noEnvelope }
        if head.count > 2, first > 0, head[1] == 1 || head[1] == 2 { return .zeroBytes }
        return head.allSatisfy(isText) ? .text : .noEnvelope
    }

    /// Whether bytes are what an entry of a store begins with: an envelope's header, a JSON object, a sealed key.
    private static func isBeginning(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 5 else { return false }
        if bytes[0] == 0, bytes[1] == 0, bytes[4] == 1 || bytes[4] == 2 { return true }
        return bytes.starts(with: Array("{\"".utf8)) || bytes[0] == 0x0a && bytes[1] >= 0x40 && bytes.last == 0
    }

    /// An entry written down as text, in one of the ways of doing that; `nil` if it is none.
    private static func textForm(_ bytes: [UInt8], depth: Int) -> Damage? {
        guard depth < 4 else { return nil }
        let text = bytes[...].trimming(Array(" \t\r\n".utf8)).dropping(byteOrderMark)
        guard let first = text.first else { return nil }
        if first == UInt8(ascii: "\""), text.count > 1 {
            let inner = Array(text.dropFirst().dropping([UInt8(ascii: "\"")], atEnd: true))
            if isBeginning(inner) || textForm(inner, depth: depth + 1) != nil { return .json }
        }
        if first == UInt8(ascii: "{"), text.firstRange(of: Array("\"Value\"".utf8)) != nil { return .json }
        for start in ["\\000\\000", "\\u0000\\u0000", "\\x00\\x00", "b'\\x00", "b\"\\x00"]
        where text.starts(with: start.utf8) { return .escaped }
        for mark in ["\\x", "0x", "0X", "x'", "X'", ""] where text.starts(with: mark.utf8) {
            if let decoded = hexadecimal(text.dropFirst(mark.utf8.count)), isBeginning(decoded) { return .hexadecimal }
        }
        guard let decoded = base64(text) else { return nil }
        return isBeginning(decoded) || textForm(decoded, depth: depth + 1) != nil ? .base64 : nil
    }

    private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

    /// The bytes that hexadecimal digits stand for; `nil` if other bytes are among them.
    private static func hexadecimal(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var digits: [UInt8] = []
        digits.reserveCapacity(text.count)
        for byte in text.dropping([UInt8(ascii: "'")], atEnd: true) {
            guard let digit = hexDigitValue(byte) else { return nil }
            digits.append(digit)
        }
        guard digits.count >= 10 else { return nil }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// The bytes that base64 of either alphabet stands for, in lines or not; `nil` if other bytes are among them.
    private static func base64(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var (group, bits) = (UInt32(0), 0)
        for byte in text {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"), UInt8(ascii: "-"): digit = 62
            case UInt8(ascii: "/"), UInt8(ascii: "_"): digit = 63
            case UInt8(ascii: "="), UInt8(ascii: "\r"), UInt8(ascii: "\n"): continue
            default: return nil
            }
            group = group << 6 | UInt32(digit)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
            }
        }
        return bytes
    }

    /// Whether nearly every second byte is zero, and the others are not.
    private static func isWide(_ bytes: [UInt8]) -> Bool {
        if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) { return true }
        let units = min(bytes.count, 512) / 2
        guard units >= 16 else { return false }
        var zeros = (0, 0)
        for unit in 0..<units {
            if bytes[2 * unit] == 0 { zeros.0 += 1 }
            if bytes[2 * unit + 1] == 0 { zeros.1 += 1 }
        }
        let (most, fewest) = (max(zeros.0, zeros.1), min(zeros.0, zeros.1))
        return most * 10 >= units * 8 && fewest * 10 <= units * 6
    }

    /// Whether a byte belongs to ordinary text: printable ASCII, white space, or a part of a longer character.
    private static func isText(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7f || byte == 0x09 || byte == 0x0a || byte == 0x0d
    }

    // MARK: Values with the barrier's header

    /// Bytes between looks for a hole: those of a page.
    private static let holeStride = 4096

    /// What is odd about the random part of an envelope; `nil` for nothing.
    ///
    /// Chances that a sound value is taken for a damaged one, each byte behind the header being random:
    /// - eight equal bytes at one place, one place in 4,096 bytes: 256⁻⁷ ≈ 1.4·10⁻¹⁷ a place;
    /// - 40 to 63 bytes that are ASCII, `c2` or `c3` with what follows in UTF-8, or U+FFFD: 0.502⁴⁰ ≈ 10⁻¹²;
    /// - 64 bytes or more that are UTF-8: 0.566⁶⁴ ≈ 1.5·10⁻¹⁶;
    /// - a CR before each of five line feeds or more: 256⁻⁵ ≈ 10⁻¹².
    static func damage(ofEnvelope value: UnsafeRawBufferPointer, _ lineFeeds: LineFeeds) -> Damage? {
        if isFilled(value) { return .filled }
        if let damage = utf8Damage(value) { return damage }
        return lineFeeds.areAllConverted && lineFeeds.count >= LineFeeds.fewestToTell ? .newlines : nil
    }

    private static func isFilled(_ value: UnsafeRawBufferPointer) -> Bool {
        var place = BarrierEnvelope.nonceOffset
        while place + 8 <= value.count {
            if isOneByte(value.loadUnaligned(fromByteOffset: place, as: UInt64.self)) { return true }
            place += holeStride
        }
        return isOneByte(value.loadUnaligned(fromByteOffset: value.count - 8, as: UInt64.self))
    }

    private static func isOneByte(_ word: UInt64) -> Bool { word == (word & 0xff) &* 0x0101_0101_0101_0101 }

    /// Fewer bytes are UTF-8 by chance too easily.
    private static let fewestNarrow = 40
    private static let fewestWide = 64

    private static func utf8Damage(_ value: UnsafeRawBufferPointer) -> Damage? {
        let body = UnsafeRawBufferPointer(rebasing: value[BarrierEnvelope.nonceOffset...])
        guard body.count >= fewestNarrow else { return nil }
        let isNarrow = body.count < fewestWide
        var (characters, longer, questionMarks, controls) = (0, 0, 0, 0)
        var place = 0
        // Random bytes end this at the second or third.
        while place < body.count {
            let byte = body[place]
            let length =
                switch byte {
                case ..<0x80: 1
                case 0xc2...0xdf: isNarrow && byte > 0xc3 ? 0 : 2
                case 0xe0...0xef: isNarrow && byte != 0xef ? 0 : 3
                case 0xf0...0xf4: isNarrow ? 0 : 4
                default: 0
                }
            guard length > 0 else { return nil }
            // What was cut off may end within a character.
            for next in place + 1..<max(min(place + length, body.count), place + 1) {
                guard body[next] & 0xc0 == 0x80 else { return nil }
                if isNarrow, length == 3, body[next] != (next == place + 1 ? 0xbf : 0xbd) { return nil }
            }
            characters += 1
            if length > 1 { longer += 1 }
            if byte == UInt8(ascii: "?") { questionMarks += 1 }
            if !isText(byte) { controls += 1 }
            place += length
        }
        // Half of random bytes are above 0x7f, and an eighth are control characters.
        if longer * 4 >= characters || questionMarks * 4 >= characters || controls * 20 >= characters {
            return .characterSet
        }
        return .text
    }
}

extension ArraySlice<UInt8> {
    fileprivate func trimming(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        let rest = drop { bytes.contains($0) }
        return rest.prefix((rest.lastIndex { !bytes.contains($0) }.map { $0 + 1 } ?? rest.startIndex) - rest.startIndex)
    }

    fileprivate func dropping(_ bytes: [UInt8], atEnd: Bool = false) -> ArraySlice<UInt8> {
        guard count >= bytes.count, (atEnd ? suffix(bytes.count) : prefix(bytes.count)).elementsEqual(bytes) else {
            return self
        }
        return atEnd ? dropLast(bytes.count) : dropFirst(bytes.count)
    }
}
