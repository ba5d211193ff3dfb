package import Telemetry
import Wording

/// The report of a restore drill as one HTML page, made of its JSON alone; like ``ReportPage`` it needs nothing besides itself.
package struct DrillPage: Sendable {
    private static let mostPhases = 50
    private static let mostRemarks = 200

    private let root: JSONText

    package init(_ root: JSONText) { self.root = root }

    /// The whole page, for a file.
    package var file: String {
        var main = HTML()
        main.add(verdict)
        main.add(figures)
        main.add(phases)
        main.add(server)
        main.add(remarks)
        return HTML.page(
            title: title, subtitle: "restore drill", version: root["sealift"].string,
            foot: "Values, credentials and key shares do not stand in this page.",
            head: "<meta http-equiv=\"Content-Security-Policy\" content=\"\(PagePolicy.file)\">\n", main: main.source,
            end: "")
    }

    private var title: String { "\(heading) · Sealift" }

    /// Whether the document's own phases say what its result says.
    private var isPassed: Bool {
        root["result"].string == "passed" && root["failure"].string == nil && !root["phases"].elements.isEmpty
            && root["phases"].elements.allSatisfy { $0["result"].string == "passed" }
    }

    private var heading: String {
        switch root["result"].string {
        case "passed": isPassed ? "The drill passed" : "This document proves nothing"
        case "failed": "The drill failed"
        case "interrupted": "The drill was interrupted"
        case "unfinished": "The drill has not come to its end"
        default: "This document proves nothing"
        }
    }

    private var verdict: HTML {
        var html = HTML()
        let isSlower = root["findings"].elements.isEmpty == false
        html.raw("<div class=\"verdict ")
        html.raw(!isPassed ? "failed" : isSlower ? "part" : "proven")
        html.raw("\"><p class=\"mark\" aria-hidden=\"true\">")
        html.raw(isPassed ? "✓" : "✗")
        html.raw("</p><div><h1>")
        html.add(.escaped(heading))
        html.raw("</h1>\n")
        for finding in root["findings"].texts {
            html.raw("<p>")
            html.long(finding)
            html.raw("</p>\n")
        }
        if let phase = root["failed_phase"].string {
            html.raw("<p>In the phase ")
            html.text(phase)
            html.raw(". The reason:</p>\n")
        }
        if let failure = root["failure"].string {
            html.raw("<p class=\"reason\">")
            html.long(failure)
            html.raw("</p>\n")
        }
        html.raw("</div></div>\n")
        return html
    }

    private var figures: HTML {
        var html = HTML()
        html.raw("<dl>\n")
        if let kind = root["source"]["kind"].string {
            html.row("Source", "\(kind) \(root["source"]["location"].string ?? "")")
        }
        if let started = root["started"].string { html.row("Started", started) }
        if let finished = root["finished"].string { html.row("Finished", finished) }
        if let seconds = root["seconds"].number { html.row("Took", Self.time(seconds)) }
        if let entries = root["entries"].integer {
            html.row("Restored", "\(formatCount(entries)) \(plural(entries, "entry", "entries"))")
        }
        if let bytes = root["bytes"].integer { html.row("Keys and values", formatBytes(bytes)) }
        if let bytes = root["restored_file_bytes"].integer { html.row("On the disk", formatBytes(bytes)) }
        if let digest = root["keyspace_digest"].string { html.row("Keyspace digest", digest) }
        if let count = root["authenticated"].integer {
            html.row("With key shares", "\(formatCount(count)) \(plural(count, "entry", "entries")) authenticated")
        }
        html.raw("</dl>\n")
        return .section("figures", "What was restored", html)
    }

    private static func time(_ seconds: Double) -> String {
        formatDuration(.milliseconds(Int(min(max(seconds, 0), 1e9) * 1000)))
    }

    private var phases: HTML {
        var html = HTML()
        let phases = root["phases"].elements.prefix(Self.mostPhases)
        guard !phases.isEmpty else { return html }
        html.raw("<table class=\"counts\"><thead><tr><th>Phase</th><th>Result</th><th class=\"number\">Time</th></tr>")
        html.raw("</thead><tbody>\n")
        for phase in phases {
            let isBad = phase["result"].string != "passed"
            html.raw(isBad ? "<tr class=\"bad\"><th>" : "<tr><th>")
            html.text(phase["about"].string ?? phase["phase"].string ?? "?")
            html.raw("</th><td>")
            html.text(phase["result"].string ?? "?")
            html.raw("</td><td class=\"number\">")
            html.text(phase["seconds"].number.map(Self.time) ?? "?")
            html.raw("</td></tr>\n")
        }
        html.raw("</tbody></table>\n")
        return .section("phases", "How long each phase took", html)
    }

    private var server: HTML {
        var html = HTML()
        let server = root["server"]
        guard let binary = server["binary"].string else { return html }
        html.raw("<dl>\n")
        html.row("Program", binary)
        if let version = server["version"].string { html.row("Version", version) }
        if let isCut = server["network_cut"].boolean {
            html.row("Network", isCut ? "cut off: only a loopback interface of its own" : "not cut off")
        }
        if let mounts = server["mounts"].integer {
            html.row("Mounts", "\(formatCount(mounts)), \(server["mounts_from"].string ?? "")")
        }
        if let reads = server["reads"].integer, reads > 0 {
            html.row("Served", "\(formatCount(reads)) \(plural(reads, "path")) that the configuration names")
        }
        html.raw("</dl>\n")
        return .section("server", "The server that was started on the copy", html)
    }

    private var remarks: HTML {
        var html = HTML()
        let remarks = root["remarks"].texts
        guard !remarks.isEmpty else { return html }
        html.list(remarks, limit: Self.mostRemarks, isCode: false)
        return .section("remarks", "Remarks", html)
    }
}
