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
