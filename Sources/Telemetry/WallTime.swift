internal import Glibc

/// A moment in the local time zone, taken apart.
package struct WallTime: Sendable, Equatable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var nanosecond: Int
    /// Seconds east of Greenwich.
    package var offset: Int

    package init(
        year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, nanosecond: Int = 0, offset: Int = 0
    ) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.nanosecond = nanosecond
        self.offset = offset
    }

    /// The current time in the zone that `TZ` or the system names.
    package static func now() -> WallTime {
        _ = zoneIsLoaded
        var moment = timespec()
        clock_gettime(CLOCK_REALTIME, &moment)
        var parts = tm()
        localtime_r(&moment.tv_sec, &parts)
        return WallTime(
            year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday),
            hour: Int(parts.tm_hour), minute: Int(parts.tm_min), second: Int(parts.tm_sec), nanosecond: moment.tv_nsec,
            offset: parts.tm_gmtoff)
    }

    /// `2026-11-21T07:33:00.123Z`, with `-0500` for `Z` elsewhere: the form of standard log lines.
    var milliseconds: String {
        "\(dateAndTime).\(padded(nanosecond / 1_000_000, 3))\(zone(separator: ""))"
    }

    /// `2026-11-21T07:33:00.123456Z`, with `-05:00` for `Z` elsewhere: RFC 3339, the form of JSON lines.
    package var microseconds: String {
        "\(dateAndTime).\(padded(nanosecond / 1000, 6))\(zone(separator: ":"))"
    }

    /// `20261121T073300`: for names of files.
    package var compact: String {
        "\(padded(year, 4))\(padded(month, 2))\(padded(day, 2))T\(padded(hour, 2))\(padded(minute, 2))\(padded(second, 2))"
    }

    private var dateAndTime: String {
        "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T"
            + "\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2))"
    }

    private func zone(separator: String) -> String {
        guard offset != 0 else { return "Z" }
        let minutes = abs(offset) / 60
        return "\(offset < 0 ? "-" : "+")\(padded(minutes / 60, 2))\(separator)\(padded(minutes % 60, 2))"
    }
}

/// `localtime_r` need not look at `TZ` by itself; `tzset` does, once.
private let zoneIsLoaded: Bool = {
    tzset()
    return true
}()

/// A number with zeros before it up to `width` digits.
func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
