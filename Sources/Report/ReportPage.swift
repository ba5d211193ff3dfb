package import Telemetry

/// The report of a run as one HTML page, which needs nothing besides itself: no script, no file, no network.
///
/// Made from a ``ReportDocument`` alone, so that it says what the JSON says. While a run goes on it is made again and
/// again, and whoever watches is told which of its parts have changed.
package struct ReportPage: Sendable {
    let document: ReportDocument
    /// Where the run stands; `nil` if it is over.
    let progress: ProgressReport?

    package init(_ document: ReportDocument, progress: ProgressReport? = nil) {
        self.document = document
        self.progress = progress
    }

    var root: JSONText { document.root }

    /// A part of the page that can be replaced by itself.
    package struct Part: Sendable, Equatable {
        package let id: StaticIdentifier
        /// What stands in its element; empty if there is nothing to say.
        package let html: String
    }

    /// The name of a part.
    package enum StaticIdentifier: String, Sendable, CaseIterable {
        case verdict, figures, proof, rate, prefixes, seal, findings, services, remarks, next, files
    }

    /// All parts, in order.
    package var parts: [Part] {
        StaticIdentifier.allCases.map { id in
            let html =
                switch id {
                case .verdict: verdict
                case .figures: figures
                case .proof: proof
                case .rate: rate
                case .prefixes: prefixes
                case .seal: seal
                case .findings: findings
                case .services: services
                case .remarks: remarks
                case .next: nextSteps
                case .files: files
                }
            return Part(id: id, html: html.source)
        }
    }

    /// The text of the title, for a window's bar.
    package var title: String {
        let state =
            switch document.verdict {
            case .running: "Running"
            case .proven: "Proven"
            case .partProven: "A part proven"
            case .notFinal: "Not final"
            case .wouldGoThrough: "Dry run"
            case .failed: "Failed"
            case .unclear: "Proves nothing"
            }
        let destinations = root["destinations"].elements.compactMap { $0["kind"].string }.prefix(3)
        guard let source = root["source"]["kind"].string, !destinations.isEmpty else { return "\(state) · Sealift" }
        return "\(state): \(source) to \(destinations.joined(separator: ", ")) · Sealift"
    }

    /// The whole page, for a file.
    package var file: String {
        // A header would say the same; a file has none.
        page(
            head: "<meta http-equiv=\"Content-Security-Policy\" content=\"\(PagePolicy.file)\">\n", end: "")
    }

    /// The whole page with the script that keeps it up to date.
    package var live: String {
        page(head: "", end: "<script>\(LiveScript.source)</script>\n")
    }

    private func page(head: String, end: String) -> String {
        var main = ""
        for part in parts { main += "<div class=\"part\" id=\"\(part.id.rawValue)\">\(part.html)</div>\n" }
        return HTML.page(
            title: title, subtitle: "migration report", version: root["sealift"].string,
            foot: "Names of entries stand in this page; values, credentials and key shares do not.", head: head,
            main: main, end: end)
    }
}

extension HTML {
    /// A whole page around what was made of a document.
    ///
    /// - Parameters:
    ///   - main: Markup that ``HTML`` was asked for.
    ///   - head: Markup for its head.
    ///   - end: Markup behind everything.
    static func page(
        title: String, subtitle: StaticString, version: String?, foot: StaticString, head: String, main: String,
        end: String
    ) -> String {
        var html = HTML()
        html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>")
        html.text(title)
        html.raw("</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        html.raw(
            "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n")
        html.raw("<link rel=\"icon\" href=\"data:,\">\n")
        var text = html.source + head + "<style>\(ReportStyle.source)</style>\n</head>\n<body>\n"
        text += "<header><p>Sealift <span>\(subtitle)</span></p></header>\n<main>\n\(main)"
        var last = HTML()
        last.raw("</main>\n<footer><p>")
        if let version {
            last.raw("Made by Sealift ")
            last.text(version)
            last.raw(". ")
        }
        last.raw(foot)
        last.raw("</p></footer>\n")
        return text + last.source + end + "</body>\n</html>\n"
    }

    /// A section with its heading, or nothing if it has no content.
    static func section(_ id: StaticString, _ heading: StaticString, _ content: HTML) -> HTML {
        guard !content.source.isEmpty else { return content }
        var html = HTML()
        html.raw("<section aria-labelledby=\"")
        html.raw(id)
        html.raw("-heading\">\n<h2 id=\"")
        html.raw(id)
        html.raw("-heading\">")
        html.raw(heading)
        html.raw("</h2>\n")
        html.add(content)
        html.raw("</section>")
        return html
    }
}
