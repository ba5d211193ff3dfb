internal import Synchronization

/// How a run went over time: a bounded number of samples of the counts, and the sum of each phase.
///
/// Samples come from a ``ProgressSampler`` and from every change of phase. When there are too many, every second one is
/// left out, and from then on they are taken half as often: a run of a minute and one of a day have as many.
package final class ProgressHistory: Sendable {
    /// The most samples that are kept.
    package static let maximumSamples = 600
    /// The first distance of two samples.
    private static let shortestInterval = Duration.milliseconds(100)

    /// The counts at one time.
    package struct Sample: Sendable, Equatable {
        /// Since the history began.
        package var seconds: Double
        package var phase: ProgressPhase
        /// Done since the phase began.
        package var entries: Int
        package var bytes: Int
        /// Since the run began.
        package var retries: Int
        package var throttles: Int

        /// Whether the two differ in nothing that a picture could show.
        func says(the other: Sample) -> Bool {
            phase == other.phase && entries == other.entries && bytes == other.bytes && other.seconds - seconds < 0.001
        }
    }

    /// What a phase has done, however often it was entered.
    package struct PhaseSum: Sendable, Equatable {
        package var phase: ProgressPhase
        package var seconds = 0.0
        package var entries = 0
        package var bytes = 0
    }

    private struct State {
        var samples: [Sample] = []
        var interval = ProgressHistory.shortestInterval
        /// When the next sample is due, of those that no change of phase brings.
        var due = Duration.zero
        /// Phases that are over.
        var ended: [PhaseSum] = []
    }

    private let beginning = ContinuousClock.now
    private let state = Mutex(State())

    /// Takes a sample if one is due, or if a phase begins or ends.
    ///
    /// - Parameter isBoundary: Whether the counts are the first or the last of a phase.
    func record(_ snapshot: ProgressSnapshot, isBoundary: Bool = false) {
        record(snapshot, at: ContinuousClock.now - beginning, isBoundary: isBoundary)
    }

    func record(_ snapshot: ProgressSnapshot, at time: Duration, isBoundary: Bool) {
        state.withLock { state in
            guard isBoundary || time >= state.due else { return }
            state.due = time + state.interval
            let sample = Sample(
                seconds: Telemetry.seconds(time), phase: snapshot.phase, entries: max(snapshot.phaseEntries, 0),
                bytes: max(snapshot.phaseBytes, 0), retries: snapshot.retries, throttles: snapshot.throttles)
            if let last = state.samples.last, last.says(the: sample) { state.samples.removeLast() }
            state.samples.append(sample)
            if state.samples.count > Self.maximumSamples { Self.thin(&state) }
        }
    }

    /// Adds up a phase that is over.
    func end(_ snapshot: ProgressSnapshot) {
        state.withLock { $0.ended = Self.adding(snapshot, to: $0.ended) }
    }

    /// Keeps every second sample, and the first and last of each phase as long as they are few.
    private static func thin(_ state: inout State) {
        let samples = state.samples
        let changes = samples.indices.dropFirst().filter { samples[$0].phase != samples[$0 - 1].phase }
        let ends = changes.count < maximumSamples / 8 ? Set(changes + changes.map { $0 - 1 }) : []
        state.samples = samples.indices.filter { $0.isMultiple(of: 2) || ends.contains($0) }.map { samples[$0] }
        state.interval *= 2
    }

    private static func adding(_ snapshot: ProgressSnapshot, to sums: [PhaseSum]) -> [PhaseSum] {
        var sums = sums
        let place = sums.firstIndex { $0.phase == snapshot.phase } ?? sums.count
        if place == sums.count { sums.append(PhaseSum(phase: snapshot.phase)) }
        sums[place].seconds += Telemetry.seconds(snapshot.phaseTime)
        sums[place].entries += max(snapshot.phaseEntries, 0)
        sums[place].bytes += max(snapshot.phaseBytes, 0)
        return sums
    }

    /// The samples, oldest first.
    package var samples: [Sample] { state.withLock { $0.samples } }

    /// What each phase has done, in the order they were first entered.
    ///
    /// - Parameter current: The counts of the phase that goes on.
    package func sums(adding current: ProgressSnapshot) -> [PhaseSum] {
        state.withLock { Self.adding(current, to: $0.ended) }
    }
}

/// Adds a sample to the history of counters now and then, from a thread of its own, until ``stop()``.
package final class ProgressSampler: Sendable {
    private static let interval = Duration.milliseconds(100)

    private let counters: ProgressCounters
    private let thread: PeriodicThread

    /// Starts the thread.
    package init(_ counters: ProgressCounters) {
        self.counters = counters
        counters.sample(isBoundary: true)
        thread = PeriodicThread(every: Self.interval) { counters.sample(isBoundary: false) }
    }

    deinit { stop() }

    /// Takes a last sample and ends the thread. Repeated calls only take a sample.
    package func stop() {
        thread.stop()
        counters.sample(isBoundary: true)
    }
}
