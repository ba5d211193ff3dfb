/// Why a number written in digits has no value.
enum NumberFault: String, Error {
    case syntax = "invalid syntax"
    case range = "value out of range"
}

/// The value of a whole number as Go's `strconv.ParseInt(text, 0, 64)` reads it: an optional sign, then `0x`, `0o` or
/// `0` for octal, `0b`, or decimal digits.
func parseInteger(_ text: String) throws(NumberFault) -> Int64 {
    var digits = Substring(text)
    let isNegative = digits.first == "-"
    if isNegative || digits.first == "+" { digits = digits.dropFirst() }
    var base = 10
    if digits.first == "0", digits.utf8.count > 1 {
        let mark = digits.dropFirst().first
        switch mark {
        case "x", "X": base = 16
        case "o", "O": base = 8
        case "b", "B": base = 2
        default: base = 8
        }
        digits = digits.dropFirst(base == 8 && mark != "o" && mark != "O" ? 1 : 2)
    }
    guard !digits.isEmpty, digits.utf8.allSatisfy({ digitValue(UInt32($0)) < UInt32(base) }) else { throw .syntax }
    guard let value = Int64((isNegative ? "-" : "") + digits, radix: base) else { throw .range }
    return value
}

/// The value of a decimal number with fraction or exponent as Go's `strconv.ParseFloat` reads it. Too small a number
/// is 0, too large a one a fault.
func parseFloat(_ text: String) throws(NumberFault) -> Double {
    let allowed = text.utf8.allSatisfy { isDecimal(UInt32($0)) || ".eE+-".utf8.contains($0) }
    guard allowed, let value = Double(text) ?? Double(withoutLonePoint(text)) else { throw .syntax }
    guard value.isFinite else { throw .range }
    return value
}

/// `1.` and `1.e5` are numbers for Go.
private func withoutLonePoint(_ text: String) -> String {
    guard let point = text.firstIndex(of: ".") else { return text }
    let after = text.index(after: point)
    guard after == text.endIndex || !text[after].isWholeNumber, point != text.startIndex,
        text[text.index(before: point)].isWholeNumber
    else { return text }
    return String(text[..<point] + text[after...])
}

/// A number as Go's `encoding/json` prints it: shortest digits that read back equal, an exponent only below 1e-6 and
/// from 1e21 on.
func jsonText(_ value: Double) -> String {
    if value == 0 { return value.sign == .minus ? "-0" : "0" }
    let (digits, exponent) = shortestDigits(value.magnitude)
    let sign = value < 0 ? "-" : ""
    let isScientific = value.magnitude < 1e-6 || value.magnitude >= 1e21
    if isScientific {
        let fraction = digits.dropFirst()
        let mantissa = digits.prefix(1) + (fraction.isEmpty ? "" : "." + fraction)
        return sign + mantissa + "e" + (exponent < 0 ? "-" : "+") + String(exponent.magnitude)
    }
    if exponent < 0 {
        return sign + "0." + String(repeating: "0", count: -exponent - 1) + digits
    }
    let whole = exponent + 1
    if digits.count <= whole {
        return sign + digits + String(repeating: "0", count: whole - digits.count)
    }
    return sign + digits.prefix(whole) + "." + digits.dropFirst(whole)
}

/// Decimal digits without leading and trailing zeros, and the power of ten of the first of them.
private func shortestDigits(_ value: Double) -> (digits: String, exponent: Int) {
    let description = value.description
    let parts = description.split(separator: "e", maxSplits: 1)
    let mantissa = parts.first ?? "0"
    var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
    let halves = mantissa.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let whole = halves.first ?? ""
    var digits = String(whole) + (halves.count > 1 ? String(halves[1]) : "")
    exponent += whole.count - 1
    while digits.count > 1, digits.hasPrefix("0") {
        digits.removeFirst()
        exponent -= 1
    }
    while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
    return (digits, exponent)
}
