import AWS
import Synchronization
import TestSupport
import Testing

@Suite struct RateControllerTests {
    /// A table that gives units at a rate and refuses what is beyond them, as provisioned tables do.
    private struct Table {
        var capacity: Double
        /// Seconds of unused capacity it keeps.
        var burst: Double
        var balance = 0.0
        var asked = Duration.zero

        mutating func takes(_ units: Double, at now: Duration) -> Bool {
            balance = min(balance + capacity * ((now - asked) / .seconds(1)), capacity * burst)
            asked = now
            guard balance >= 0 else { return false }
            balance -= units
            return true
        }
    }

    @Test(arguments: [(10.0, 1.0), (50, 128), (1000, 128), (5, 256)])
    func keepsTheLimit(limit: Double, units: Double) {
        let clock = VirtualClock()
        let controller = RateController(limit: limit, time: clock.source)
        var requests = 0
        while clock.elapsed < .seconds(300) {
            let permit = controller.acquire()
            clock.advance(.milliseconds(2))
            controller.consumed(units, for: permit)
            requests += 1
        }
        let most = limit * (clock.elapsed / .seconds(1)) + limit + units
        #expect(controller.statistics.units <= most)
        #expect(controller.statistics.units >= limit * 290)
        #expect(controller.statistics.units == Double(requests) * units)
        #expect(controller.statistics.rate == limit)
        #expect(controller.statistics.throttles == 0)
        #expect(controller.statistics.waited > .seconds(280))
    }

    @Test func limitsNothingUnlessAsked() {
        let clock = VirtualClock()
        let controller = RateController(limit: nil, time: clock.source)
        for _ in 0..<1000 { controller.consumed(1000, for: controller.acquire()) }
        #expect(clock.elapsed == .zero)
        #expect(controller.statistics.rate == nil)
        #expect(controller.statistics.units == 1_000_000)
    }

    /// No request consumes so much, and whoever believes it would never send again.
    @Test(arguments: [1e300, Double.greatestFiniteMagnitude, 2e6])
    func absurdConsumptionStopsNothingForGood(units: Double) throws {
        let clock = VirtualClock()
        let controller = RateController(limit: 50_000, time: clock.source)
        controller.consumed(units, for: controller.acquire())
        try #require(controller.statistics.units == RateController.mostUnits)
        controller.abandoned(controller.acquire())
        #expect(clock.elapsed > .seconds(5) && clock.elapsed < .seconds(15))
        for odd in [-1, .nan, .infinity] { controller.consumed(odd, for: controller.acquire()) }
        #expect(controller.statistics.units == RateController.mostUnits)
    }

    /// Senders find the capacity that nobody told them: most of it is used, and little is refused.
    @Test(arguments: [(100.0, 1.0, 8.0), (100, 0.1, 1), (2000, 1, 128), (40_000, 0.5, 128), (25, 5, 25)])
    func findsTheCapacity(capacity: Double, burst: Double, units: Double) {
        let clock = VirtualClock()
        let controller = RateController(limit: nil, time: clock.source)
        var table = Table(capacity: capacity, burst: burst)
        var accepted = 0.0
        var refused = 0.0
        var throttles = 0
        while clock.elapsed < .seconds(600) {
            let permit = controller.acquire()
            clock.advance(.milliseconds(1))
            var isFirst = true
            while !table.takes(units, at: clock.elapsed) {
                // A sender that comes again and again, as one does whose retries do not ask for a permit.
                if isFirst { refused += 1 }
                isFirst = false
                throttles += 1
                controller.throttled()
                clock.advance(.milliseconds(50))
            }
            accepted += 1
            controller.consumed(units, for: permit)
        }
        let share = accepted * units / (capacity * 600)
        #expect(share > 0.8, "\(share) of the capacity")
        #expect(refused / accepted < 0.15, "\(refused) refused, \(accepted) accepted")
        #expect(controller.statistics.throttles == throttles)
    }

