import Telemetry
import Wording

extension ReportPage {
    /// Tallies of prefixes are bounded where they are counted; this bounds those of a foreign document.
    private static let mostPrefixes = 1100
    private static let mostTerms = 100

    /// Entries and bytes below each folder at the top.
    var prefixes: HTML {
        var html = HTML()
        let prefixes = root["prefixes"].elements
        guard !prefixes.isEmpty else { return html }
        let most = prefixes.map { $0["bytes"].integer ?? 0 }.max() ?? 0
        html.raw("<table class=\"prefixes\"><thead><tr><th scope=\"col\">Prefix</th>")
        html.raw("<th scope=\"col\" class=\"number\">Entries</th><th scope=\"col\" class=\"number\">Bytes</th>")
        html.raw("<td class=\"share\"></td></tr></thead><tbody>\n")
        for tally in prefixes.prefix(Self.mostPrefixes) {
            let (name, bytes) = (tally["prefix"].string ?? "?", max(tally["bytes"].integer ?? 0, 0))
            html.raw("<tr><th scope=\"row\">")
            if name.isEmpty {
                html.raw("(top level)")
            } else {
                html.raw("<code>")
                html.text(name)
                html.raw("</code>")
            }
            html.raw("</th><td class=\"number\">")
            html.text(formatCount(tally["entries"].integer ?? 0))
            html.raw("</td><td class=\"number\">")
            html.text(formatBytes(bytes))
            html.raw("</td><td class=\"share\" aria-hidden=\"true\">")
            html.raw("<svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\"><rect width=\"")
            html.coordinate(most > 0 ? 100 * Double(bytes) / Double(most) : 0)
            html.raw("\" height=\"8\"/></svg></td></tr>\n")
        }
        html.raw("</tbody></table>\n")
        if prefixes.count > Self.mostPrefixes { html.raw("<p>More prefixes than any run counts are left out.</p>\n") }
        return .section("prefixes", "Entries by top-level prefix", html)
    }

    /// How the store is sealed, and what the headers of its entries say, as they stand in clear.
    var seal: HTML {
        var html = HTML()
        let (seal, terms) = (root["seal"], root["key_terms"])
        if seal.members.isEmpty, terms.members.isEmpty { return html }
        if let type = seal["type"].string {
            html.raw("<dl>\n")
            html.row("Seal", type)
            if let shares = seal["shares"].integer, let threshold = seal["threshold"].integer {
                html.row("Key shares", "\(formatCount(threshold)) of \(formatCount(shares)) unseal it")
            }
            if let key = seal["key_id"].string { html.row("Key of the service", key) }
            if let kept = Self.rootKey(seal) { html.row("Root key", kept) }
            if let fault = seal["fault"].string { html.row("Not valid", fault) }
            html.raw("</dl>\n")
        }
        add(terms, to: &html)
        return .section("seal", "Seal and key terms", html)
    }

    /// How the root key is kept, if not as in every store of today. Older reports have one word less.
    private static func rootKey(_ seal: JSONText) -> String? {
        switch seal["root_key"].string {
        case "before keyring": "the key shares are the key itself, and the keyring is that of Vault's first releases"
        case "missing": "missing, although it was stored: no key share unseals the store"
        case "perhaps stale": "not stored, says the store, and an entry is there that may be a left-over"
        case "legacy": "the key shares are the key itself, as before Vault 1.3: OpenBao 2.2 and later do not unseal it"
        case nil where seal["legacy"].boolean == true: "the key shares are the key itself, as before Vault 1.3"
        default: nil
        }
    }

    private func add(_ terms: JSONText, to html: inout HTML) {
        let counts = terms["terms"].elements
        guard !counts.isEmpty else { return }
        html.raw("<p>Entries by the term of the key that encrypted them, as it stands in clear before each value. ")
        html.raw("Nothing was decrypted. <code>core/keyring</code> always has term 1.</p>\n")
        html.raw("<table class=\"counts\"><thead><tr><th scope=\"col\">Key term</th>")
        html.raw("<th scope=\"col\" class=\"number\">Entries</th></tr></thead><tbody>\n")
        func row(_ heading: String, _ count: Int) {
            html.raw("<tr><th scope=\"row\">")
            html.text(heading)
            html.raw("</th><td class=\"number\">")
            html.text(formatCount(count))
            html.raw("</td></tr>\n")
        }
        for count in counts.prefix(Self.mostTerms) {
            row("Term \(count["term"].integer ?? 0)", count["entries"].integer ?? 0)
        }
        if let others = terms["entries_of_other_terms"].integer, others > 0 { row("Other terms", others) }
        if let others = terms["entries_without_term"].integer, others > 0 { row("Not in the barrier’s form", others) }
        html.raw("</tbody></table>\n")
    }
}
