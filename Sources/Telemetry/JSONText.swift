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
        var writer = JSONTextWriter(isIndented: false)
        writer.write(self)
        return writer.text
    }

    /// The value as JSON for people: a line for each member and element.
    package var indentedText: String {
        var writer = JSONTextWriter(isIndented: true)
        writer.write(self)
        return writer.text
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

private struct JSONTextWriter {
    private(set) var text = ""
    private let isIndented: Bool
    private var depth = 0

    init(isIndented: Bool) {
        self.isIndented = isIndented
    }

    mutating func write(_ value: JSONText) {
        switch value {
        case .object(let members):
            open("{")
            for (index, (name, value)) in members.enumerated() {
                begin(index)
                writeString(name)
                text += isIndented ? ": " : ":"
                write(value)
            }
            close("}", isEmpty: members.isEmpty)
        case .array(let elements):
            open("[")
            for (index, element) in elements.enumerated() {
                begin(index)
                write(element)
            }
            close("]", isEmpty: elements.isEmpty)
        case .string(let string): writeString(string)
        case .integer(let number): text += String(number)
        case .double(let number): text += number.isFinite ? String(number) : "null"
        case .boolean(let isTrue): text += isTrue ? "true" : "false"
        case .null: text += "null"
        }
    }

    private mutating func open(_ bracket: String) {
        text += bracket
        depth += 1
    }

    private mutating func begin(_ index: Int) {
        if index > 0 { text += "," }
        breakLine()
    }

    private mutating func close(_ bracket: String, isEmpty: Bool) {
        depth -= 1
        if !isEmpty { breakLine() }
        text += bracket
    }

    private mutating func breakLine() {
        if isIndented { text += "\n" + String(repeating: "  ", count: depth) }
    }

    private mutating func writeString(_ string: String) {
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
}
