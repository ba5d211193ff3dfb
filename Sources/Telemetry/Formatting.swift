/// A number of bytes in binary units: `512 B`, `1.2 GiB`.
package func formatBytes(_ count: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    guard count.magnitude >= 1024 else { return "\(count) B" }
    var unit = 0
    var value = Double(count.magnitude)
    // From 1023.95 on one decimal would read "1024.0".
    while value >= 1023.95, unit < units.count - 1 {
        value /= 1024
        unit += 1
    }
    return (count < 0 ? "-" : "") + oneDecimal(value) + " " + units[unit]
}

/// A number with commas between thousands: `1,234,567`.
package func formatCount(_ count: Int) -> String {
    let digits = Array(String(count.magnitude))
    var text = count < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
        text.append(digit)
    }
    return text
}

/// A time in the two units that matter: `850ms`, `4.2s`, `42s`, `3m12s`, `2h05m`, `3d04h`.
package func formatDuration(_ duration: Duration) -> String {
    if duration < .zero { return "-" + formatDuration(.zero - duration) }
    let (seconds, attoseconds) = duration.components
    let milliseconds = Int(attoseconds / 1_000_000_000_000_000)
    let total = Int(seconds)
    switch total {
    case 0: return "\(milliseconds)ms"
    case ..<10: return "\(total).\(milliseconds / 100)s"
    case ..<60: return "\(total)s"
    case ..<3600: return "\(total / 60)m\(padded(total % 60, 2))s"
    case ..<86400: return "\(total / 3600)h\(padded(total % 3600 / 60, 2))m"
    default: return "\(total / 86400)d\(padded(total % 86400 / 3600, 2))h"
    }
}

/// A number that is not negative with one decimal, rounded.
func oneDecimal(_ value: Double) -> String {
    guard value.isFinite, value < 1e15 else { return String(value) }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
}
