import Telemetry
import Wording

extension ReportPage {
    private static let mostPhases = 20
    /// The picture's own units; it is stretched to the room there is.
    private static let width = 1000.0
    private static let height = 100.0

    /// How fast the run was over time: pictures, and the same as a table.
    var rate: HTML {
        var html = HTML()
        let series = RateSeries(root["progress"]["samples"].elements)
        let entries = series.steps(.entries)
        if entries.contains(where: { $0.rate > 0 }) {
            html.raw("<div class=\"charts\">\n")
            chart("rate-entries", "Entries a second", entries, series.length, into: &html) { formatCount($0) }
            chart("rate-bytes", "Bytes a second", series.steps(.bytes), series.length, into: &html) { formatBytes($0) }
            let throttles = series.steps(.throttles)
            if throttles.contains(where: { $0.rate > 0 }) {
                chart("rate-throttles", "Throttled requests a second", throttles, series.length, into: &html) {
                    formatCount($0)
                }
            }
            html.raw("</div>\n")
        }
        addPhases(to: &html)
        return .section("rate", "Rate over time", html)
    }

    private func chart(
        _ id: StaticString, _ heading: StaticString, _ steps: [RateSeries.Step], _ length: Double,
        into html: inout HTML, _ format: (Int) -> String
    ) {
        let peak = steps.map(\.rate).max() ?? 0
        let peakText = format(peak < 1e15 ? Int(peak.rounded()) : 0)
        html.raw("<figure><figcaption>")
        html.raw(heading)
        html.raw(" <span>peak ")
        html.text(peakText)
        html.raw("</span></figcaption>\n<svg role=\"img\" viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" ")
        html.raw("aria-labelledby=\"")
        html.raw(id)
        html.raw("\"><title id=\"")
        html.raw(id)
        html.raw("\">")
        html.raw(heading)
        html.raw(" from the beginning of the run to ")
        html.text(duration(length))
        html.raw(", at most ")
        html.text(peakText)
        html.raw("; the table below has each phase’s mean.</title>\n")
        for run in Self.runs(of: steps) { add(run, length, peak, to: &html) }
        html.raw("<line x1=\"0\" x2=\"1000\" y1=\"100\" y2=\"100\"/></svg>\n")
        html.raw("<p class=\"axis\" aria-hidden=\"true\"><span>0</span><span>")
        html.text(duration(length))
        html.raw("</span></p></figure>\n")
    }

    /// Stretches of one phase without a gap.
    private static func runs(of steps: [RateSeries.Step]) -> [[RateSeries.Step]] {
        var runs: [[RateSeries.Step]] = []
        for step in steps {
            if let last = runs.last?.last, last.phase == step.phase, last.end == step.start {
                runs[runs.count - 1].append(step)
            } else {
                runs.append([step])
            }
        }
        return runs
    }

    private func add(_ run: [RateSeries.Step], _ length: Double, _ peak: Double, to html: inout HTML) {
        guard let first = run.first else { return }
        func x(_ seconds: Double) -> Double { Self.width * seconds / length }
        html.raw("<path class=\"")
        html.raw(Self.colour(first.phase))
        html.raw("\" d=\"M")
        html.coordinate(x(first.start))
        html.raw(" 100")
        for step in run {
            html.raw("V")
            // Something that moved slowly still shows.
            html.coordinate(
                peak > 0 ? Self.height - max(step.rate / peak * (Self.height - 4), step.rate > 0 ? 1 : 0) : 100)
            html.raw("H")
            html.coordinate(x(step.end))
        }
        html.raw("V100Z\"/>\n")
    }

    private static func colour(_ phase: String) -> StaticString {
        switch phase {
        case "reading": "reading"
        case "copying": "copying"
        case "comparing": "comparing"
        default: "other"
        }
    }

    private func addPhases(to html: inout HTML) {
        let phases = root["progress"]["phases"].elements
        guard !phases.isEmpty else { return }
        html.raw("<table class=\"phases\"><thead><tr><th scope=\"col\">Phase</th>")
        for heading in ["Time", "Entries", "Entries/s", "Bytes/s"] as [StaticString] {
            html.raw("<th scope=\"col\" class=\"number\">")
            html.raw(heading)
            html.raw("</th>")
        }
        html.raw("</tr></thead><tbody>\n")
        for phase in phases.prefix(Self.mostPhases) {
            let name = phase["phase"].string ?? "?"
            let (entries, bytes) = (phase["entries"].integer ?? 0, phase["bytes"].integer ?? 0)
            let seconds = phase["seconds"].number ?? 0
            html.raw("<tr><th scope=\"row\"><span class=\"swatch ")
            html.raw(Self.colour(name))
            html.raw("\" aria-hidden=\"true\"></span>")
            html.text(name)
            html.raw("</th>")
            for value in [
                duration(seconds), entries > 0 ? formatCount(entries) : "–",
                entries > 0 ? formatCount(Report.rate(entries, seconds)) : "–",
                bytes > 0 ? byteRateText(bytes, seconds) : "–",
            ] {
                html.raw("<td class=\"number\">")
                html.text(value)
                html.raw("</td>")
            }
            html.raw("</tr>\n")
        }
        html.raw("</tbody></table>\n")
    }
}
