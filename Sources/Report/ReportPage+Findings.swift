import Telemetry
import Wording

extension ReportPage {
    private static let mostKinds = 100
    private static let mostExamples = 20
    private static let mostLost = 200
    private static let mostFolders = 100

    /// What is no ordinary entry: left out, hidden, lost, or from somewhere else.
    var findings: HTML {
        var html = HTML()
        addKinds(to: &html)
        addLost(to: &html)
        let folders = root["foreign_folders"].texts
        if !folders.isEmpty {
            html.raw(
                "<h3>Folders that no server writes</h3>\n<p>They stand at the top of the source and were copied like ")
            html.raw("the others. An old backup?</p>\n")
            html.list(folders, limit: Self.mostFolders, isCode: true)
        }
        return .section("findings", "What was found besides ordinary entries", html)
    }

    private func addKinds(to html: inout HTML) {
        let leftOut = root["left_out"].members
        let found = root["found"].members
        guard !leftOut.isEmpty || !found.isEmpty else { return }
        html.raw("<table class=\"counts\"><thead><tr><th scope=\"col\">Found</th>")
        html.raw("<th scope=\"col\" class=\"number\">Count</th></tr></thead><tbody>\n")
        for (isLeftOut, counts) in [(true, leftOut), (false, found)] {
            for (name, count) in counts.prefix(Self.mostKinds) {
                html.raw(isLeftOut ? "<tr><th scope=\"row\">Left out on purpose: " : "<tr><th scope=\"row\">")
                html.text(name, limit: HTML.placeText)
                html.raw("</th><td class=\"number\">")
                html.text(formatCount(count.integer ?? 0))
                html.raw("</td></tr>\n")
            }
        }
        html.raw("</tbody></table>\n")
        for (reason, _) in found.prefix(Self.mostKinds) {
            let examples = root["found_examples"].elements.filter { $0["reason"].string == reason }
            guard !examples.isEmpty else { continue }
            html.raw("<h3>Where: ")
            html.text(reason)
            html.raw("</h3>\n")
            html.list(examples.compactMap { $0["place"].string }, limit: Self.mostExamples, isCode: true)
        }
        if let path = root["unlisted_entries"].string {
            html.raw("<p>Entries that the source’s own listing cannot see are all named in <code>")
            html.text(path, limit: HTML.placeText)
            html.raw("</code>.</p>\n")
        }
    }

    private func addLost(to html: inout HTML) {
        guard let count = root["lost_entry_count"].integer, count > 0 else { return }
        html.raw("<h3>Lost entries: ")
        html.text(formatCount(count))
        html.raw("</h3>\n<p>A crash left their files with zero length at the source. They are not copied.</p>\n")
        html.list(root["lost_entries"].texts, limit: Self.mostLost, isCode: true)
        if let path = root["lost_entries_list"].string {
            html.raw("<p>All of them: <code>")
            html.text(path, limit: HTML.placeText)
            html.raw("</code></p>\n")
        }
    }

    /// What the services behind the stores were asked, and how often again.
    var services: HTML {
        var html = HTML()
        add(root["source_service"], of: root["source"], as: "Source", to: &html)
        for destination in root["destinations"].elements.prefix(Self.mostDestinations) {
            add(destination["service"], of: destination, as: "Destination", to: &html)
        }
        return .section("services", "Requests, retries and throttles", html)
    }

    private func add(_ service: JSONText, of store: JSONText, as side: StaticString, to html: inout HTML) {
        guard !service.members.isEmpty else { return }
        html.raw("<h3>")
        html.raw(side)
        html.raw(": ")
        html.text(store["kind"].string ?? "?")
        html.raw(" <code>")
        html.text(store["location"].string ?? "?", limit: HTML.placeText)
        html.raw("</code></h3>\n<dl>\n")
        let requests = service["requests"].members.prefix(Self.mostKinds)
            .map { "\(formatCount($0.1.integer ?? 0)) \($0.0)" }.joined(separator: ", ")
        html.row("Requests", requests.isEmpty ? "none" : requests)
        html.row("Retries", formatCount(service["retries"].integer ?? 0))
        html.row("Of them throttled", formatCount(service["throttles"].integer ?? 0))
        for (name, member) in [("Read units", "read_units"), ("Write units", "write_units")] as [(StaticString, String)]
        {
            if let units = service[member].number, units > 0 { html.row(name, "\(units)") }
        }
        if let seconds = service["seconds_held_back"].number, seconds > 0 {
            html.row("Held back", "\(duration(seconds)), all threads together, to keep to a rate")
        }
        html.raw("</dl>\n")
    }
}
