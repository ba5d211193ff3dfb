/// The operations of one key as the search wants them: values as small numbers, what has an answer apart from what has
/// none, each in the order of the requests.
struct KeySteps {
    enum Effect: Hashable {
        /// Needs the value, changes nothing.
        case finds(Int)
        /// Needs any other value, changes nothing.
        case misses(Int)
        case writes(Int)
        /// Needs the first value, leaves the second.
        case swaps(Int, Int)
    }

    struct Step {
        let effect: Effect
        let invoked: Duration
        /// Without meaning for what has no answer.
        let returned: Duration
    }

    /// A value that nobody found or expected: all such are alike.
    static let other = -1

    private(set) var answered: [Step] = []
    private(set) var open: [Step] = []
    /// For each open step the one before it with the same effect. Of those only the first unused need be tried: nothing
    /// tells them apart but that the later one has less freedom.
    private(set) var alike: [Int?] = []
    /// The open steps by the value they leave.
    private(set) var leaving: [Int: [Int]] = [:]
    /// Values that may be there at any time from a moment on, and as often as need be.
    private(set) var free: [Int: Duration] = [:]
    private(set) var initial = 0

    private var numbers: [[UInt8]?: Int] = [nil: 0]

    /// - Parameter relaxed: Operations of which no more is believed than that what they write may be there, at any time
    ///   after they were sent.
    init(_ operations: [HistoryOperation], relaxed: [HistoryOperation], initial: [UInt8]?) {
        for operation in operations { noteExpected(operation) }
        self.initial = number(initial)
        for operation in relaxed {
            switch operation.kind {
            case .get: continue
            case .checkAndPut(_, _, taken: false) where operation.returned != nil: continue
            case .put(let value), .checkAndPut(_, let value, _):
                free[number(value)] = min(operation.invoked, free[number(value)] ?? operation.invoked)
            }
        }
        for operation in operations.sorted(by: { $0.invoked < $1.invoked }) {
            guard let effect = effect(operation) else { continue }
            let step = Step(
                effect: effect, invoked: operation.invoked, returned: operation.returned ?? operation.invoked)
            if operation.returned == nil { open.append(step) } else { answered.append(step) }
        }
        var latest: [Effect: Int] = [:]
        for (place, step) in open.enumerated() {
            alike.append(latest[step.effect])
            latest[step.effect] = place
            if let value = left(by: place) { leaving[value, default: []].append(place) }
        }
    }

    /// The value that an open step leaves.
    func left(by place: Int) -> Int? {
        switch open[place].effect {
        case .writes(let value), .swaps(_, let value): value
        case .finds, .misses: nil
        }
    }

    /// Numbers a value that some operation can tell from others.
    private mutating func noteExpected(_ operation: HistoryOperation) {
        let value: [UInt8]? =
            switch operation.kind {
            case .get(let found): operation.returned == nil ? nil : found
            case .checkAndPut(let expected, _, _): expected
            case .put: nil
            }
        if numbers[value] == nil { numbers[value] = numbers.count }
    }

    private func number(_ value: [UInt8]?) -> Int { numbers[value] ?? Self.other }

    /// `nil` for what tells and changes nothing.
    private func effect(_ operation: HistoryOperation) -> Effect? {
        switch (operation.kind, operation.returned) {
        case (.get, nil): nil
        case (.get(let found), _): .finds(number(found))
        case (.put(let value), _): .writes(number(value))
        case (.checkAndPut(let expected, let new, taken: true), _), (.checkAndPut(let expected, let new, _), nil):
            .swaps(number(expected), number(new))
        case (.checkAndPut(let expected, _, taken: false), _): .misses(number(expected))
        }
    }
}
