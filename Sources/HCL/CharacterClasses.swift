/// ASCII letters, the underscore and every Unicode letter.
func isLetter(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x61...0x7A, 0x41...0x5A, 0x5F: return true
    case ..<0x80: return false
    default:
        switch Unicode.Scalar(scalar)?.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return true
        default: return false
        }
    }
}

/// ASCII digits and every Unicode decimal digit.
func isDigit(_ scalar: UInt32) -> Bool {
    if isDecimal(scalar) { return true }
    guard scalar >= 0x80 else { return false }
    return Unicode.Scalar(scalar)?.properties.generalCategory == .decimalNumber
}

/// ASCII digits only.
func isDecimal(_ scalar: UInt32) -> Bool {
    (0x30...0x39).contains(scalar)
}

/// Space, tab, line feed and carriage return.
func isBlank(_ scalar: UInt32) -> Bool {
    scalar == 0x20 || scalar == 0x09 || scalar == 0x0A || scalar == 0x0D
}

/// What Go's `unicode.IsSpace` accepts; decides what may stand before the brace of a JSON file.
func isUnicodeSpace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
}

/// The value of a hexadecimal digit; 16 for anything else.
func digitValue(_ scalar: UInt32) -> UInt32 {
    switch scalar {
    case 0x30...0x39: scalar - 0x30
    case 0x41...0x46: scalar - 0x41 + 10
    case 0x61...0x66: scalar - 0x61 + 10
    default: 16
    }
}
