/// A JSON value to be written; the members of an object keep their order.
///
/// The text is one line and always valid UTF-8: it is made from Swift strings only, and control characters are escaped.
package enum JSONText: Sendable {
    case object([(String, JSONText)])
    case array([JSONText])
    case string(String)
    case integer(Int)
    /// Infinite numbers and NaN, which JSON does not know, are written as null.
    case double(Double)
    case boolean(Bool)
    case null

    /// The value as compact JSON.
    package var text: String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .object(let members):
            text += "{"
            for (index, (name, value)) in members.enumerated() {
                if index > 0 { text += "," }
                writeString(name, to: &text)
                text += ":"
                value.write(to: &text)
            }
            text += "}"
        case .array(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += "," }
                element.write(to: &text)
            }
            text += "]"
        case .string(let string): writeString(string, to: &text)
        case .integer(let number): text += String(number)
        case .double(let number): text += number.isFinite ? String(number) : "null"
        case .boolean(let isTrue): text += isTrue ? "true" : "false"
        case .null: text += "null"
        }
    }
}

extension JSONText {
    /// The number, or null.
    package static func optional(_ number: Int?) -> JSONText { number.map(JSONText.integer) ?? .null }

    /// The number, or null.
    package static func optional(_ number: Double?) -> JSONText { number.map(JSONText.double) ?? .null }

    /// The text, or null.
    package static func optional(_ text: String?) -> JSONText { text.map(JSONText.string) ?? .null }
}

private func writeString(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
        switch scalar {
        case "\"": text += "\\\""
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        case "\r": text += "\\r"
        case "\t": text += "\\t"
        // U+2028 and U+2029 end a line for some readers of line-wise JSON.
        case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value), "\u{2028}", "\u{2029}":
            text += "\\u" + hexadecimal(scalar.value, 4)
        default: text.unicodeScalars.append(scalar)
        }
    }
    text += "\""
}
