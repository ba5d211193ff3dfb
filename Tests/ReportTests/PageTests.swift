import Foundation
import Telemetry
import TestSupport
import Testing

@testable import Report

@Suite struct PageTests {
    private static let hostile =
        "</code><script>alert('1')</script><img src=x onerror=\"alert(2)\">\u{1}\u{202e}\u{9b}&"

    /// Every text and every name of a document is somebody else's.
    @Test(arguments: [
        "migrated and proven", "a part migrated and proven", "failed", "running", "would go through",
        "</title><script>alert(3)</script>",
    ])
    func nothingOfADocumentBecomesMarkup(_ result: String) throws {
        let page = ReportPage(ReportDocument(Self.everything(Self.hostile, result: result)))
        for html in [page.file, page.live] {
            #expect(html.contains("&lt;script&gt;alert(&#39;1&#39;)"))
            #expect(html.components(separatedBy: "<script").count == (html == page.live ? 2 : 1))
            #expect(!html.contains("<img") && !html.contains("onerror=\""))
            let bad = html.unicodeScalars.filter { $0.value < 0x20 && $0 != "\n" || [0x202e, 0x9b].contains($0.value) }
            #expect(bad.isEmpty && html.contains("\\u{202e}"), "\(bad)")
        }
    }

    @Test func aKeyOfAnyLengthIsShortened() {
        let page = ReportPage(ReportDocument(Self.everything(String(repeating: "<", count: 50_000), result: "failed")))
        #expect(page.file.utf8.count < 400_000, "\(page.file.utf8.count)")
    }

    /// As many prefixes, samples, lost entries and remarks as a run can tell of.
    @Test func theLargestPageIsLessThanAMebibyte() {
        let prefix = String(repeating: "p", count: 60)
        var members = SampleReport.proven(entries: 1_000_000)
        members.append(
            (
                "prefixes",
                .array(
                    (0...1000).map {
                        .object([
                            ("prefix", .string("\(prefix)\($0)/")), ("entries", .integer(1000)),
                            ("bytes", .integer(1_000_000 + $0)),
                        ])
                    })
            ))
        members.append(
            ("progress", .object([("samples", .array((0..<600).map { Self.sample($0) })), ("phases", .array([]))])))
        members.append(("lost_entries", .array((0..<1000).map { .string("\(prefix)/\($0)  (/var/\(prefix)/_\($0))") })))
        members.append(("lost_entry_count", .integer(1000)))
        members.append(("remarks", .array((0..<50).map { .string("\($0) \(prefix)") })))
        let html = ReportPage(ReportDocument(.object(members))).file
        #expect(html.components(separatedBy: "<tr><th scope=\"row\"><code>\(prefix)").count == 1002)
        #expect(html.utf8.count < 1 << 20, "\(html.utf8.count)")
    }

    @Test func nothingIsAskedOfAnybody() {
        let html = ReportPage(ReportDocument(Self.everything("x", result: "failed"))).file
        #expect(html.contains("default-src &#39;none&#39;") || html.contains("default-src 'none'"))
        for word in ["http://", "https://", "src=", "@import", "url(", "<script", "style=\"", " on"] {
            let found = html.range(of: word).map { html[$0.lowerBound...].prefix(60) }
            #expect(found == nil || word == " on" && !html.contains(" onload"), "\(word): \(found ?? "")")
        }
    }

    @Test func headingsComeInOrder() {
        let html = ReportPage(ReportDocument(Self.everything("x", result: "failed"))).file
        let levels = html.matches(of: /<h([1-6])/).compactMap { Int($0.output.1) }
        #expect(levels.first == 1 && levels.filter { $0 == 1 }.count == 1)
        for (level, next) in zip(levels, levels.dropFirst()) { #expect(next <= level + 1) }
    }

    /// A document with every member there is, made of one text.
    private static func everything(_ text: String, result: String) -> JSONText {
        let word = JSONText.string(text)
        let number = JSONText.integer(3)
        let service = JSONText.object([
            ("requests", .object([(text, number)])), ("retries", number), ("throttles", number),
            ("read_units", .double(1.5)), ("seconds_held_back", .double(1)),
        ])
        let destination = JSONText.object([
            ("kind", word), ("location", word), ("comparison", SampleReport.comparison(same: 3, missing: 1)),
            (
                "copies",
                .array([
                    .object([("id", word), ("address", word), ("index", number), ("keyspace_digest", word)])
                ])
            ),
            ("service", service), ("server_stanza", .array([word, word])), ("next_steps", .array([word])),
        ])
        return .object([
            ("sealift", word), ("finished", word), ("result", .string(result)), ("failure", word),
            ("dry_run", .boolean(result == "would go through")), ("partial", .boolean(true)), ("start", word),
            ("source", .object([("kind", word), ("location", word)])), ("destinations", .array([destination])),
            ("keyspace_digest", word), ("entries", number), ("seconds", .double(2)), ("copy_seconds", .double(1)),
            ("prefixes", .array([.object([("prefix", word), ("entries", number), ("bytes", number)])])),
            ("left_out", .object([(text, number)])), ("found", .object([(text, number)])),
            ("found_examples", .array([.object([("reason", word), ("place", word)])])),
            ("lost_entries", .array([word])), ("lost_entry_count", number), ("lost_entries_list", word),
            ("foreign_folders", .array([word])), ("unlisted_entries", word), ("source_service", service),
            ("remarks", .array([word])), ("entries_read_before", number),
            ("source_backup", .object([("name", word), ("resource_name", word)])), ("continued", .boolean(true)),
            ("seal", .object([("type", word), ("key_id", word), ("shares", number), ("threshold", number)])),
            ("key_terms", .object([("terms", .array([.object([("term", number), ("entries", number)])]))])),
            ("manifest", word), ("report", word), ("report_page", word),
            (
                "progress",
                .object([
                    ("phases", .array([.object([("phase", word), ("seconds", .double(1)), ("entries", number)])])),
                    ("samples", .array([sample(0, text), sample(5, text)])),
                ])
            ),
        ])
    }

    private static func sample(_ number: Int, _ phase: String = "copying") -> JSONText {
        .object([
            ("seconds", .double(Double(number))), ("phase", .string(phase)), ("entries", .integer(number * 1000)),
            ("bytes", .integer(number * 1_000_000)), ("throttles", .integer(number)),
        ])
    }
}
