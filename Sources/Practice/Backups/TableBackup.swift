/// A copy of a table as it was at one moment.
struct TableBackup: Sendable, Equatable {
    /// Who asked for it.
    enum Kind: String, Sendable, CaseIterable {
        case user = "USER"
        /// Made when a table with point-in-time recovery is deleted.
        case system = "SYSTEM"
    }

    /// Names its rows in the database.
    let number: Int
    let name: String
    let kind: Kind
    /// The table as it was.
    let source: TableDefinition
    let items: Int
    let bytes: Int
    /// Milliseconds since 1970.
    let createdAt: Int

    /// As the service forms it: the time in 14 digits, and 8 that tell it from others of the same time.
    var resourceName: String { "\(source.resourceName)/backup/\(Self.mark(createdAt, number))" }

    static func mark(_ milliseconds: Int, _ number: Int) -> String {
        padded(String(milliseconds), 14) + "-" + padded(String(number & 0xffff_ffff, radix: 16), 8)
    }

    private static func padded(_ digits: String, _ count: Int) -> String {
        String(repeating: "0", count: max(0, count - digits.utf8.count)) + digits
    }
}

/// Of what a table was made.
struct RestoreOrigin: Sendable {
    /// The backup's name for other services; `nil` if it was a point in time.
    let backup: String?
    /// The name for other services of the table that was backed up.
    let table: String
    /// The state that was restored, in milliseconds since 1970.
    let moment: Int
}

/// The point-in-time recovery of a table.
struct RecoveryPeriod: Sendable {
    /// The service's own, and its most
    /// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PointInTimeRecoverySpecification.html).
    static let mostDays = 35

    /// When it was turned on, in milliseconds since 1970.
    let since: Int
    let days: Int

    /// The first state that can be had, in milliseconds since 1970.
    func earliest(at now: Int) -> Int { max(since, now - days * 86_400_000) }
}
