/// The bytes a quoted string stands for, or `nil` if an escape has no value.
///
/// - Parameters:
///   - token: The string with its quotes.
///   - keepsTemplates: Whether `${…}` is copied as it is, escapes included: HCL does, its JSON form does not.
func unquoted(_ token: [UInt8], keepsTemplates: Bool) -> [UInt8]? {
    guard token.count >= 2, token.first == 0x22, token.last == 0x22 else { return nil }
    let text = Array(token[1..<(token.count - 1)])
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var offset = 0
    while offset < text.count {
        let byte = text[offset]
        if keepsTemplates, byte == 0x24, offset + 1 < text.count, text[offset + 1] == 0x7B {
            guard let end = templateEnd(in: text, from: offset + 2) else { return nil }
            result.append(contentsOf: text[offset..<end])
            offset = end
        } else if byte == 0x5C {
            guard let escape = escape(in: text, at: offset + 1, joinsSurrogates: !keepsTemplates) else { return nil }
            result.append(contentsOf: escape.bytes)
            offset = escape.end
        } else if byte == 0x22 || byte == 0x0A {
            return nil
        } else {
            result.append(byte)
            offset += 1
        }
    }
    return result
}

/// The offset after the brace that closes a template.
private func templateEnd(in text: [UInt8], from start: Int) -> Int? {
    var braces = 1
    for offset in start..<text.count {
        if text[offset] == 0x7B { braces += 1 }
        if text[offset] == 0x7D { braces -= 1 }
        if braces == 0 { return offset + 1 }
    }
    return nil
}

/// What an escape stands for; `start` is the offset after the backslash.
private func escape(in text: [UInt8], at start: Int, joinsSurrogates: Bool) -> (bytes: [UInt8], end: Int)? {
    guard start < text.count else { return nil }
    let simple: [UInt8: UInt8] = [
        0x61: 0x07, 0x62: 0x08, 0x66: 0x0C, 0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x76: 0x0B, 0x5C: 0x5C, 0x22: 0x22,
    ]
    let mark = text[start]
    if let byte = simple[mark] { return ([byte], start + 1) }
    switch mark {
    case 0x30...0x37:
        guard let value = number(in: text, at: start, digits: 3, base: 8), value <= 0xFF else { return nil }
        return ([UInt8(truncatingIfNeeded: value)], start + 3)
    case 0x78:
        guard let value = number(in: text, at: start + 1, digits: 2, base: 16) else { return nil }
        return ([UInt8(truncatingIfNeeded: value)], start + 3)
    case 0x75:
        return unicodeEscape(in: text, at: start + 1, digits: 4, joinsSurrogates: joinsSurrogates)
    case 0x55:
        return unicodeEscape(in: text, at: start + 1, digits: 8, joinsSurrogates: joinsSurrogates)
    default: return nil
    }
}

private func unicodeEscape(
    in text: [UInt8], at start: Int, digits: Int, joinsSurrogates: Bool
) -> (bytes: [UInt8], end: Int)? {
    guard var value = number(in: text, at: start, digits: digits, base: 16), value <= 0x10FFFF else { return nil }
    var end = start + digits
    if joinsSurrogates, (0xD800...0xDFFF).contains(value) {
        // JSON writes a character beyond U+FFFF as two escapes.
        guard value < 0xDC00, end + 1 < text.count, text[end] == 0x5C, text[end + 1] == 0x75,
            let low = number(in: text, at: end + 2, digits: 4, base: 16), (0xDC00...0xDFFF).contains(low)
        else { return nil }
        value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        end += 6
    }
    var bytes: [UInt8] = []
    appendUTF8(value, to: &bytes)
    return (bytes, end)
}

private func number(in text: [UInt8], at start: Int, digits: Int, base: UInt32) -> UInt32? {
    guard start + digits <= text.count else { return nil }
    var value: UInt32 = 0
    for byte in text[start..<(start + digits)] {
        let digit = digitValue(UInt32(byte))
        guard digit < base else { return nil }
        value = value << (base == 8 ? 3 : 4) | digit
    }
    return value
}
