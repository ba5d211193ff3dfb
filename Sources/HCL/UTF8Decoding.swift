/// The scalar that stands for bytes which are no UTF-8, as in every Unicode decoder.
let replacementScalar: UInt32 = 0xFFFD

/// Reads the character that begins at an offset.
///
/// Overlong forms, surrogates and values beyond U+10FFFF are invalid, and an invalid sequence is one byte long:
/// the rules by which HCL 1 counts columns.
///
/// - Returns: The scalar and its length in bytes; U+FFFD of length 1 for an invalid byte, `nil` at the end.
func decodeScalar(in bytes: [UInt8], at offset: Int) -> (scalar: UInt32, length: Int)? {
    guard offset >= 0, offset < bytes.count else { return nil }
    let first = UInt32(bytes[offset])
    if first < 0x80 { return (first, 1) }
    let length: Int
    let lowest: UInt32
    var scalar: UInt32
    switch first {
    case 0xC2...0xDF: (length, lowest, scalar) = (2, 0x80, first & 0x1F)
    case 0xE0...0xEF: (length, lowest, scalar) = (3, 0x800, first & 0x0F)
    case 0xF0...0xF4: (length, lowest, scalar) = (4, 0x10000, first & 0x07)
    default: return (replacementScalar, 1)
    }
    guard bytes.count - offset >= length else { return (replacementScalar, 1) }
    for next in bytes[(offset + 1)..<(offset + length)] {
        guard next & 0xC0 == 0x80 else { return (replacementScalar, 1) }
        scalar = scalar << 6 | UInt32(next & 0x3F)
    }
    let isSurrogate = (0xD800...0xDFFF).contains(scalar)
    guard scalar >= lowest, scalar <= 0x10FFFF, !isSurrogate else { return (replacementScalar, 1) }
    return (scalar, length)
}

/// Appends the UTF-8 form of a scalar; a surrogate or a value beyond U+10FFFF becomes U+FFFD.
func appendUTF8(_ scalar: UInt32, to bytes: inout [UInt8]) {
    let valid = Unicode.Scalar(scalar) ?? Unicode.Scalar(0xFFFD as UInt16) ?? "?"
    bytes.append(contentsOf: UTF8.encode(valid).map { Array($0) } ?? [])
}

/// The text of bytes, or `nil` if they are not valid UTF-8.
func validString(_ bytes: [UInt8]) -> String? {
    String(validating: bytes, as: UTF8.self)
}
