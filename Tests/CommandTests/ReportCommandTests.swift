import Foundation
import TestSupport
import Testing

/// The page of a run, and the page that is made of its saved report.
@Suite struct ReportCommandTests {
    private func migrated(_ sandbox: Sandbox) throws -> (state: String, outcome: Outcome) {
        let hostile = SampleEntry("<script>alert(1)<!-- \u{202e}/a\u{1}\"", [UInt8](repeating: 0, count: 40))
        let source = try sandbox.makeSQLiteStore("src.db", SampleEntry.initialised + [hostile])
        let state = "\(sandbox.path)/state"
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/raft"))
        return (state, try sandbox.migrate(file, ["-state-dir", state]))
    }

    @Test func theRunAndTheCommandMakeTheSamePage() throws {
        let sandbox = try Sandbox()
        let (state, outcome) = try migrated(sandbox)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("  \(state)/report.html\n"))
        let page = try text(of: "\(state)/report.html")
        #expect(page.contains("<h1>Migrated and proven</h1>") && page.contains("All 3 entries"))
        #expect(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;!-- \\xe2\\x80\\xae/"))
        #expect(try sandbox.sealift(["report", "\(state)/report.json"]).output == page)
        #expect(try sandbox.shell("'\(Sandbox.program)' report - < '\(state)/report.json'") == page)
        let made = "\(sandbox.path)/made.html"
        let again = try sandbox.sealift(["report", "-html", made, "\(state)/report.json"])
        #expect(again.code == 0 && again.output == "" && again.errors == "")
        #expect(try text(of: made) == page)
        #expect(try sandbox.shell("stat -c %a '\(made)' '\(state)/report.html'") == "600\n600\n")
    }

    @Test func theResultEventMakesAPageAsWell() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        for flags in [["-dry-run"], []] {
            let outcome = try sandbox.migrate(file, ["-format=json"] + flags)
            let event = try sandbox.write("event.json", try #require(outcome.outputLines.last))
            let page = try sandbox.sealift(["report", event])
            let heading = flags.isEmpty ? "Migrated and proven" : "Dry run: the migration would go through"
            #expect(page.code == 0 && page.output.contains("<h1>\(heading)</h1>"), "\(page.errors)")
        }
    }

    @Test func aFailedRunLeavesAPageWithTheReason() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        try sandbox.write("src/sys/_a", "{\"Value\":")
        let state = "\(sandbox.path)/state"
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        #expect(try sandbox.migrate(file, ["-state-dir", state]).code == 2)
        let page = try text(of: "\(state)/report.html")
        #expect(page.contains("<h1>Failed</h1>") && page.contains("src/sys/_a") && !page.contains("roven<"))
        #expect(try sandbox.sealift(["report", "\(state)/report.json"]).output == page)
    }

    @Test func aReportThatSomebodyHasChangedProvesNothing() throws {
        let sandbox = try Sandbox()
        let (state, _) = try migrated(sandbox)
        let report = try text(of: "\(state)/report.json")
        let changed = try sandbox.write("changed.json", report.replacing("\"missing\": 0", with: "\"missing\": 1"))
        let page = try sandbox.sealift(["report", changed])
        #expect(page.code == 0 && page.output.contains("<h1>This document proves nothing</h1>"))
    }

    @Test func whatIsNoReportIsToldSo() throws {
        let sandbox = try Sandbox()
        let (state, _) = try migrated(sandbox)
        let report = "\(state)/report.json"
        let before = try text(of: report)
        let other = try sandbox.write("other.json", "{\"a\":1}")
        let cut = try sandbox.write("cut.json", String(before.prefix(500)))
        for (words, code, message) in [
            ([other], 2, "no report"), ([cut], 2, "not JSON"), (["\(sandbox.path)/none"], 2, "No such file"),
            ([sandbox.path], 2, "directory"), ([], 1, "Name one report"), ([report, report], 1, "Name one report"),
            (["-schema", report], 1, "-schema takes no report"), (["-html", report, report], 2, "written over"),
            (["-html", "\(sandbox.path)/none/x.html", report], 2, "none/x.html"),
        ] as [([String], Int32, String)] {
            let outcome = try sandbox.sealift(["report"] + words)
            #expect(outcome.code == code && outcome.output == "", "\(words): \(outcome.code)")
            #expect(outcome.errors.lowercased().contains(message.lowercased()), "\(words): \(outcome.errors)")
        }
        #expect(try text(of: report) == before)
    }
}
