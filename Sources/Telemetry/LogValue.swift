/// The value of one field of a log line.
package enum LogValue: Sendable, Equatable {
    case string(String)
    case integer(Int)
    case double(Double)
    case boolean(Bool)
    /// Bytes of a storage key or prefix, written in their escaped form (ASCII; other bytes as `\xhh`).
    case key([UInt8])

    /// The value as text, before any quoting.
    var text: String {
        switch self {
        case .string(let text): text
        case .integer(let number): String(number)
        case .double(let number): String(number)
        case .boolean(let isTrue): String(isTrue)
        case .key(let bytes): printableKey(bytes)
        }
    }

    /// The value in a JSON line.
    package var json: JSONText {
        switch self {
        case .string(let text): .string(text)
        case .integer(let number): .integer(number)
        case .double(let number): .double(number)
        case .boolean(let isTrue): .boolean(isTrue)
        case .key(let bytes): .string(printableKey(bytes))
        }
    }
}

extension LogValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    package init(stringLiteral text: String) { self = .string(text) }
    package init(integerLiteral number: Int) { self = .integer(number) }
    package init(booleanLiteral isTrue: Bool) { self = .boolean(isTrue) }
}

/// The printable form of a key's bytes: 0x20 to 0x7e stand for themselves except `\`, which is `\\`; every other byte
/// is `\xhh`. The same form as in reports and messages.
package func printableKey(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count + 8)
    let digits = Array("0123456789abcdef".utf8)
    for byte in bytes {
        switch byte {
        case UInt8(ascii: "\\"): text += [byte, byte]
        case 0x20...0x7E: text.append(byte)
        default: text += [UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: text, as: UTF8.self)
}
