import RaftHistory
import Testing

/// Histories whose verdict a person sees.
@Suite struct KnownHistoryTests {
    private typealias Kind = HistoryOperation.Kind

    /// An operation from one second to another; without an end its outcome is unknown.
    private static func op(_ from: Int, _ to: Int?, _ kind: Kind, key: String = "x") -> HistoryOperation {
        HistoryOperation(
            client: from, key: Array(key.utf8), kind, invoked: .seconds(from), returned: to.map { .seconds($0) })
    }

    private static func put(_ text: String?) -> Kind { .put(text.map { Array($0.utf8) }) }
    private static func get(_ text: String?) -> Kind { .get(text.map { Array($0.utf8) }) }
    private static func swap(_ old: String?, _ new: String?, _ taken: Bool) -> Kind {
        .checkAndPut(expected: old.map { Array($0.utf8) }, new: new.map { Array($0.utf8) }, taken: taken)
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let history: [HistoryOperation]
        /// When the operations of the contradiction were sent.
        var core: [Int] = []
    }

    @Test(arguments: [
        Case(testDescription: "nothing", history: []),
        Case(
            testDescription: "one after the other",
            history: [
                op(0, 1, get(nil)), op(2, 3, put("a")), op(4, 5, get("a")), op(6, 7, put(nil)), op(8, 9, get(nil)),
            ]),
        Case(
            testDescription: "reads beside a write see the old or the new value",
            history: [
                op(0, 1, put("a")), op(2, 9, put("b")), op(3, 4, get("a")), op(5, 6, get("b")), op(7, 8, get("b")),
            ]),
        Case(
            testDescription: "two writes side by side in the order that a read shows",
            history: [op(0, 5, put("a")), op(1, 4, put("b")), op(6, 7, get("a"))]),
        Case(
            testDescription: "an answer and a request at the same moment",
            history: [op(0, 1, put("a")), op(2, 3, put("b")), op(3, 4, get("a"))]),
        Case(
            testDescription: "a write without answer that nobody sees",
            history: [op(0, 1, put("a")), op(2, nil, put("b")), op(3, 4, get("a"))]),
        Case(
            testDescription: "a write without answer that takes effect late",
            history: [op(0, 1, put("a")), op(2, nil, put("b")), op(3, 4, get("a")), op(5, 6, get("b"))]),
        Case(
            testDescription: "a write without answer that takes effect behind later writes",
            history: [
                op(0, nil, put("a")), op(1, 2, put("b")), op(3, 4, get("b")), op(5, 6, put("c")), op(7, 8, get("a")),
            ]),
        Case(
            testDescription: "a check-and-put without answer that explains the next",
            history: [op(0, 1, put("a")), op(2, nil, swap("a", "b", false)), op(3, 4, swap("b", "c", true))]),
        Case(
            testDescription: "a check-and-put that is refused for a write that nobody reads",
            history: [op(0, 1, put("a")), op(2, nil, put("b")), op(3, 4, swap("a", "c", false))]),
        Case(
            testDescription: "writes without answers, one behind the other",
            history: [
                op(0, nil, put("a")), op(0, nil, swap("a", "b", true)), op(0, nil, swap("b", "c", true)),
                op(1, 2, get("c")),
            ]),
        Case(
            testDescription: "the same value twice",
            history: [
                op(0, nil, put("a")), op(0, nil, put("a")), op(1, 2, get("a")), op(3, 4, put("b")), op(5, 6, get("a")),
            ]),
    ])
    func accepts(_ one: Case) {
        #expect(HistoryChecker().check(one.history) == .ordered)
    }

