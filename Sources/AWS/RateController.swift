import Glibc
import Synchronization

/// Keeps one direction of one table's traffic below a limit, and below what the table takes.
///
/// Capacity units flow in at a rate and are taken out by what requests report to have consumed; a request may be sent
/// while none are owed. As long as there is no rate nothing flows in, and nothing is taken out either: what ran free before
/// the first throttle is no debt. Two rates hold, the smaller one counts: the limit that the user gave, and one that appears with
/// the first throttle. That one starts at 0.7 of what was really consumed and grows back along a cubic curve that is flat at
/// the rate at which the throttle came (the shape of RFC 9438, without its unit: tables of all sizes recover in the same
/// time). Any number of threads.
package final class RateController: Sendable {
    /// Told after a request, to settle what was set aside for it.
    package struct Permit: Sendable {
        fileprivate let units: Double
        /// Given while nothing limited the flow: nothing was set aside, and what is consumed is not owed.
        fileprivate var isFree = false
    }

    /// What happened so far.
    package struct Statistics: Sendable {
        /// Capacity units consumed, as the service reports.
        package var units = 0.0
        package var throttles = 0
        /// How long senders waited, all threads together.
        package var waited = Duration.zero
        /// Units a second that may flow now; `nil` if nothing limits them.
        package var rate: Double?
    }

    /// Part of the measured rate that is left after a throttle.
    private static let decrease = 0.7
    /// Seconds until the rate is where the throttle came.
    private static let recovery = 10.0
    /// Throttles that come together count as one: they answer the same burst.
    private static let throttleInterval = Duration.milliseconds(500)
    private static let measuringInterval = Duration.milliseconds(500)
    private static let leastRate = 1.0
    /// Part of the best rate of late that is never gone below: throttles that have nothing to do with the rate, as a
    /// service has on a bad day, must not bring everything to a standstill.
    private static let leastPart = 0.5
    /// Seconds in which the memory of the best rate halves.
    private static let bestHalfLife = 60.0
    /// Unused units are kept for this long, in seconds.
    private static let burstSeconds = 1.0
    /// A wait looks again this often: rates change meanwhile.
    private static let longestWait = Duration.milliseconds(250)
    /// No request consumes more than this: a service that says so would stop the run for good. The most is a batch of
    /// 16 MiB, a unit for each kibibyte, written to the table and to 20 global and 5 local indexes that hold everything
    /// (Amazon DynamoDB, "Quotas" and "BatchWriteItem").
    package static let mostUnits = 16_384.0 * 26

    private struct State {
        var statistics = Statistics()
        /// Units that may flow now; negative if some are owed.
        var balance = 0.0
        var refilled: Duration
        /// Of one request, a moving average.
        var expected = 1.0
        /// Consumed units a second, a moving average.
        var measured = 0.0
        var measuring = 0.0
        var measuringSince: Duration
        /// Requests under way, and when the last one ended: time without any says nothing about a rate.
        var underWay = 0
        var idleSince = Duration.zero
        /// The best of the measured rates, and when it was.
        var best = 0.0
        var bestAt = Duration.zero
        /// The curve, once there was a throttle: the rate it came at, and when.
        var peak: Double?
        var lastThrottle = Duration.zero
    }

    private let limit: Double?
    private let time: TimeSource
    private let isCancelled: @Sendable () -> Bool
    private let state: Mutex<State>

    /// - Parameters:
    ///   - limit: Units a second at most; `nil` for no limit.
    ///   - isCancelled: Ends waits.
    package init(
        limit: Double?, time: TimeSource = .system, isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.limit = limit.map { max($0, 0.001) }
        self.time = time
        self.isCancelled = isCancelled
        state = Mutex(State(refilled: time.elapsed(), measuringSince: time.elapsed()))
    }

    package var statistics: Statistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.rate = rate(state, time.elapsed())
            return statistics
        }
    }

    /// Waits until a request may be sent, or until everything is cancelled.
    ///
    /// - Returns: To be given to ``consumed(_:for:)`` or ``abandoned(_:)`` once the request is over.
    package func acquire() -> Permit {
        let start = time.elapsed()
        begin(at: start)
        var hasWaited = false
        while true {
            let now = time.elapsed()
            let (permit, wait) = state.withLock { state -> (Permit?, Duration) in
                guard let rate = rate(state, now) else { return (Permit(units: 0, isFree: true), .zero) }
                refill(&state, rate, now)
                if state.balance >= 0 {
                    state.balance -= state.expected
                    return (Permit(units: state.expected), .zero)
                }
                return (nil, min(.seconds(min(-state.balance / rate, 1)) + .microseconds(1), Self.longestWait))
            }
            if let permit {
                if hasWaited { state.withLock { $0.statistics.waited += now - start } }
                return permit
            }
            guard !isCancelled() else { return Permit(units: 0) }
            hasWaited = true
            time.wait(wait, isCancelled)
        }
    }

    private func begin(at now: Duration) {
        state.withLock { state in
            if state.underWay == 0, now - state.idleSince > Self.measuringInterval {
                state.measuring = 0
                state.measuringSince = now
            }
            state.underWay += 1
        }
    }

    private static func end(_ state: inout State, at now: Duration) {
        state.underWay -= 1
        state.idleSince = now
    }

    /// Debits what a request consumed (`ReturnConsumedCapacity`).
    package func consumed(_ units: Double, for permit: Permit) {
        guard units.isFinite, units >= 0 else { return abandoned(permit) }
        let units = min(units, Self.mostUnits)
        let now = time.elapsed()
        state.withLock { state in
            Self.end(&state, at: now)
            state.statistics.units += units
            state.expected += (units - state.expected) * 0.2
            if !permit.isFree { state.balance -= units - permit.units }
            state.measuring += units
            let passed = now - state.measuringSince
            if passed >= Self.measuringInterval {
                let current = state.measuring / (passed / .seconds(1))
                state.measured = state.measured == 0 ? current : state.measured * 0.2 + current * 0.8
                state.measuring = 0
                state.measuringSince = now
                if state.measured >= Self.best(state, now) {
                    state.best = state.measured
                    state.bestAt = now
                }
            }
        }
    }

    /// A request ended without consuming anything.
    package func abandoned(_ permit: Permit) {
        let now = time.elapsed()
        state.withLock { state in
            Self.end(&state, at: now)
            state.balance += permit.units
        }
    }

    /// The service wants less load. Its request may be tried again without another permit, after its own wait.
    package func throttled() {
        let now = time.elapsed()
        state.withLock { state in
            state.statistics.throttles += 1
            if state.peak != nil, now - state.lastThrottle < Self.throttleInterval { return }
            // Before anything is measured there is no rate to come down from: the retries' own waits have to do.
            guard state.measured > 0 else { return }
            state.peak = max(min(state.measured, rate(state, now) ?? state.measured), Self.leastRate)
            state.lastThrottle = now
            state.refilled = now
            state.balance = min(state.balance, 0)
        }
    }

    /// Units a second that may flow; `nil` if nothing limits them.
    private func rate(_ state: State, _ now: Duration) -> Double? {
        guard let peak = state.peak else { return limit }
        let seconds = (now - state.lastThrottle) / .seconds(1)
        let distance = (seconds - Self.recovery) / Self.recovery
        let curve = peak * (1 + (1 - Self.decrease) * distance * distance * distance)
        let adaptive = max(curve, Self.best(state, now) * Self.leastPart, Self.leastRate)
        return limit.map { min($0, adaptive) } ?? adaptive
    }

    /// The best rate of late, faded with its age.
    private static func best(_ state: State, _ now: Duration) -> Double {
        state.best * pow(0.5, ((now - state.bestAt) / .seconds(1)) / bestHalfLife)
    }

    private func refill(_ state: inout State, _ rate: Double, _ now: Duration) {
        let passed = max((now - state.refilled) / .seconds(1), 0)
        state.refilled = now
        state.balance = min(state.balance + rate * passed, rate * Self.burstSeconds)
    }
}
