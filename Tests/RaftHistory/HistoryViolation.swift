/// Operations of a key that cannot be put in any order.
package struct HistoryViolation: Error, Equatable, Sendable {
    package var key: [UInt8]
    /// The few that contradict one another, whatever became of the others, in the order of their requests. Leave any of
    /// them out (of a write: let what it wrote be there at any time after it was sent, and as often as need be), and
    /// there is an order of what was sent and answered until the last of these answers; unless the history is so large
    /// that to find the fewest costs too much.
    package var core: [HistoryOperation]
    /// How many operations the key has.
    package var total: Int
}

extension HistoryViolation: CustomStringConvertible {
    package var description: String {
        let what =
            switch (core.count, total) {
            case (_, 1): "its only operation cannot have been"
            case (1, _): "one of its \(total) operations cannot have been, whenever the others took effect"
            default: "\(core.count) of its \(total) operations contradict one another, whenever the others took effect"
            }
        let more = core.count > 20 ? ["  … and \(core.count - 20) more"] : []
        return (["key \(shown(key)): \(what):"] + core.prefix(20).map { "  \($0)" } + more).joined(separator: "\n")
    }
}

extension HistoryChecker {
    /// States that one attempt to leave something out may cost; what is not clear by then stays in. All attempts
    /// together may cost as much as the search of a key, so that an explanation of a long history ends in time.
    private static let attemptBudget = 20_000

    /// Finds the few operations that make a history impossible.
    ///
    /// Only what makes a history easier to order is done to it, so that a contradiction that is left is one of the whole:
    /// it ends earlier, a read is left out, of a write only its value is believed.
    func explain(_ operations: [HistoryOperation], of key: [UInt8]) -> HistoryViolation {
        let history = shortened(operations, of: key).sorted { $0.invoked < $1.invoked }
        var left = budget
        let few = fewer(history, of: key, &left)
        // Reads first: what is left is then told by writes where it can be.
        var core = few.filter { history[$0].kind.isRead } + few.filter { !history[$0].kind.isRead }
        var width = max(core.count / 2, 1)
        while true {
            var start = 0
            while start < core.count, left > 0 {
                var attempt = core
                attempt.removeSubrange(start..<min(start + width, core.count))
                if isImpossible(history, keeping: attempt, of: key, &left) { core = attempt } else { start += width }
            }
            if width == 1 { break }
            width /= 2
        }
        return HistoryViolation(key: key, core: core.sorted().map { history[$0] }, total: operations.count)
    }

    /// Operations that contradict one another: those about the value that the last answer tells of, and the newest of the
    /// others. A long history is searched quickly if nearly all of it is left out.
    private func fewer(_ history: [HistoryOperation], of key: [UInt8], _ left: inout Int) -> [Int] {
        let last = history.indices.max { (history[$0].returned ?? .zero) < (history[$1].returned ?? .zero) }
        let value = last.flatMap { history[$0].kind.needed }
        let about = history.indices.filter { history[$0].kind.tells(of: value) }
        let others = history.indices.filter { !history[$0].kind.tells(of: value) }
        for others in [others.filter { !history[$0].kind.isRead }, others] {
            var count = 0
            while count < 2 * others.count {
                let attempt = about + others.suffix(count)
                if isImpossible(history, keeping: attempt, of: key, &left) { return attempt.sorted() }
                count = max(1, count * 2)
            }
        }
        return Array(history.indices)
    }

    private func isImpossible(
        _ history: [HistoryOperation], keeping core: [Int], of key: [UInt8], _ left: inout Int
    ) -> Bool {
        let kept = Set(core)
        let search = KeySearch(
            kept.sorted().map { history[$0] },
            relaxed: history.indices.filter { !kept.contains($0) }.map { history[$0] }, initial: initial[key])
        var allowed = min(left, Self.attemptBudget)
        left -= allowed
        defer { left += allowed }
        return search.run(budget: &allowed) == false
    }

    /// The history up to the first answer with which it cannot be ordered. Up to an earlier answer it can be.
    private func shortened(_ operations: [HistoryOperation], of key: [UInt8]) -> [HistoryOperation] {
        let returns = operations.compactMap(\.returned).sorted()
        var left = budget * 4
        var (low, high) = (0, returns.count - 1)
        while low < high {
            let middle = (low + high) / 2
            let start = history(operations, until: returns[middle])
            if isOrderable(start, of: key, budget: &left) == false { high = middle } else { low = middle + 1 }
        }
        return returns.isEmpty ? operations : history(operations, until: returns[high])
    }

    /// What is known at a moment, but for what will be refused: that has no effect at any time.
    private func history(_ operations: [HistoryOperation], until end: Duration) -> [HistoryOperation] {
        operations.compactMap { operation in
            guard operation.invoked <= end else { return nil }
            guard let returned = operation.returned, returned > end else { return operation }
            if case .checkAndPut(_, _, taken: false) = operation.kind { return nil }
            var operation = operation
            operation.returned = nil
            return operation
        }
    }
}

extension HistoryOperation.Kind {
    fileprivate var isRead: Bool {
        switch self {
        case .get, .checkAndPut(_, _, taken: false): true
        case .put, .checkAndPut: false
        }
    }

    /// The value that has to be there, of operations that need one.
    fileprivate var needed: [UInt8]?? {
        switch self {
        case .get(let value), .checkAndPut(let value, _, _): value
        case .put: nil
        }
    }

    fileprivate func tells(of value: [UInt8]??) -> Bool {
        guard let value else { return false }
        return switch self {
        case .get(let one), .put(let one): one == value
        case .checkAndPut(let expected, let new, _): expected == value || new == value
        }
    }
}
