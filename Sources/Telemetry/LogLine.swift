/// One log line before it is written: everything that its text depends on.
///
/// The standard form is that of hclog, the logger of Vault: `time [LEVEL] name: message: key=value key="two words"`.
struct LogLine {
    let time: WallTime
    let level: LogLevel
    /// The logger's name; empty for none.
    let name: String
    let message: String
    let fields: [(key: String, value: LogValue)]

    /// The line without its final newline. It holds further newlines if a value does.
    func text(_ format: LogFormat) -> String {
        switch format {
        case .standard: standard
        case .json: json
        }
    }

    private var standard: String {
        var line = "\(time.milliseconds) \(level.bracketed) "
        if !name.isEmpty { line += name + ": " }
        line += escaped(message, quotes: false)
        if !fields.isEmpty { line += ":" }
        var isAfterBlock = false
        for (key, value) in fields {
            let text = value.text
            if text.utf8.contains(UInt8(ascii: "\n")) {
                line += (isAfterBlock ? "\n" : "") + "\n  \(key)=" + indented(text)
                isAfterBlock = true
                continue
            }
            line += isAfterBlock ? "\n   " : " "
            line += key + "=" + (needsQuotes(value, text) ? "\"\(escaped(text, quotes: true))\"" : text)
            isAfterBlock = false
        }
        return line
    }

    private var json: String {
        var members: [(String, JSONText)] = [
            ("@level", .string(level.name)), ("@message", .string(message)), ("@timestamp", .string(time.microseconds)),
        ]
        if !name.isEmpty { members.insert(("@module", .string(name)), at: 2) }
        // Sorted as hclog writes them, from a map.
        members += fields.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { ($0.key, $0.value.json) }
        return JSONText.object(members).text
    }

    private func indented(_ text: String) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { "\n  | " + escaped(String($0), quotes: false) }.joined()
    }
}

/// Whether a value must stand in quotation marks: empty, or with anything but visible ASCII. Numbers never need them.
private func needsQuotes(_ value: LogValue, _ text: String) -> Bool {
    switch value {
    case .integer, .double, .boolean: false
    case .string, .key: text.isEmpty || text.utf8.contains { $0 <= 0x20 || $0 >= 0x7F || $0 == UInt8(ascii: "\"") }
    }
}

/// A text with its control characters escaped as hclog does, so that no value can fake a line or move the cursor.
private func escaped(_ text: String, quotes: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"" where quotes: result += "\\\""
        case "\u{07}": result += "\\a"
        case "\u{08}": result += "\\b"
        case "\u{0C}": result += "\\f"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case "\u{0B}": result += "\\v"
        case _ where isVisible(scalar): result.unicodeScalars.append(scalar)
        case _ where scalar.value < 0x20: result += "\\x" + hexadecimal(scalar.value, 2)
        case _ where scalar.value < 0x10000: result += "\\u" + hexadecimal(scalar.value, 4)
        default: result += "\\U" + hexadecimal(scalar.value, 8)
        }
    }
    return result
}

private func isVisible(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value >= 0x20 && scalar.value < 0x7F }
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator:
        return false
    default: return true
    }
}

/// A number in base 16 with zeros before it up to `width` digits.
func hexadecimal(_ value: UInt32, _ width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
