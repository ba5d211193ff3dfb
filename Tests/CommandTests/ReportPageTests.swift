import Foundation
import TestSupport
import Testing

/// The page in a real browser.
@Suite struct ReportPageTests {
    @Test func aProvenRunsPageIsGood() throws {
        let sandbox = try Sandbox()
        let long = String(repeating: "a-name-without-any-place-to-break", count: 6)
        let source = try sandbox.makeFileStore(
            "src", SampleEntry.initialised + [SampleEntry("<b>&amp;\"'/\(long)"), SampleEntry("\(long)/x")])
        try sandbox.write("src/core/_mounts", "")
        let state = "\(sandbox.path)/\(long)"
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/raft"))
        let outcome = try sandbox.migrate(file, ["-state-dir", state, "-allow-lost-entries"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let url = "file://\(state)/report.html"
        let look = try PageLook(at: url)
        look.expectGood(at: url)
        #expect(look.heading == "Migrated and proven")
        #expect(look.text.contains("<b>&amp;\"'/") && look.text.contains("All 4 entries"))
        for section in ["Figures", "Proof", "Rate over time", "Entries by top-level prefix", "Next steps", "Evidence"] {
            #expect(look.sections.contains(section), "\(look.sections)")
        }
    }

    @Test func aFailedRunsPageIsGood() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        try sandbox.write("src/sys/_a", "{\"Value\":")
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        #expect(try sandbox.migrate(file, ["-state-dir", "\(sandbox.path)/state"]).code == 2)
        let url = "file://\(sandbox.path)/state/report.html"
        let look = try PageLook(at: url)
        look.expectGood(at: url)
        #expect(look.heading == "Failed" && look.text.contains("src/sys/_a"))
    }

    /// The look itself must be able to find fault: a page with a thousand faults of all kinds.
    @Test func aBadPageIsSeenToBeBad() throws {
        let sandbox = try Sandbox()
        let page = """
            <!DOCTYPE html><html lang="en"><head><title>x</title><style>body { color: #777; background: #999; }
            div { width: 3000px; } @media (prefers-color-scheme: dark) { body { color: #fff; background: #000; } }</style>
            <link rel="stylesheet" href="https://127.0.0.1:1/x.css"></head><body><header></header><main><h1>x</h1><h3>y</h3>
            <div id="a">text</div><table><tr><th>t</th></tr></table><svg></svg><section id="a"></section>
            <script>console.log("said")</script></main><footer></footer></body></html>
            """
        let look = try PageLook(at: "file://\(try sandbox.write("bad.html", page))")
        #expect(look.overflow["360"]?.page ?? 0 > 0 && look.overflow["1600"]?.elements.isEmpty == false)
        #expect(look.contrast["light 1600"]?.least.contrast ?? 9 < 4.5)
        #expect(look.contrast["dark 1600"]?.least.contrast ?? 0 > 4.5)
        #expect(look.complaints.contains { $0.contains("said") } && look.requests.count == 2)
        #expect(look.headersWithoutScope == 1 && look.tablesWithoutHead == 1 && look.picturesWithoutText == 1)
        #expect(look.sectionsWithoutName == 1 && look.scripts == 1 && look.doubleIds == ["a"] && look.levels == [1, 3])
    }

    /// As many prefixes as are counted, in a page of less than a MiB.
    @Test func aStoreOfAThousandPrefixesHasAPageThatOpens() throws {
        let sandbox = try Sandbox()
        let entries = (0..<1000).map { SampleEntry("prefix-with-a-name-of-some-length-\($0)/a") }
        let source = try sandbox.makeSQLiteStore("src.db", SampleEntry.initialised + entries)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        let outcome = try sandbox.migrate(file, ["-state-dir", "\(sandbox.path)/state"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let path = "\(sandbox.path)/state/report.html"
        #expect(try text(of: path).utf8.count < 1 << 20)
        let look = try PageLook(at: "file://\(path)")
        look.expectGood(at: "file://\(path)")
        #expect(look.text.contains("prefix-with-a-name-of-some-length-998/"))
    }
}
