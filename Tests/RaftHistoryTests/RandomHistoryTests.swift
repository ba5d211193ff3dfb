import RaftHistory
import TestSupport
import Testing

/// Verdicts on histories that nobody has looked at.
@Suite struct RandomHistoryTests {
    /// Tries every order of the operations of one key, without any cleverness.
    ///
    /// - Parameter free: Writes whose values may be there at any time after their request.
    private static func hasOrder(
        _ history: [HistoryOperation], free: [(value: [UInt8]?, since: Duration)] = [], _ value: [UInt8]? = nil
    ) -> Bool {
        let ends = history.compactMap(\.returned)
        guard let end = ends.min() else { return true }
        return history.indices.contains { place in
            let next = history[place]
            var rest = history
            rest.remove(at: place)
            if end < next.invoked { return false }
            return ([value] + free.filter { $0.since <= end }.map(\.value)).contains { value in
                switch next.kind {
                case .get(let found):
                    return (next.returned == nil || found == value) && hasOrder(rest, free: free, value)
                case .put(let new): return hasOrder(rest, free: free, new)
                case .checkAndPut(let expected, let new, let taken):
                    if next.returned != nil, taken != (expected == value) { return false }
                    return hasOrder(rest, free: free, expected == value ? new : value)
                }
            }
        }
    }

    @Test(arguments: 0..<8)
    func agreesWithTryingEveryOrder(_ part: Int) {
        var verdicts = [true: 0, false: 0]
        for round in 0..<Effort.rounds(250) {
            var random = RandomHistory(seed: (Effort.seed * 8 + part) * 1_000_000 + round)
            let history = random.guessed(operations: 2 + round % 5)
            let expected = Self.hasOrder(history)
            verdicts[expected, default: 0] += 1
            switch HistoryChecker().check(history) {
            case .ordered: #expect(expected, "\(history)")
            case .undecided: Issue.record("undecided: \(history)")
            case .violated(let violation):
                #expect(!expected, "\(history)")
                Self.checkMinimal(violation, of: history)
            }
        }
        #expect(verdicts.values.allSatisfy { $0 > 20 }, "\(verdicts)")
    }

    /// The core alone has no order, and has one as soon as any of it is left out.
    private static func checkMinimal(_ violation: HistoryViolation, of history: [HistoryOperation]) {
        // The explanation ends with the first answer that cannot be; answers behind it are not looked at.
        let end = violation.core.compactMap(\.returned).max() ?? .zero
        let earlier = history.compactMap { operation -> HistoryOperation? in
            guard operation.invoked <= end else { return nil }
            guard let returned = operation.returned, returned > end else { return operation }
            if case .checkAndPut(_, _, taken: false) = operation.kind { return nil }
            var operation = operation
            operation.returned = nil
            return operation
        }
        #expect(!hasOrder(violation.core, free: relaxed(earlier, without: violation.core)), "\(violation)")
        for place in violation.core.indices {
            var fewer = violation.core
            fewer.remove(at: place)
            #expect(hasOrder(fewer, free: relaxed(earlier, without: fewer)), "\(violation)")
        }
    }

    private static func relaxed(
        _ history: [HistoryOperation], without core: [HistoryOperation]
    ) -> [(value: [UInt8]?, since: Duration)] {
        history.filter { !core.contains($0) }.compactMap { operation in
            switch operation.kind {
            case .get: nil
            case .checkAndPut(_, _, taken: false) where operation.returned != nil: nil
            case .put(let value), .checkAndPut(_, let value, _): (value, operation.invoked)
            }
        }
    }

    @Test(arguments: [(10_000, 50, 8, 5), (2_000, 1, 8, 3), (2_000, 1, 3, 10), (3_000, 20, 20, 20)])
    func acceptsWhatOneCopyDid(operations: Int, keys: Int, clients: Int, lost: Int) {
        for seed in 0..<Effort.rounds(1) {
            var random = RandomHistory(seed: seed + Effort.seed)
            let history = random.truthful(operations: operations, keys: keys, clients: clients, lost: lost)
            #expect(HistoryChecker().check(history) == .ordered)
        }
    }

    /// One read among ten thousand operations finds what was there before, though a later value had been read already.
    @Test(arguments: 1...5)
    func findsOneStaleReadAmongMany(_ seed: Int) {
        var random = RandomHistory(seed: seed)
        var history = random.truthful(operations: 10_000, keys: 50, clients: 8)
        let key: [UInt8] = [UInt8(seed * 7)]
        let values = history.indices.filter { place in
            if history[place].key == key, case .get(.some) = history[place].kind {
                history[place].returned != nil
            } else {
                false
            }
        }
        let stale = values[values.count * 3 / 4]
        history[stale].kind = history[values[values.count / 4]].kind
        guard case .violated(let violation) = HistoryChecker().check(history) else {
            Issue.record("accepted")
            return
        }
        #expect(violation.key == key)
        #expect(violation.core.contains(history[stale]), "\(violation)")
        #expect(violation.core.count <= 5, "\(violation)")
    }
}
