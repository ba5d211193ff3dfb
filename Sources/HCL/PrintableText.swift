/// `\xHH` for a byte that is no UTF-8.
func hexEscape(_ byte: UInt8) -> String {
    "\\x" + paddedHex(UInt32(byte), width: 2)
}

/// A number in lower-case hexadecimal, filled up with zeros on the left.
func paddedHex(_ value: UInt32, width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

/// Bytes as text that is safe on a terminal: line feeds stay, every other control or invisible character and every
/// byte that is not UTF-8 is escaped.
func printable(_ bytes: [UInt8]) -> String {
    var text = ""
    var offset = 0
    while let (scalar, length) = decodeScalar(in: bytes, at: offset) {
        if scalar == replacementScalar, length == 1 {
            text += hexEscape(bytes[offset])
        } else {
            text += scalar == 0x0A ? "\n" : visible(scalar)
        }
        offset += length
    }
    return text
}

/// A scalar as itself if it can be seen, else as `\u{…}`: escape sequences and marks that turn the direction of
/// writing must not reach a terminal.
func visible(_ value: UInt32) -> String {
    guard let scalar = Unicode.Scalar(value), isVisible(scalar) else {
        return "\\u{" + String(value, radix: 16) + "}"
    }
    return String(Character(scalar))
}

private func isVisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    default: true
    }
}

/// How many cells of a terminal a visible scalar takes: 0 for a combining mark, 2 for wide East Asian characters
/// and pictures, else 1.
func terminalWidth(_ value: UInt32) -> Int {
    switch value {
    case 0..<0x300: return 1
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
        0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1FAFF,
        0x20000...0x3FFFD:
        return 2
    default:
        switch Unicode.Scalar(value)?.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: return 1
        }
    }
}