    @Test(arguments: [
        Case(
            testDescription: "a stale read",
            history: [
                op(0, 1, put("a")), op(2, 3, put("b")), op(4, 5, get("b")), op(6, 7, get("a")), op(8, 9, get("b")),
            ], core: [0, 2, 6]),
        Case(
            testDescription: "a lost write",
            history: [op(0, 1, get(nil)), op(2, 3, put("a")), op(4, 5, get(nil))], core: [2, 4]),
        Case(
            testDescription: "two nodes that both take the check-and-put",
            history: [
                op(0, 1, put("a")), op(2, 9, swap("a", "b", true)), op(3, 8, swap("a", "c", true)),
                op(10, 11, get("b")),
            ], core: [0, 2, 3]),
        Case(
            testDescription: "a check-and-put that is refused though nothing else was there",
            history: [op(0, 1, put("a")), op(2, 3, swap("a", "b", false))], core: [0, 2]),
        Case(
            testDescription: "a check-and-put that is taken though something else was there",
            history: [op(0, 1, put("a")), op(2, 3, put("b")), op(4, 5, swap("a", "c", true))], core: [0, 2, 4]),
        Case(
            testDescription: "a value that nobody wrote",
            history: [op(0, 1, put("a")), op(2, 3, get("b"))], core: [2]),
        Case(
            testDescription: "a value before it was written",
            history: [op(0, 1, get("a")), op(2, 3, put("a"))], core: [0]),
        Case(
            testDescription: "reads beside a write that see the new value and then the old",
            history: [op(0, 1, put("a")), op(2, 9, put("b")), op(3, 4, get("b")), op(5, 6, get("a"))],
            core: [0, 3, 5]),
        Case(
            testDescription: "a write without answer that comes, goes and comes again",
            history: [
                op(0, nil, put("b")), op(1, 2, put("a")), op(3, 4, get("b")), op(5, 6, get("a")),
            ], core: [1, 3, 5]),
        Case(
            testDescription: "a write without answer that was taken though it was overwritten",
            history: [
                op(0, 1, put("a")), op(2, nil, put("b")), op(3, 4, get("b")), op(5, 6, put("c")), op(7, 8, get("b")),
            ], core: [2, 3, 5, 7]),
        Case(
            testDescription: "another key",
            history: [op(0, 1, put("a")), op(2, 3, get("a"), key: "y")], core: [2]),
    ])
    func refuses(_ one: Case) throws {
        guard case .violated(let violation) = HistoryChecker().check(one.history) else {
            Issue.record("accepted")
            return
        }
        #expect(violation.core.map(\.client) == one.core, "\(violation)")
    }

    @Test func saysWhatCannotBe() throws {
        let history = [
            Self.op(0, 1, Self.put("a")), Self.op(2, 3, Self.swap("a", "\"\u{1}", true)),
            Self.op(3, nil, Self.put("b")),
            Self.op(4, 5, Self.get(nil)), Self.op(6, 7, Self.get("b")),
        ]
        guard case .violated(let violation) = HistoryChecker().check(history) else {
            Issue.record("accepted")
            return
        }
        #expect(
            "\(violation)" == #"""
                key "x": 2 of its 5 operations contradict one another, whenever the others took effect:
                  2.000000 to 3.000000 s, client 2: check-and-put "a" to "\x22\x01", taken
                  4.000000 to 5.000000 s, client 4: get found nothing
                """#)
    }

    @Test func beginsWithWhatKeysHeld() {
        let history = [Self.op(0, 1, Self.get("a"))]
        #expect(HistoryChecker(initial: [Array("x".utf8): [0x61]]).check(history) == .ordered)
        #expect(HistoryChecker(initial: [Array("x".utf8): [0x62]]).check(history) != .ordered)
    }

    @Test func saysWhenItGaveUp() {
        let writes = (0..<12).map { Self.op(0, 1, Self.put("\($0)")) }
        let reads = (0..<12).map { Self.op(2, 3, Self.get("\($0)")) }
        let history = writes + reads
        #expect(HistoryChecker(budget: 100).check(history) == .undecided(key: Array("x".utf8)))
        // A violation elsewhere counts all the same.
        let clear = Self.op(0, 1, Self.get("z"), key: "y")
        guard case .violated(let violation) = HistoryChecker(budget: 100).check(history + [clear]) else {
            Issue.record("overlooked")
            return
        }
        #expect(violation.key == Array("y".utf8))
    }
}
