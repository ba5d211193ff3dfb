/// A point in time in whole seconds since 1970 (UTC), in the forms that AWS and HTTP write it.
package struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Seconds since 1970-01-01T00:00:00Z.
    package var seconds: Int

    package init(seconds: Int) {
        self.seconds = seconds
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.seconds < right.seconds }

    /// `20150830T123600Z`, as `X-Amz-Date` has it; its first eight characters are the day of the credential scope.
    package var basic: String {
        let (year, month, day) = civil
        let time = secondOfDay
        return Self.digits(year, 4) + Self.digits(month, 2) + Self.digits(day, 2) + "T"
            + Self.digits(time / 3600, 2) + Self.digits(time / 60 % 60, 2) + Self.digits(time % 60, 2) + "Z"
    }

    /// `2015-08-30T12:36:00Z`.
    package var description: String {
        let (year, month, day) = civil
        let time = secondOfDay
        return Self.digits(year, 4) + "-" + Self.digits(month, 2) + "-" + Self.digits(day, 2) + "T"
            + Self.digits(time / 3600, 2) + ":" + Self.digits(time / 60 % 60, 2) + ":" + Self.digits(time % 60, 2) + "Z"
    }

    /// Reads `20150830T123600Z`; `nil` for anything else.
    package init?(basic text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return nil }
        self.init(bytes, [0..<4, 4..<6, 6..<8, 9..<11, 11..<13, 13..<15])
    }

    /// Reads `2015-08-30T12:36:00Z`, also with a fraction, which is dropped; `nil` for anything else.
    package init?(extended text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 32, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":")
        else { return nil }
        let rest = bytes[19...]
        let isFraction = rest.first == UInt8(ascii: ".") && rest.dropFirst().dropLast().allSatisfy { $0 &- 0x30 < 10 }
        guard rest.last == UInt8(ascii: "Z"), rest.count == 1 || isFraction else { return nil }
        self.init(bytes, [0..<4, 5..<7, 8..<10, 11..<13, 14..<16, 17..<19])
    }

    /// Reads a `Date` header, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, the form that servers must send).
    package init?(http text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 29, bytes[3] == UInt8(ascii: ","), text.hasSuffix(" GMT"),
            let month = Self.months.firstIndex(of: String(decoding: bytes[8..<11], as: UTF8.self))
        else { return nil }
        let number = Array(Self.digits(month + 1, 2).utf8)
        self.init(bytes + number, [12..<16, 29..<31, 5..<7, 17..<19, 20..<22, 23..<25])
    }

    private init?(_ bytes: [UInt8], _ places: [Range<Int>]) {
        var fields: [Int] = []
        for place in places {
            var value = 0
            for byte in bytes[place] {
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int(byte - 0x30)
            }
            fields.append(value)
        }
        let (year, month, day) = (fields[0], fields[1], fields[2])
        guard (1...12).contains(month), (1...31).contains(day), fields[3] < 24, fields[4] < 60, fields[5] <= 60 else {
            return nil
        }
        seconds = Self.days(year, month, day) * 86_400 + fields[3] * 3600 + fields[4] * 60 + fields[5]
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private var day: Int { Int((Double(seconds) / 86_400).rounded(.down)) }

    private var secondOfDay: Int { seconds - day * 86_400 }

    /// Days since 1970-01-01 of a date of the Gregorian calendar, by counting years from the first of March.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let years = month > 2 ? year : year - 1
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return years * 365 + years / 4 - years / 100 + years / 400 + dayOfYear - 719_468
    }

    /// The date, for years 1 to 9999; what lies outside is clamped, since no form could hold it.
    private var civil: (year: Int, month: Int, day: Int) {
        let count = min(max(day, Self.days(1, 1, 1)), Self.days(9999, 12, 31))
        var year = (count + 719_468) * 400 / 146_097 + 1
        while Self.days(year, 1, 1) > count { year -= 1 }
        var month = 12
        while Self.days(year, month, 1) > count { month -= 1 }
        return (year, month, count - Self.days(year, month, 1) + 1)
    }

    private static func digits(_ value: Int, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(count - text.utf8.count, 0)) + text
    }
}
