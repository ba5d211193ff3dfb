internal import Glibc

/// Seconds after which an old rate has lost two thirds of its weight.
private let smoothingTime = 10.0

/// Turns counts over time into smoothed rates and an estimate. Time comes in as a parameter; it never looks at a clock.
package struct ProgressMeter {
    private var previous: (snapshot: ProgressSnapshot, elapsed: Double)?
    private var entryRate: Double?
    private var byteRate: Double?

    package init() {}

    /// Takes in the counts at a time and tells where the run stands.
    ///
    /// - Parameter elapsed: Time since the start of the run; must not go back.
    package mutating func report(_ snapshot: ProgressSnapshot, elapsed: Duration) -> ProgressReport {
        let now = seconds(elapsed)
        // Another phase works at another pace, and counts that fell belong to another count.
        if let old = previous, old.snapshot.phase != snapshot.phase || old.snapshot.entries > snapshot.entries {
            (previous, entryRate, byteRate) = (nil, nil, nil)
        }
        if let old = previous, now > old.elapsed {
            let interval = now - old.elapsed
            let weight = 1 - exp(-interval / smoothingTime)
            func smooth(_ rate: Double?, _ count: Int) -> Double {
                let current = Double(count) / interval
                return rate.map { $0 + (current - $0) * weight } ?? current
            }
            entryRate = smooth(entryRate, snapshot.entries - old.snapshot.entries)
            byteRate = smooth(byteRate, snapshot.bytes - old.snapshot.bytes)
        } else if entryRate == nil, snapshot.phaseTime > .zero, snapshot.phaseEntries > 0 {
            // Nothing to compare with yet in this phase but its beginning.
            let time = seconds(snapshot.phaseTime)
            entryRate = Double(max(snapshot.phaseEntries, 0)) / time
            byteRate = Double(max(snapshot.phaseBytes, 0)) / time
        }
        previous = (snapshot, now)
        return ProgressReport(
            snapshot: snapshot, elapsed: elapsed, entriesPerSecond: entryRate ?? 0, bytesPerSecond: byteRate ?? 0)
    }
}

/// Where a run stands: counts, time and rates.
package struct ProgressReport: Sendable, Equatable {
    package var snapshot: ProgressSnapshot
    /// Since the start of the run.
    package var elapsed: Duration
    package var entriesPerSecond: Double
    package var bytesPerSecond: Double

    package init(
        snapshot: ProgressSnapshot, elapsed: Duration, entriesPerSecond: Double = 0, bytesPerSecond: Double = 0
    ) {
        self.snapshot = snapshot
        self.elapsed = elapsed
        self.entriesPerSecond = entriesPerSecond
        self.bytesPerSecond = bytesPerSecond
    }

    /// From 0 to 1; by entries if their number is known, else by bytes, else `nil`. Beyond an estimate it stays 1.
    package var fraction: Double? {
        if let expected = snapshot.expectedEntries, expected > 0 {
            return min(1, Double(snapshot.entries) / Double(expected))
        }
        if let expected = snapshot.expectedBytes, expected > 0 {
            return min(1, Double(snapshot.bytes) / Double(expected))
        }
        return nil
    }

    /// The time that is left at the present rate; `nil` if the total is unknown or nothing moves.
    package var remaining: Duration? {
        let left: Double
        if let expected = snapshot.expectedEntries, expected > 0, entriesPerSecond > 0 {
            left = Double(max(0, expected - snapshot.entries)) / entriesPerSecond
        } else if let expected = snapshot.expectedBytes, expected > 0, bytesPerSecond > 0 {
            left = Double(max(0, expected - snapshot.bytes)) / bytesPerSecond
        } else {
            return nil
        }
        // A year is as good as never.
        return left < 31_536_000 ? .milliseconds(Int(left * 1000)) : nil
    }
}

/// A duration as a number of seconds.
func seconds(_ duration: Duration) -> Double {
    let (whole, attoseconds) = duration.components
    return Double(whole) + Double(attoseconds) / 1e18
}
