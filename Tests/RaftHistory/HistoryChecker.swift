/// Tells whether a history of operations could have come from one copy of the data: whether, of every key, all
/// operations can be put in an order in which each takes effect at one moment between request and answer, and finds
/// what the one before it left (linearizability, as Herlihy and Wing define it).
///
/// Keys are independent of one another, so each is searched alone (Wing and Gong's search; states that were seen are not
/// searched again, as Lowe proposed). A search is exponential at worst, hence the budget.
package struct HistoryChecker: Sendable {
    /// States of one key that are looked at before it is given up.
    package var budget: Int
    /// What keys held at the beginning; those not named held nothing.
    package var initial: [[UInt8]: [UInt8]]

    package init(budget: Int = 500_000, initial: [[UInt8]: [UInt8]] = [:]) {
        self.budget = budget
        self.initial = initial
    }

    package enum Verdict: Equatable, Sendable {
        /// Every key's operations can be ordered.
        case ordered
        /// Those of a key cannot; it is the first such key in the order of bytes.
        case violated(HistoryViolation)
        /// No key was found to be violated, but the budget ended the search of this one.
        case undecided(key: [UInt8])
    }

    /// - Parameter history: In any order, of any number of keys.
    package func check(_ history: [HistoryOperation]) -> Verdict {
        let keys = Dictionary(grouping: history, by: \.key)
        var undecided: [UInt8]?
        for (key, operations) in keys.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            var left = budget
            switch isOrderable(operations, of: key, budget: &left) {
            case true: continue
            case false: return .violated(explain(operations, of: key))
            case nil: undecided = undecided ?? key
            }
        }
        return undecided.map { .undecided(key: $0) } ?? .ordered
    }

    /// `nil` if the budget, of which it takes what it uses, did not suffice.
    func isOrderable(_ operations: [HistoryOperation], of key: [UInt8], budget: inout Int) -> Bool? {
        KeySearch(operations, initial: initial[key]).run(budget: &budget)
    }
}
