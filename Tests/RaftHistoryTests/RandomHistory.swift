import RaftHistory
import TestSupport

/// Histories from a seed.
struct RandomHistory {
    private struct Plan {
        var operation: HistoryOperation
        /// When it takes effect; `nil` for never.
        var effect: Int?
        let returned: Int
    }

    private var random: SeededRandom

    init(seed: Int) { random = SeededRandom(seed) }

    /// What clients see of one true copy of the data: each runs one operation after the other, and each operation takes
    /// effect at a moment between request and answer. Of a hundred, `lost` have no answer.
    mutating func truthful(operations: Int, keys: Int, clients: Int, lost: Int = 5) -> [HistoryOperation] {
        var plans: [Plan] = []
        var times = [Int](repeating: 0, count: clients)
        for number in 0..<operations {
            let client = number % clients
            let invoked = times[client] + random.below(20)
            let effect = invoked + random.below(50)
            let returned = effect + random.below(50)
            times[client] = returned + 1
            let operation = HistoryOperation(
                client: client, key: [UInt8(truncatingIfNeeded: random.below(keys))], kind(number),
                invoked: .microseconds(invoked), returned: nil)
            var plan = Plan(operation: operation, effect: effect, returned: returned)
            if random.below(100) < lost {
                plan.effect = random.below(2) == 0 ? nil : effect + random.below(2_000)
            } else {
                plan.operation.returned = .microseconds(returned)
            }
            plans.append(plan)
        }
        return Self.run(plans)
    }

    private mutating func kind(_ number: Int) -> HistoryOperation.Kind {
        switch random.below(4) {
        case 0: .put(random.below(8) == 0 ? nil : Array("\(number)".utf8))
        case 1: .checkAndPut(expected: nil, new: Array("\(number)".utf8), taken: false)
        default: .get(nil)
        }
    }

    /// Lets operations take effect in the order of their moments.
    private static func run(_ plans: [Plan]) -> [HistoryOperation] {
        var plans = plans
        var values: [[UInt8]: [UInt8]] = [:]
        let order = plans.indices.filter { plans[$0].effect != nil }.sorted {
            (plans[$0].effect ?? 0, $0) < (plans[$1].effect ?? 0, $1)
        }
        for (place, number) in order.enumerated() {
            let key = plans[number].operation.key
            switch plans[number].operation.kind {
            case .get: plans[number].operation.kind = .get(values[key])
            case .put(let value): values[key] = value
            case .checkAndPut(_, let new, _):
                // Every other one expects what is there.
                let expected = place % 2 == 0 ? values[key] : [0]
                plans[number].operation.kind = .checkAndPut(
                    expected: expected, new: new, taken: expected == values[key])
                if expected == values[key] { values[key] = new }
            }
        }
        return plans.map(\.operation)
    }

    /// A few operations on one key with two values, whose answers are guessed.
    mutating func guessed(operations: Int) -> [HistoryOperation] {
        (0..<operations).map { number in
            let kind: HistoryOperation.Kind =
                switch random.below(4) {
                case 0: .get(value())
                case 1: .checkAndPut(expected: value(), new: value(), taken: random.below(3) > 0)
                default: .put(value())
                }
            let invoked = random.below(12)
            let returned = random.below(4) == 0 ? nil : invoked + random.below(6)
            return HistoryOperation(
                client: number, key: [1], kind, invoked: .seconds(invoked), returned: returned.map { .seconds($0) })
        }
    }

    private mutating func value() -> [UInt8]? {
        let number = random.below(4)
        return number == 0 ? nil : [UInt8(number)]
    }
}
