/// Searches an order for the operations of one key.
struct KeySearch {
    /// Which operations are ordered already, and what they left.
    private struct State: Hashable {
        /// All answered steps before this one are ordered, this one is not.
        var first = 0
        /// Those behind `first` that are ordered too, ascending. Few: no more than ran at the same time.
        var ahead: [Int] = []
        /// The open steps that are ordered, ascending.
        var used: [Int] = []
        var value: Int
        /// An open step was ordered last: what it left has to be of use to the next, or it can as well be left out.
        var owesUse = false

        func with(_ value: Int, owesUse: Bool) -> State {
            var next = self
            next.value = value
            next.owesUse = owesUse
            return next
        }

        func hasUsed(_ place: Int) -> Bool {
            let slot = used.partitionPoint(place)
            return slot < used.count && used[slot] == place
        }
    }

    private let steps: KeySteps

    init(_ operations: [HistoryOperation], relaxed: [HistoryOperation] = [], initial: [UInt8]?) {
        steps = KeySteps(operations, relaxed: relaxed, initial: initial)
    }

    /// - Returns: Whether there is an order, `nil` if the budget of states ended before that was clear.
    func run(budget: inout Int) -> Bool? {
        var waiting = [State(value: steps.initial)]
        var seen: Set<State> = []
        while let state = waiting.popLast() {
            if state.first == steps.answered.count { return true }
            if budget <= 0 { return nil }
            budget -= 1
            // The last is tried first.
            for next in successors(of: state).reversed() where seen.insert(next).inserted { waiting.append(next) }
        }
        return false
    }

    /// What can come next, the most promising first.
    private func successors(of state: State) -> [State] {
        let (candidates, earliestReturn) = candidates(in: state)
        // What changes nothing and can be ordered now loses nothing by being ordered now.
        for place in candidates {
            switch steps.answered[place].effect {
            case .finds(state.value): return [ordered(place, leaving: state.value, in: state)]
            case .misses(let value) where value != state.value:
                return [ordered(place, leaving: state.value, in: state)]
            default: continue
            }
        }
        var result: [State] = []
        for place in candidates.sorted(by: { steps.answered[$0].returned < steps.answered[$1].returned }) {
            switch steps.answered[place].effect {
            case .writes(let value) where !state.owesUse: result.append(ordered(place, leaving: value, in: state))
            case .swaps(state.value, let value): result.append(ordered(place, leaving: value, in: state))
            default: continue
            }
        }
        return result + openSuccessors(of: state, candidates, until: earliestReturn)
    }

    /// Answered steps that no other one still to be ordered precedes, and the earliest answer of those.
    private func candidates(in state: State) -> (places: [Int], earliestReturn: Duration) {
        var places: [Int] = []
        var earliest = steps.answered[state.first].returned
        var ahead = state.ahead[...]
        for place in state.first..<steps.answered.count {
            if ahead.first == place {
                ahead.removeFirst()
                continue
            }
            let step = steps.answered[place]
            // Those behind it are sent later still and answered later than that.
            if step.invoked > earliest { break }
            earliest = min(earliest, step.returned)
            places.append(place)
        }
        return (places, earliest)
    }

    /// Steps without answer, and values that may be there at any time, that are of use now.
    private func openSuccessors(of state: State, _ candidates: [Int], until end: Duration) -> [State] {
        var (wanted, wantsOther) = wantedValues(of: candidates)
        var result: [State] = []
        var followed: Set<Int> = [state.value]
        if wantsOther {
            wanted += steps.open.indices.compactMap { isFree($0, in: state, until: end) ? steps.left(by: $0) : nil }
            // One is as good as another: each can be there at any time.
            if let any = steps.free.filter({ $0.key != state.value && $0.value <= end }).keys.min() {
                wanted.append(any)
            }
        }
        while let value = wanted.popLast() {
            guard followed.insert(value).inserted else { continue }
            if !state.owesUse, let start = steps.free[value], start <= end {
                result.append(state.with(value, owesUse: true))
            }
            for place in steps.leaving[value] ?? [] where isFree(place, in: state, until: end) {
                if case .swaps(let expected, _) = steps.open[place].effect {
                    wanted.append(expected)
                    if expected != state.value { continue }
                } else if state.owesUse {
                    continue
                }
                // Of those that nothing tells apart the first is used first.
                guard steps.alike[place].map({ state.hasUsed($0) }) ?? true else { continue }
                var next = state.with(value, owesUse: true)
                next.used.insert(place, at: state.used.partitionPoint(place))
                result.append(next)
            }
        }
        return result
    }

    /// Values that let a candidate be next, and whether one needs just any other than now.
    private func wantedValues(of candidates: [Int]) -> (values: [Int], wantsOther: Bool) {
        var values: [Int] = []
        var wantsOther = false
        for place in candidates {
            switch steps.answered[place].effect {
            case .finds(let value), .swaps(let value, _): values.append(value)
            case .misses: wantsOther = true
            case .writes: continue
            }
        }
        return (values, wantsOther)
    }

    private func isFree(_ place: Int, in state: State, until end: Duration) -> Bool {
        steps.open[place].invoked <= end && !state.hasUsed(place)
    }

    private func ordered(_ place: Int, leaving value: Int, in state: State) -> State {
        var next = state.with(value, owesUse: false)
        if place > next.first {
            next.ahead.insert(place, at: state.ahead.partitionPoint(place))
        } else {
            next.first += 1
            while next.ahead.first == next.first {
                next.ahead.removeFirst()
                next.first += 1
            }
        }
        return next
    }
}

extension [Int] {
    /// Where a number stands or would stand among ascending ones.
    fileprivate func partitionPoint(_ number: Int) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
