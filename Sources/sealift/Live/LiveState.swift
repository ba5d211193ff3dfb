import Migration
import Report
import Telemetry
import Workers

/// What the live view shows: made anew when somebody looks, at most twice a second, however many look.
final class LiveState: Sendable {
    private struct Shown {
        var meter = ProgressMeter()
        var made: ContinuousClock.Instant?
        var page = ReportPage(ReportDocument(.null))
        /// For each part, its text and how often it has changed.
        var parts: [(part: ReportPage.Part, version: Int)] = []
        var isOver = false
        /// Answers that are being sent event by event.
        var streams = 0
    }

    private static let interval = Duration.milliseconds(500)

    let counters: ProgressCounters
    private let watcher: RunWatcher
    private let beginning = ContinuousClock.now
    private let shown = Monitor(Shown())

    init(_ counters: ProgressCounters, _ watcher: RunWatcher) {
        self.counters = counters
        self.watcher = watcher
    }

    /// The page as it is now, with its script while the run goes on.
    var html: String {
        let (page, isOver) = shown.read { shown in
            refresh(&shown)
            return (shown.page, shown.isOver)
        }
        return isOver ? page.file : page.live
    }

    /// The parts that have changed since, as events.
    ///
    /// - Parameter versions: Those that were sent, by part.
    /// - Returns: The events, and whether the run is over.
    func events(since versions: inout [String: Int]) -> (text: String, isOver: Bool) {
        let (parts, title, isOver) = shown.read { shown in
            refresh(&shown)
            return (shown.parts, shown.page.title, shown.isOver)
        }
        var text = ""
        for (part, version) in parts where versions[part.id.rawValue] != version {
            versions[part.id.rawValue] = version
            let data = JSONText.object([("id", .string(part.id.rawValue)), ("html", .string(part.html))]).text
            text += "event: part\ndata: \(data)\n\n"
        }
        if !text.isEmpty { text += "event: heading\ndata: \(JSONText.string(title).text)\n\n" }
        if isOver { text += "event: end\ndata: {}\n\n" }
        return (text, isOver)
    }

    /// Waits until the run is over, or a while.
    func wait() { _ = shown.wait(until: .now + Self.interval) { $0.isOver ? true : nil } }

    /// The run is over: from now on the page is that of its report.
    func end(_ failure: String?) {
        var (summary, report) = watcher.found
        if report == nil {
            (summary.samples, summary.phases) = counters.course
            report = RunReport(summary, version: sealiftVersion, failure.map { .failed($0) } ?? .succeeded)
            if let report { watcher.end(report) }
        }
        shown.change { shown in
            shown.isOver = true
            shown.made = nil
            refresh(&shown)
        }
    }

    /// What the run came to, if it is over.
    var verdict: ReportDocument.Verdict { shown.read { $0.isOver } ? document.verdict : .running }

    private var document: ReportDocument {
        let (summary, report) = watcher.found
        return report?.document ?? RunReport(summary, version: sealiftVersion, .running).document
    }

    private func refresh(_ shown: inout Shown) {
        let now = ContinuousClock.now
        if let made = shown.made, shown.isOver || now - made < Self.interval { return }
        shown.made = now
        if shown.isOver {
            shown.page = ReportPage(document)
        } else {
            var summary = watcher.found.summary
            (summary.samples, summary.phases) = counters.course
            let report = shown.meter.report(counters.snapshot(), elapsed: now - beginning)
            shown.page = ReportPage(
                RunReport(summary, version: sealiftVersion, .running).document, progress: report)
        }
        let parts = shown.page.parts
        shown.parts = parts.enumerated().map { index, part in
            guard index < shown.parts.count else { return (part, 1) }
            let (old, version) = shown.parts[index]
            return (part, old == part ? version : version + 1)
        }
    }

    // MARK: Streams

    /// Takes a place among the streams.
    ///
    /// - Returns: `false` if all are taken.
    func openStream(most: Int) -> Bool {
        shown.change { shown in
            guard shown.streams < most else { return false }
            shown.streams += 1
            return true
        }
    }

    func closeStream() { shown.change { $0.streams -= 1 } }

    /// Waits until all streams have told of the end, but not long.
    func waitForStreams(_ limit: Duration) { _ = shown.wait(until: .now + limit) { $0.streams == 0 ? true : nil } }
}
