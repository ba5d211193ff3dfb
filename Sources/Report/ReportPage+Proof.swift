import Telemetry
import Wording

extension ReportPage {
    private static let mostCopies = 100

    /// What the comparison of each destination found.
    var proof: HTML {
        var html = HTML()
        guard progress == nil, !document.isDryRun, document.verdict != .unclear else { return html }
        let destinations = root["destinations"].elements
        for destination in destinations.prefix(Self.mostDestinations) {
            let comparison = destination["comparison"]
            let counts = comparison.members.compactMap { $0.1.integer }
            let copies = destination["copies"].elements
            guard counts.contains(where: { $0 != 0 }) || !copies.isEmpty else { continue }
            html.raw("<h3>")
            html.text(destination["kind"].string ?? "?")
            html.raw(" <code>")
            html.text(destination["location"].string ?? "?", limit: HTML.placeText)
            html.raw("</code></h3>\n")
            add(comparison, to: &html)
            addReadBack(destination["read_back"].string, to: &html)
            if let original = destination["copy_of"].string {
                html.raw("<p>Read back and compared byte for byte with <code>")
                html.text(original, limit: HTML.placeText)
                html.raw("</code>, which was compared entry by entry.</p>\n")
            }
            if !copies.isEmpty { add(copies, to: &html) }
        }
        addShareProof(to: &html)
        addSealUpgrade(to: &html)
        if root["raft_tls_generated"].boolean == true {
            html.raw(
                "<p><code>core/raft/tls</code>, which the source lacks, was made with key shares (-generate-raft-tls).</p>\n"
            )
        }
        return .section("proof", "Proof", html)
    }

    private func addShareProof(to html: inout HTML) {
        let proof = root["share_proof"]
        guard let authenticated = proof["authenticated"].integer else { return }
        let names = ["failed", "unknown_term", "no_envelope", "not_checkable"]
        let all = names.reduce(authenticated) { $0 + (proof[$1].integer ?? 0) }
        html.raw("<p>With key shares, ")
        html.text("\(formatCount(authenticated)) of \(formatCount(all))")
        html.raw(" entries were authenticated: each is as a server wrote it, under its own name.")
        if let unbound = proof["names_not_bound"].integer, unbound > 0 {
            html.raw(" Of them, ")
            html.text(formatCount(unbound))
            html.raw(" are of the barrier’s first version, which proves the bytes and not the name.")
        }
        if let plain = proof["plain"].integer, plain > 0 {
            html.raw(" Servers do not encrypt ")
            html.text("\(formatCount(plain)) more.")
        }
        html.raw("</p>\n")
        for entry in proof["unproven"].elements.prefix(Self.mostCopies) {
            html.raw("<p><code>")
            html.text(entry["key"].string ?? "?", limit: HTML.placeText)
            html.raw("</code> ")
            html.text(entry["verdict"].string ?? "?")
            html.raw("</p>\n")
        }
    }

    private func addSealUpgrade(to html: inout HTML) {
        let upgrade = root["seal_upgrade"]
        let kinds: [(StaticString, String)] = [("Added", "added"), ("Changed", "changed"), ("Left out", "left_out")]
        guard kinds.contains(where: { !upgrade[$0.1].elements.isEmpty }) else { return }
        html.raw("<p>The destination was made fit for today’s servers (-upgrade-legacy-seal):</p>\n<ul>\n")
        for (title, name) in kinds {
            for key in upgrade[name].elements.prefix(Self.mostCopies) {
                html.raw("<li>")
                html.raw(title)
                html.raw(": <code>")
                html.text(key.string ?? "?", limit: HTML.placeText)
                html.raw("</code></li>\n")
            }
        }
        html.raw("</ul>\n")
    }

    private func add(_ comparison: JSONText, to html: inout HTML) {
        let rows: [(StaticString, String)] = [
            ("Same at source and destination", "same"), ("Missing at the destination", "missing"),
            ("Different", "different"), ("Only at the destination", "extra"), ("Unreadable", "unreadable"),
        ]
        html.raw("<table class=\"counts\"><thead><tr><th scope=\"col\">Entries that are</th>")
        html.raw("<th scope=\"col\" class=\"number\">Count</th></tr></thead><tbody>\n")
        for (heading, name) in rows {
            let count = comparison[name].integer ?? 0
            html.raw(name != "same" && count > 0 ? "<tr class=\"bad\"><th scope=\"row\">" : "<tr><th scope=\"row\">")
            html.raw(heading)
            html.raw("</th><td class=\"number\">")
            html.text(formatCount(count))
            html.raw("</td></tr>\n")
        }
        html.raw("</tbody></table>\n")
    }

    private func addReadBack(_ origin: String?, to html: inout HTML) {
        let text: StaticString? =
            switch origin {
            case "disk": "What was written was read back from the disk, not from what the system held of it in memory."
            case "cache": "What was written was read back, perhaps from what the system held of it in memory."
            case "service": "What was written was read back from the service that keeps it."
            default: nil
            }
        guard let text else { return }
        html.raw("<p>")
        html.raw(text)
        html.raw("</p>\n")
    }

    private func add(_ copies: [JSONText], to html: inout HTML) {
        html.raw("<p>Each node computed the digest of its own copy:</p>\n<table><thead><tr><th scope=\"col\">Node</th>")
        html.raw("<th scope=\"col\">Digest</th><th scope=\"col\" class=\"number\">Entries</th></tr></thead><tbody>\n")
        for copy in copies.prefix(Self.mostCopies) {
            html.raw("<tr><th scope=\"row\">")
            html.text(copy["id"].string ?? "?")
            html.raw("<br><span class=\"note\">")
            html.text(copy["address"].string ?? "")
            html.raw(", index ")
            html.number(copy["index"].integer ?? 0)
            html.raw("</span></th><td><code>")
            html.text(copy["keyspace_digest"].string ?? "")
            html.raw("</code> ")
            html.raw(copy["is_equal"].boolean == true ? "(equal to the source’s)" : "(not compared)")
            html.raw("</td><td class=\"number\">")
            html.text(formatCount(copy["entries"].integer ?? 0))
            html.raw("</td></tr>\n")
        }
        html.raw("</tbody></table>\n")
    }
}
