import Testing

@testable import Telemetry

@Suite struct HistoryTests {
    private func record(_ history: ProgressHistory, _ phase: ProgressPhase, _ entries: Int, at time: Duration) {
        history.record(
            ProgressSnapshot(phase: phase, phaseEntries: entries, phaseBytes: entries * 10), at: time, isBoundary: false
        )
    }

    /// A day of samples, ten a second.
    @Test func aDayHasNoMoreSamplesThanAMinute() throws {
        let history = ProgressHistory()
        for tick in 0..<864_000 { record(history, .copying, tick, at: .milliseconds(tick * 100)) }
        let samples = history.samples
        #expect(samples.count <= ProgressHistory.maximumSamples)
        #expect(samples.count > ProgressHistory.maximumSamples / 3)
        #expect(zip(samples, samples.dropFirst()).allSatisfy { $0.seconds < $1.seconds })
        #expect(samples.first?.entries == 0)
        let last = try #require(samples.last)
        #expect(last.seconds > 86_000, "\(last)")
        // What was left out does not change the rate that is told.
        for (left, right) in zip(samples, samples.dropFirst()) {
            let rate = Double(right.entries - left.entries) / (right.seconds - left.seconds)
            #expect(abs(rate - 10) < 0.001)
        }
    }

    @Test func aMinuteHasAllOfThem() {
        let history = ProgressHistory()
        for tick in 0..<600 { record(history, .copying, tick, at: .milliseconds(tick * 100)) }
        #expect(history.samples.count == 600)
    }

    @Test func everyPhaseKeepsItsBeginningAndEnd() {
        let counters = ProgressCounters()
        counters.restart(.copying)
        counters.add(entries: 7, bytes: 70)
        counters.restart(.comparing)
        counters.add(entries: 5, bytes: 50)
        counters.enter(.syncing)
        counters.restart(.comparing)
        counters.add(entries: 2, bytes: 20)
        let course = counters.course
        #expect(course.phases.map(\.phase) == [.preflight, .copying, .comparing, .syncing])
        #expect(course.phases.map(\.entries) == [0, 7, 7, 0])
        #expect(course.phases.map(\.bytes) == [0, 70, 70, 0])
        let ends = course.samples.filter { $0.phase == .copying }
        #expect(ends.first?.entries == 0 && ends.last?.entries == 7)
    }

    /// A run with destinations beyond number still has a bounded history.
    @Test func endlessChangesOfPhaseAreBounded() {
        let counters = ProgressCounters()
        for _ in 0..<5000 {
            counters.restart(.comparing)
            counters.add(entries: 1, bytes: 1)
            counters.enter(.syncing)
        }
        #expect(counters.history.samples.count <= ProgressHistory.maximumSamples)
        #expect(counters.course.phases.map(\.entries) == [0, 5000, 0])
    }

    @Test func aSamplerTakesSamplesUntilItIsStopped() {
        let counters = ProgressCounters()
        let sampler = ProgressSampler(counters)
        counters.restart(.copying)
        counters.add(entries: 3, bytes: 30)
        sampler.stop()
        #expect(counters.history.samples.last?.entries == 3)
    }
}
