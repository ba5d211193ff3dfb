/// How the service counts (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
/// and, for tables on demand, `on-demand-capacity-mode.html` beside it).
package enum CapacityRules {
    /// Bytes of a strongly consistent read unit; an eventually consistent one reads twice as many.
    package static let bytesPerReadUnit = 4096
    /// Bytes of a write unit; every item is rounded up.
    package static let bytesPerWriteUnit = 1024
    /// Bytes of a page of a scan or query.
    package static let pageBytes = 1 << 20
    /// Units a second that a new table on demand takes at once; one with traffic in its past takes more.
    package static let onDemandReads = 12_000
    package static let onDemandWrites = 4_000
    /// Bytes of the names of an entry's attributes: Path, Key and Value.
    package static let nameBytes = 12

    package static func roundedUp(_ bytes: Int, _ unit: Int) -> Int { (bytes + unit - 1) / unit }
}
