/// Why a text is not a value of the wanted kind, in the words of Go's `strconv` and `time`, which Vault prints.
struct GoValueError: Error, Equatable {
    let message: String
}

/// Reads a number as Go's `strconv.ParseInt(text, 10, 64)` does: an optional sign and ASCII digits, nothing else.
func parseGoInteger(_ text: String) throws(GoValueError) -> Int {
    let bytes = Array(text.utf8)
    let signed = bytes.first == UInt8(ascii: "-") || bytes.first == UInt8(ascii: "+")
    let digits = signed ? bytes[1...] : bytes[...]
    guard !digits.isEmpty, digits.allSatisfy({ isDigit($0) }) else {
        throw GoValueError(message: "strconv.ParseInt: parsing \(goQuoted(text)): invalid syntax")
    }
    guard let number = Int(text) else {
        throw GoValueError(message: "strconv.ParseInt: parsing \(goQuoted(text)): value out of range")
    }
    return number
}

/// Reads a truth value as Go's `strconv.ParseBool` does.
func parseGoBoolean(_ text: String) throws(GoValueError) -> Bool {
    switch text {
    case "1", "t", "T", "true", "TRUE", "True": return true
    case "0", "f", "F", "false", "FALSE", "False": return false
    default: throw GoValueError(message: "strconv.ParseBool: parsing \(goQuoted(text)): invalid syntax")
    }
}

/// Reads a time as Go's `time.ParseDuration` does (`1h30m`, `-1.5s`, `250ms`); bare digits are seconds, as in Vault.
func parseGoDuration(_ text: String) throws(GoValueError) -> Duration {
    let invalid = GoValueError(message: "time: invalid duration \(goQuoted(text))")
    var rest = Array(text.utf8)[...]
    var isNegative = false
    if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
        isNegative = sign == UInt8(ascii: "-")
        rest = rest.dropFirst()
    }
    guard !rest.isEmpty else { throw invalid }
    if rest.allSatisfy({ isDigit($0) }) { rest += Array("s".utf8) }
    var nanoseconds = 0.0
    while !rest.isEmpty {
        let number = rest.prefix { isDigit($0) || $0 == UInt8(ascii: ".") }
        rest = rest.dropFirst(number.count)
        let unit = rest.prefix { !isDigit($0) && $0 != UInt8(ascii: ".") }
        rest = rest.dropFirst(unit.count)
        // Swift refuses "5." and ".5", which Go takes; both read the same with a zero added.
        guard number.contains(where: { isDigit($0) }),
            let value = Double("0" + String(decoding: number, as: UTF8.self) + (number.contains(46) ? "0" : ""))
        else { throw invalid }
        guard !unit.isEmpty else { throw GoValueError(message: "time: missing unit in duration \(goQuoted(text))") }
        let unitName = String(decoding: unit, as: UTF8.self)
        guard let factor = nanosecondsPerUnit[unitName] else {
            throw GoValueError(message: "time: unknown unit \(goQuoted(unitName)) in duration \(goQuoted(text))")
        }
        nanoseconds += value * factor
    }
    guard nanoseconds < 9.2e18 else { throw invalid }
    return .nanoseconds(Int64(isNegative ? -nanoseconds : nanoseconds))
}

private let nanosecondsPerUnit: [String: Double] = [
    "ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
]

private func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
}

/// A text in quotation marks as Go's `%q` writes it: control characters and other unprintable ones are escaped, so a
/// message can carry whatever the user typed.
func goQuoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": quoted += "\\\""
        case "\\": quoted += "\\\\"
        case "\u{07}": quoted += "\\a"
        case "\u{08}": quoted += "\\b"
        case "\u{0C}": quoted += "\\f"
        case "\n": quoted += "\\n"
        case "\r": quoted += "\\r"
        case "\t": quoted += "\\t"
        case "\u{0B}": quoted += "\\v"
        case _ where isPrintable(scalar): quoted.unicodeScalars.append(scalar)
        case _ where scalar.value < 0x80: quoted += "\\x" + hexadecimal(scalar.value, digits: 2)
        case _ where scalar.value < 0x10000: quoted += "\\u" + hexadecimal(scalar.value, digits: 4)
        default: quoted += "\\U" + hexadecimal(scalar.value, digits: 8)
        }
    }
    return quoted + "\""
}

/// The same for bytes; where they are no UTF-8, all but visible ASCII is escaped.
func goQuoted(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return goQuoted(text) }
    return "\"" + shownText(bytes).replacing("\"", with: "\\\"") + "\""
}

/// Bytes for a message: the text they are, or if they are no UTF-8, all but visible ASCII as `\xhh`.
func shownText(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    return bytes.map { byte in
        if byte == UInt8(ascii: "\\") { return "\\\\" }
        let isVisible = byte >= 0x20 && byte < 0x7F
        return isVisible ? String(UnicodeScalar(byte)) : "\\x" + hexadecimal(UInt32(byte), digits: 2)
    }.joined()
}

private func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value >= 0x20 && scalar.value < 0x7F }
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator:
        return false
    default: return true
    }
}

private func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}
