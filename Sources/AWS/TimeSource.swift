import Glibc

/// The time, and waiting for it to pass; tests put a virtual one in its place.
package struct TimeSource: Sendable {
    /// The calendar's time.
    package var now: @Sendable () -> Timestamp
    /// Time since some fixed moment, which no change of the calendar moves.
    package var elapsed: @Sendable () -> Duration
    /// Waits that long, or until the closure says `true`.
    package var wait: @Sendable (Duration, _ isCancelled: () -> Bool) -> Void

    package init(
        now: @escaping @Sendable () -> Timestamp, elapsed: @escaping @Sendable () -> Duration,
        wait: @escaping @Sendable (Duration, _ isCancelled: () -> Bool) -> Void
    ) {
        self.now = now
        self.elapsed = elapsed
        self.wait = wait
    }

    /// The system's clocks. A wait looks for cancellation every 25 ms.
    package static let system = TimeSource(
        now: { Timestamp(seconds: time(nil)) },
        elapsed: { sinceStart() },
        wait: { duration, isCancelled in
            let end = sinceStart() + duration
            while !isCancelled() {
                let left = min(end - sinceStart(), .milliseconds(25))
                guard left > .zero else { return }
                usleep(UInt32(left / .microseconds(1)) + 1)
            }
        })

    private static func sinceStart() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
