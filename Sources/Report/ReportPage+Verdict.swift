import Telemetry
import Wording

extension ReportPage {
    /// What the run came to, before everything else.
    var verdict: HTML {
        var html = HTML()
        func head(_ kind: StaticString, _ mark: StaticString, _ heading: HTML) {
            html.raw("<div class=\"verdict ")
            html.raw(kind)
            html.raw("\"><p class=\"mark\" aria-hidden=\"true\">")
            html.raw(mark)
            html.raw("</p><div><h1>")
            html.add(heading)
            html.raw("</h1>\n")
        }
        switch document.verdict {
        case .running:
            head("running", "…", .escaped("Running: \(progress?.snapshot.phase.name ?? "preflight")"))
            html.raw("<p>Nothing is proven yet. Whatever ends this run now, the same command takes it up again.</p>\n")
            html.add(progressBar)
        case .proven:
            head("proven", "✓", .escaped(provenHeading))
            html.raw("<p>")
            html.add(.escaped(provenText))
            html.raw("</p>\n")
        case .partProven:
            head("part", "✓", .escaped("A part migrated and proven"))
            html.raw("<p>")
            html.add(.escaped(provenText))
            html.raw(" They are a part of the keys: the destination is whole only if it has the others.</p>\n")
        case .notFinal:
            head("part", "…", .escaped("A warm pass is done: not final"))
            html.raw(
                "<p>A server may have written to the source since. Stop every server on it, then run the same with ")
            html.raw("<code>-mode=final</code>: only that proves the destination.</p>\n")
        case .wouldGoThrough:
            head("running", "✓", .escaped("Dry run: the migration would go through"))
            html.raw("<p>The whole source was read and both sides were looked at. Nothing was written.</p>\n")
        case .failed:
            head("failed", "✗", .escaped("Failed"))
            html.raw("<p>Nothing is proven of the destination. The reason:</p>\n<p class=\"reason\">")
            html.long(root["failure"].string ?? "not stated")
            html.raw("</p>\n")
        case .unclear:
            head("failed", "?", .escaped("This document proves nothing"))
            html.raw("<p>Its figures contradict its result, or are not those of a report. ")
            html.raw("Take the report of the run itself.</p>\n")
        }
        html.raw("</div></div>")
        return html
    }

    private var provenHeading: String {
        switch root["mode"].string {
        case "repair": "Repaired and proven"
        case "rollback": "Rolled back and proven"
        default: "Migrated and proven"
        }
    }

    private var provenText: String {
        let entries = root["entries"].integer ?? 0
        let destinations = root["destinations"].elements
        let areProvenByNodes = destinations.allSatisfy { destination in
            destination["copies"].elements.contains { $0["is_equal"].boolean == true }
        }
        let place =
            destinations.count == 1
            ? "the destination" : "each of the \(formatCount(destinations.count)) destinations"
        let all =
            entries == 1 ? "The one entry" : "All \(formatCount(entries)) entries"
        return areProvenByNodes
            ? "\(all) that the source gave \(plural(entries, "is", "are")) at \(place), by the digest of every node."
            : "\(all) that the source gave \(plural(entries, "was", "were")) read back from \(place) and "
                + "\(plural(entries, "is", "are")) equal, byte for byte."
    }

    private var progressBar: HTML {
        var html = HTML()
        guard let fraction = progress?.fraction else { return html }
        let percent = Int((fraction * 100).rounded(.down))
        html.raw("<p class=\"bar\"><progress max=\"100\" value=\"")
        html.number(percent)
        html.raw("\" aria-label=\"Done in this phase\"></progress> ")
        html.number(percent)
        html.raw(" %")
        if let remaining = progress?.remaining {
            html.raw(", about ")
            html.text(formatDuration(remaining))
            html.raw(" left in this phase")
        }
        html.raw("</p>\n")
        return html
    }
}
