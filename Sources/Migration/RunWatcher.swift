import Synchronization

/// Shows what a run has found to whoever looks, while it goes on. Looking changes nothing of the run.
package final class RunWatcher: Sendable {
    private struct State {
        var summary = MigrationSummary()
        var report: RunReport?
        var next = ContinuousClock.now
    }

    /// Between two looks at what changes with every batch.
    private static let interval = Duration.milliseconds(500)

    private let state = Mutex(State())

    package init() {}

    /// Takes what is known now.
    package func show(_ summary: MigrationSummary) { state.withLock { $0.summary = summary } }

    /// Takes what is known now if it is time for it.
    func showNowAndThen(_ summary: @autoclosure () -> MigrationSummary) {
        let now = ContinuousClock.now
        let isDue = state.withLock { state in
            guard now >= state.next else { return false }
            state.next = now + Self.interval
            return true
        }
        if isDue { show(summary()) }
    }

    /// Takes the report of a run that is over.
    package func end(_ report: RunReport) { state.withLock { $0.report = report } }

    /// What is known, and the report if the run is over.
    package var found: (summary: MigrationSummary, report: RunReport?) {
        state.withLock { ($0.summary, $0.report) }
    }
}
