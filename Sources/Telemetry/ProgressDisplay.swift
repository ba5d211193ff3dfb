internal import Synchronization

/// Shows how far a run has come, from a thread of its own, until ``finish(leavingBlock:showingLast:)``.
package final class ProgressDisplay: Sendable {
    /// How progress is shown.
    package enum Style: Sendable {
        /// A block of up to three lines, drawn again in place.
        case live(TerminalOutput, colour: Bool)
        /// A log line of level info now and then.
        case lines(Logger)
        /// An event `progress` now and then.
        case events(EventWriter)

        /// The style that suits an output: a block on a terminal, else log lines.
        package static func suited(
            to settings: TerminalSettings, output: TerminalOutput = .standardError, logger: Logger
        ) -> Style {
            settings.allowsLiveBlock ? .live(output, colour: settings.allowsColour) : .lines(logger)
        }

        /// Five times a second for eyes, every five seconds for files.
        var usualInterval: Duration {
            if case .live = self { .milliseconds(200) } else { .seconds(5) }
        }
    }

    private let painter: ProgressPainter
    private let thread: PeriodicThread

    /// Starts showing.
    ///
    /// - Parameter interval: Time between two looks at the counters; `nil` for 0.2 s on a terminal and 5 s elsewhere.
    package init(_ counters: ProgressCounters, style: Style, interval: Duration? = nil) {
        let painter = ProgressPainter(counters: counters, style: style)
        self.painter = painter
        thread = PeriodicThread(every: interval ?? style.usualInterval) { painter.paint() }
    }

    deinit { finish(showingLast: false) }

    /// Shows the last state once more, takes the block off the screen and ends the thread. Repeated calls do nothing.
    ///
    /// - Parameters:
    ///   - leavingBlock: Whether the block stays on the screen as ordinary lines.
    ///   - showingLast: Whether lines and events end with the last state; not where a result says more.
    package func finish(leavingBlock: Bool = false, showingLast: Bool = true) {
        thread.stop()
        painter.finish(leavingBlock: leavingBlock, showingLast: showingLast)
    }
}

/// What the display's thread does; apart from the display so that the thread does not keep that alive.
private final class ProgressPainter: Sendable {
    private struct State {
        var meter = ProgressMeter()
        var isFinished = false
    }

    private let counters: ProgressCounters
    private let style: ProgressDisplay.Style
    private let start = ContinuousClock.now
    private let state: Mutex<State>

    init(counters: ProgressCounters, style: ProgressDisplay.Style) {
        self.counters = counters
        self.style = style
        var state = State()
        // The rate of the first report counts from here.
        _ = state.meter.report(counters.snapshot(), elapsed: .zero)
        self.state = Mutex(state)
    }

    func paint() {
        state.withLock { show(&$0) }
    }

    func finish(leavingBlock: Bool, showingLast: Bool) {
        state.withLock { state in
            guard !state.isFinished else { return }
            state.isFinished = true
            if case .live(let output, _) = style {
                if leavingBlock { show(&state) }
                output.endBlock(leaving: leavingBlock)
            } else if showingLast {
                show(&state)
            }
        }
    }

    private func show(_ state: inout State) {
        let report = state.meter.report(counters.snapshot(), elapsed: ContinuousClock.now - start)
        switch style {
        case .live(let output, let colour):
            output.show(renderProgress(report, width: terminalWidth(of: output.descriptor), colour: colour))
        case .lines(let logger): logger.info("progress", report.logFields)
        case .events(let events): events.emit("progress", report.eventMembers)
        }
    }
}
