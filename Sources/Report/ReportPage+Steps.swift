import Telemetry
import Wording

extension ReportPage {
    private static let mostRemarks = 200
    private static let mostLines = 200

    /// What whoever runs the store should know.
    var remarks: HTML {
        var html = HTML()
        let remarks = root["remarks"].texts
        guard !remarks.isEmpty else { return html }
        html.list(remarks, limit: Self.mostRemarks, isCode: false)
        return .section("remarks", "Remarks", html)
    }

    /// The server's configuration and what to do with it.
    var nextSteps: HTML {
        var html = HTML()
        let destinations = root["destinations"].elements
        for destination in destinations.prefix(Self.mostDestinations) {
            let (stanza, steps) = (destination["server_stanza"].texts, destination["next_steps"].texts)
            guard !stanza.isEmpty || !steps.isEmpty else { continue }
            html.raw("<h3>The server on <code>")
            html.text(destination["location"].string ?? "?", limit: HTML.placeText)
            html.raw("</code></h3>\n")
            if !stanza.isEmpty {
                html.raw("<p>Its configuration:</p>\n<pre>")
                for line in stanza.prefix(Self.mostLines) {
                    html.long(line)
                    html.raw("\n")
                }
                html.raw("</pre>\n")
            }
            guard !steps.isEmpty else { continue }
            html.raw("<ol>\n")
            for step in steps.prefix(Self.mostLines) {
                html.raw("<li>")
                html.long(step)
                html.raw("</li>\n")
            }
            html.raw("</ol>\n")
        }
        return .section("next", "Next steps", html)
    }

    /// Where the evidence is.
    var files: HTML {
        var html = HTML()
        let names: [(StaticString, String)] = [
            ("Configuration", "configuration"), ("Manifest", "manifest"), ("Its signature", "manifest_signature"),
            ("Manifest without names", "keyed_manifest"), ("Its signature", "keyed_manifest_signature"),
            ("Report, JSON", "report"), ("Its signature", "report_signature"), ("Report, this page", "report_page"),
            ("Unlisted entries", "unlisted_entries"), ("Lost entries", "lost_entries_list"),
        ]
        let found = names.filter { root[$0.1].string != nil }
        guard !found.isEmpty else { return html }
        html.raw("<dl>\n")
        for (name, member) in found {
            var value = HTML()
            value.raw("<code>")
            value.text(root[member].string ?? "", limit: HTML.placeText)
            value.raw("</code>")
            html.row(name, value)
        }
        html.raw("</dl>\n")
        if root["manifest"].string != nil {
            html.raw("<p>The keyspace digest is the SHA-256 of the manifest’s lines: ")
            html.raw(
                "<code>grep -v '^#' manifest.txt | sha256sum</code> gives it again. <code>sealift checksum</code> ")
            html.raw(
                "gives it for a store, and <code>sealift check -manifest</code> holds a store against the manifest.</p>\n"
            )
        }
        return .section("files", "Evidence", html)
    }
}
