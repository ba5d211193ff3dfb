import Telemetry
import Testing

@testable import Report

@Suite struct DrillPageTests {
    private static func drill(_ text: String, result: String, phase: String = "passed") -> JSONText {
        .object([
            ("sealift", .string(text)), ("drill", .string(text)), ("started", .string(text)),
            ("finished", .string(text)),
            ("result", .string(result)), ("failed_phase", result == "failed" ? .string(text) : .null),
            ("failure", result == "failed" ? .string(text) : .null),
            ("source", .object([("kind", .string(text)), ("location", .string(text))])), ("entries", .integer(-1)),
            ("bytes", .integer(.max)), ("keyspace_digest", .string(text)), ("seconds", .double(.infinity)),
            (
                "phases",
                .array([
                    .object([
                        ("phase", .string(text)), ("about", .string(text)), ("result", .string(phase)),
                        ("seconds", .double(-1e300)),
                    ])
                ])
            ), ("findings", .array([.string(text)])), ("remarks", .array([.string(text)])),
            (
                "server",
                .object([
                    ("binary", .string(text)), ("version", .string(text)), ("network_cut", .boolean(true)),
                    ("mounts", .integer(.min)), ("mounts_from", .string(text)), ("reads", .integer(1)),
                ])
            ),
        ])
    }

    @Test(arguments: ["passed", "failed", "interrupted", "unfinished", "<script>"])
    func nothingOfAReportBecomesMarkup(_ result: String) {
        let html = DrillPage(Self.drill("</code><script>alert('1')</script><img src=x>\u{202e}&", result: result)).file
        #expect(html.contains("&lt;script&gt;alert(&#39;1&#39;)"))
        #expect(!html.contains("<script") && !html.contains("<img") && !html.contains("\u{202e}"))
        #expect(html.contains("default-src 'none'") && html.hasSuffix("</body>\n</html>\n"))
    }

    @Test func aPassIsHeldAgainstThePhases() {
        #expect(DrillPage(Self.drill("x", result: "passed")).file.contains("<h1>The drill passed</h1>"))
        let contradicting = DrillPage(Self.drill("x", result: "passed", phase: "failed")).file
        #expect(contradicting.contains("<h1>This document proves nothing</h1>"))
        #expect(DrillPage(.null).file.contains("<h1>This document proves nothing</h1>"))
        #expect(DrillPage(Self.drill("x", result: "failed")).file.contains("<h1>The drill failed</h1>"))
    }
}