    /// Whatever ran free before the first throttle, with or without many requests under way when it comes, the flow
    /// goes on behind it at about the rate that was measured.
    @Test(arguments: [30, 300, 3600], [1, 64])
    func goesOnBehindTheFirstThrottle(seconds: Int, underWay: Int) throws {
        let clock = VirtualClock()
        let controller = RateController(limit: nil, time: clock.source)
        let units = 8.0
        var permits: [RateController.Permit] = []
        func step(_ time: Duration) {
            permits.append(controller.acquire())
            clock.advance(time)
            if permits.count >= underWay { controller.consumed(units, for: permits.removeFirst()) }
        }
        // 125 requests a second: 1,000 units.
        while clock.elapsed < .seconds(seconds) { step(.milliseconds(8)) }
        #expect(controller.statistics.rate == nil)
        controller.throttled()
        var longest = Duration.zero
        // Then the sender could do eight times as much. Until the curve is past the rate of the throttle, it must not.
        for _ in 0..<2 {
            let (begin, before) = (clock.elapsed, controller.statistics.units)
            while clock.elapsed - begin < .seconds(10) {
                let now = clock.elapsed
                step(.milliseconds(1))
                longest = max(longest, clock.elapsed - now)
            }
            let rate = (controller.statistics.units - before) / ((clock.elapsed - begin) / .seconds(1))
            #expect(rate > 700 && rate < 1300, "\(rate) units a second")
        }
        #expect(longest < .seconds(2), "a pause of \(longest)")
    }

    @Test func fallsOnceForEachBurstAndRecovers() throws {
        let clock = VirtualClock()
        let controller = RateController(limit: 1000, time: clock.source)
        for _ in 0..<2000 {
            let permit = controller.acquire()
            clock.advance(.milliseconds(1))
            controller.consumed(5, for: permit)
        }
        for _ in 0..<30 { controller.throttled() }
        let fallen = try #require(controller.statistics.rate)
        #expect(fallen > 600 && fallen < 800)
        #expect(controller.statistics.throttles == 30)
        var last = fallen
        for _ in 0..<40 {
            clock.advance(.milliseconds(500))
            let rate = try #require(controller.statistics.rate)
            #expect(rate >= last)
            last = rate
        }
        #expect(last == 1000)
    }

    /// A throttle before anything was consumed says nothing of what the table takes.
    @Test(arguments: [nil, 50.0])
    func anEarlyThrottleLeavesTheRate(limit: Double?) throws {
        let clock = VirtualClock()
        let controller = RateController(limit: limit, time: clock.source)
        let permit = controller.acquire()
        clock.advance(.milliseconds(2))
        controller.throttled()
        clock.advance(.milliseconds(50))
        controller.consumed(128, for: permit)
        #expect(controller.statistics.throttles == 1)
        let rate = controller.statistics.rate
        #expect(limit == nil ? rate == nil : try #require(rate) >= 35)
    }

    @Test func givesBackWhatWasNotConsumed() {
        let clock = VirtualClock()
        let controller = RateController(limit: 10, time: clock.source)
        controller.consumed(10, for: controller.acquire())
        for _ in 0..<1000 { controller.abandoned(controller.acquire()) }
        let waited = clock.elapsed
        #expect(waited < .seconds(2))
        for units in [Double.nan, -.infinity, .infinity, -5] { controller.consumed(units, for: controller.acquire()) }
        #expect(clock.elapsed - waited < .seconds(2))
        #expect(controller.statistics.units == 10)
    }

    @Test func cancelledSendersDoNotWait() {
        let clock = VirtualClock()
        let controller = RateController(limit: 0.001, time: clock.source, isCancelled: { true })
        controller.consumed(1_000_000, for: controller.acquire())
        _ = controller.acquire()
        #expect(clock.elapsed == .zero)
    }

    @Test func manyThreadsKeepTheLimitTogether() throws {
        let controller = RateController(limit: 2000)
        let clock = TimeSource.system
        let start = clock.elapsed()
        let threads = (0..<8).map { _ in
            TestThread { for _ in 0..<50 { controller.consumed(2, for: controller.acquire()) } }
        }
        for thread in threads { thread.join() }
        // 800 units at 2,000 a second, of which the burst of the first moments is free.
        #expect(controller.statistics.units == 800)
        #expect(clock.elapsed() - start > .milliseconds(100))
    }
}
