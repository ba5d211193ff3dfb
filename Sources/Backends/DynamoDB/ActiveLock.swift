import JSON
import Storage

/// The lock that an active node keeps in the table and renews every five seconds
/// (Vault 1.14 `physical/dynamodb`, `DynamoDBLockRecord`): Identity, Value (the node's id) and Expires in nanoseconds.
struct ActiveLock: Sendable {
    static let place = ItemKey(path: Array("core".utf8), name: Array("_lock".utf8))
    private static let maximumShown = 64

    /// Who holds it, escaped.
    let holder: String
    /// Nanoseconds since 1970; `nil` in very old locks, which say nothing about a living server. A time that cannot be
    /// read has not passed.
    let expires: Int?

    /// - Returns: `nil` for an item that is not the lock, and for a very old lock.
    init?(_ item: JSONNode) {
        let parts: ItemReader.Parts
        do throws(StorageError) { parts = try ItemReader.parts(of: item) } catch { return nil }
        guard parts.kind == .lock, parts.hasLockAttributes else { return nil }
        expires = item["Expires"].map { $0["N"]?.text.flatMap(Self.nanoseconds) ?? .max }
        holder = Self.text(item["Identity"]) ?? Self.text(item["Value"]) ?? "unknown"
    }

    /// The service writes whole numbers out; others may not.
    private static func nanoseconds(_ text: String) -> Int? {
        Int(text) ?? Double(text).flatMap { Int(exactly: $0.rounded()) }
    }

    /// Identity and Value are texts, kept as binary.
    private static func text(_ attribute: JSONNode?) -> String? {
        guard let encoded = attribute?["B"]?.bytes, !encoded.isEmpty, encoded.count < 1024 else { return nil }
        let bytes = [UInt8](unsafeUninitializedCapacity: Base64.maximumDecodedCount(encoded.count) + 3) { room, used in
            used = Base64.decode(encoded, into: UnsafeMutableRawBufferPointer(room)) ?? 0
        }
        return bytes.isEmpty ? nil : "\(StorageKey(Array(bytes.prefix(maximumShown))))"
    }

    func isLive(atSecond now: Int) -> Bool {
        guard let expires else { return false }
        return expires / 1_000_000_000 >= now
    }

    /// Why a migration must not start.
    ///
    /// - Parameter isSource: Whether the table is read; what a server works on is never written to.
    func refusal(_ location: String, isSource: Bool) -> String {
        let until = expires.map { utcTime(second: $0 / 1_000_000_000) } ?? "unknown"
        let advice =
            isSource
            ? "To read it all the same, add -source-in-use=allow: what the server writes meanwhile may be missing."
            : "Nothing is written beside a server: if it is to keep running, name another table as destination."
        return
            "\(location) is in use: node \(holder) holds the lock of the active node until \(until) and renews it as long "
            + "as it runs. Stop every server on it and wait 15 seconds. \(advice)"
    }
}

/// A time as `2026-11-21T07:33:00Z`.
func utcTime(second: Int) -> String {
    var days = second / 86400
    let rest = second - days * 86400
    // Days since 1970-01-01 to a date of the Gregorian calendar, counted from 0000-03-01 in eras of 400 years.
    days += 719_468
    let era = (days >= 0 ? days : days - 146_096) / 146_097
    let dayOfEra = days - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(year)-\(two(month))-\(two(day))T\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))Z"
}
