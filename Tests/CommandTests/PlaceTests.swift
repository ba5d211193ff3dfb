import Foundation
import Testing

/// Where a migration puts what it makes, however its paths are written, and what it says of places that cannot be.
@Suite struct PlaceTests {
    private static let spellings = ["dst/", "dst//", "./dst", "x/../dst", "link/dst", "link/./dst/"]

    /// One place has one state folder and one lock, however it is spelt.
    @Test(arguments: ["file", "sqlite", "raft"])
    func everySpellingOfAPathIsOnePlace(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        try makeFolder("\(sandbox.path)/x")
        #expect(symlink(".", "\(sandbox.path)/link") == 0)
        let first = sandbox.store(kind, "dst", suffix: "")
        let path = first.path
        let state = try sandbox.migrate(try sandbox.configuration(source, first))
        let report = try #require(state.outputLines.first { $0.contains("report.json") })
        for spelling in Self.spellings {
            try FileManager.default.removeItem(atPath: path)
            let store = sandbox.store(kind, spelling, suffix: "")
            let outcome = try sandbox.migrate(try sandbox.configuration(source, store))
            #expect(outcome.code == 0, "\(spelling): \(outcome.errors)")
            #expect(outcome.outputLines.contains(report), "\(spelling): \(outcome.output)")
            #expect(exists(path))
        }
        let names = Set(try FileManager.default.contentsOfDirectory(atPath: sandbox.path))
        #expect(names.isSubset(of: ["home", "src", "x", "link", "dst", "dst.sealift", "migrate.hcl"]), "\(names)")
    }

    @Test(arguments: ["file", "sqlite", "raft"], ["dangling", "dangling/below"])
    func aLinkThatLeadsNowhereIsNoticedFirst(_ kind: String, _ name: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        #expect(symlink("nowhere", "\(sandbox.path)/dangling") == 0)
        let file = try sandbox.configuration(source, sandbox.store(kind, name, suffix: ""))
        for flags in [["-dry-run"], []] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 2, "\(outcome.output)")
            #expect(outcome.errors.contains("dangling is a link that leads nowhere"), "\(outcome.errors)")
        }
        #expect(!exists("\(sandbox.path)/nowhere") && !exists("\(source.path)/core/_migration"))
    }

    /// State folders that would mix with a store, or cannot be.
    @Test(
        arguments: ["file", "raft"],
        [
            "src", "src/state", "src/core/../state", "link/state", "dst", "dst/state", ".", "file", "file/below",
            "dangling",
        ])
    func aStateFolderThatCannotBeIsRefused(_ kind: String, _ name: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        try sandbox.write("file", "keep me")
        #expect(symlink("src", "\(sandbox.path)/link") == 0)
        #expect(symlink("nowhere", "\(sandbox.path)/dangling") == 0)
        let file = try sandbox.configuration(source, sandbox.store(kind, "dst"))
        let before = try snapshot(sandbox.path).filter { !$0.key.hasPrefix("home") && !$0.key.isEmpty }
        for flags in [["-dry-run"], []] {
            let outcome = try sandbox.migrate(file, flags + ["-state-dir", "\(sandbox.path)/\(name)"])
            #expect(outcome.code == 2, "\(flags): \(outcome.output)")
            #expect(outcome.errors.contains("state"), "\(outcome.errors)")
            let after = try snapshot(sandbox.path).filter { !$0.key.hasPrefix("home") && !$0.key.isEmpty }
            #expect(after == before, "\(flags)")
        }
    }

    /// What is done is done: a report that cannot be written is no failure, least of all one for ever.
    @Test(arguments: ["file", "sqlite", "raft"])
    func aReportThatCannotBeWrittenIsAWarning(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let destination = sandbox.store(kind, "dst")
        let file = try sandbox.configuration(source, destination)
        let state = "\(sandbox.path)/state"
        // The report is the only file that is written after the destination is in place.
        let steps = try Steps.variables(["STEPS_DENY": "report.json"])
        let words = ["operator", "migrate", "-config", file, "-state-dir", state]
        let outcome = try sandbox.sealift(words, adding: steps)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("Success!"))
        #expect(outcome.output.contains("The report could not be written"), "\(outcome.output)")
        #expect(!exists("\(state)/report.json") && !exists("\(state)/proven"))
        #expect(!exists("\(source.path)/core/_migration"))
        #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
        // Neither is it one when a proven destination is only looked at again.
        try sandbox.write("state/proven", "\(try sandbox.digest(of: source))\n")
        let again = try sandbox.sealift(words, adding: steps)
        #expect(again.code == 0, "\(again.errors)")
        #expect(again.output.contains("The report could not be written"), "\(again.output)")
        #expect(!exists("\(state)/proven"))
    }
}
