/// A value in the generic shape HCL 1 decodes to before it becomes a string.
enum DecodedValue {
    case boolean(Bool)
    case integer(Int64)
    case float(Double)
    case string(String)
    case list([DecodedValue])
    case map(DecodedMap)
    /// What an object or a block becomes: a list, because blocks can repeat.
    case maps([DecodedMap])
}

/// A map with byte-wise distinct names in the order of their first appearance.
struct DecodedMap {
    private(set) var names: [String] = []
    /// The values beside the names; `nil` only while one is being decoded.
    var values: [DecodedValue?] = []
    /// By the bytes of the name: two spellings that Unicode holds to be equal are two names.
    private var indices: [[UInt8]: Int] = [:]

    /// The index of a name's value; a new name gets `nil` as its value.
    mutating func slot(for name: String) -> Int {
        let bytes = Array(name.utf8)
        if let index = indices[bytes] { return index }
        indices[bytes] = names.count
        names.append(name)
        values.append(nil)
        return names.count - 1
    }
}

extension DecodedValue {
    /// The value as a storage backend receives it: a string as it is, anything else as compact JSON.
    var settingText: String {
        if case .string(let text) = self { return text }
        var output = ""
        appendJSON(to: &output)
        return output
    }

    /// Compact JSON as Go's `encoding/json` writes it: names in byte order, `<`, `>` and `&` escaped.
    fileprivate func appendJSON(to output: inout String) {
        switch self {
        case .boolean(let value): output += value ? "true" : "false"
        case .integer(let value): output += String(value)
        case .float(let value): output += jsonText(value)
        case .string(let text): appendJSONString(text, to: &output)
        case .map(let map): map.appendJSON(to: &output)
        case .list(let elements):
            appendElements(elements, to: &output) { $0.appendJSON(to: &$1) }
        case .maps(let elements):
            appendElements(elements, to: &output) { $0.appendJSON(to: &$1) }
        }
    }
}

extension DecodedMap {
    fileprivate func appendJSON(to output: inout String) {
        let order = names.indices.sorted { names[$0].utf8.lexicographicallyPrecedes(names[$1].utf8) }
        output += "{"
        for (position, index) in order.enumerated() {
            if position > 0 { output += "," }
            appendJSONString(names[index], to: &output)
            output += ":"
            values[index]?.appendJSON(to: &output)
        }
        output += "}"
    }
}

private func appendElements<Element>(
    _ elements: [Element], to output: inout String, each: (Element, inout String) -> Void
) {
    output += "["
    for (position, element) in elements.enumerated() {
        if position > 0 { output += "," }
        each(element, &output)
    }
    output += "]"
}

private func appendJSONString(_ text: String, to output: inout String) {
    output += "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": output += "\\\""
        case "\\": output += "\\\\"
        case "\n": output += "\\n"
        case "\r": output += "\\r"
        case "\t": output += "\\t"
        case "\0"..<" ", "<", ">", "&", "\u{2028}", "\u{2029}":
            output += "\\u" + paddedHex(scalar.value, width: 4)
        default: output.unicodeScalars.append(scalar)
        }
    }
    output += "\""
}
