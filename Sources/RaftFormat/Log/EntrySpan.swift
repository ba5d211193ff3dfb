/// Entries from one index to another, for sentences.
package struct EntrySpan: Sendable, Equatable, CustomStringConvertible {
    package let first: UInt64
    package let last: UInt64

    package init(_ first: UInt64, _ last: UInt64) {
        self.first = first
        self.last = last
    }

    package var isOne: Bool { first >= last }

    /// `entry 7`, `entries 7 to 9`.
    package var description: String { isOne ? "entry \(last)" : "entries \(first) to \(last)" }

    /// The same at the beginning of a sentence.
    package var capitalized: String { isOne ? "Entry \(last)" : "Entries \(first) to \(last)" }

    /// `7`, `7 to 9`.
    package var numbers: String { isOne ? "\(last)" : "\(first) to \(last)" }

    /// The form of a verb, or a pronoun, that goes with them.
    package func choose(_ one: String, _ many: String) -> String { isOne ? one : many }
}
