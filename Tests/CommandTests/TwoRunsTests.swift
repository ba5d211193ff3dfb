import Foundation
import TestSupport
import Testing

/// Two runs at once that know nothing of each other's state folder.
@Suite struct TwoRunsTests {
    /// Only the building folder's lock keeps them apart: neither sets a marker on a source.
    @Test func oneRunAtATimeBuildsADirectory() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeLargeFileStore("src", count: 20_000, seed: 51)
        let other = try sandbox.makeFileStore("other", SampleEntry.initialised)
        let destination = Store.raft("\(sandbox.path)/dst")
        let flags = ["-read-only-source", "-state-dir"]
        let first = try sandbox.start(
            ["operator", "migrate", "-config", try sandbox.configuration(source, destination)] + flags
                + ["\(sandbox.path)/one"])
        let building = "\(sandbox.path)/dst.sealift-building"
        try waitUntil("the directory is built") {
            exists("\(building)/node/vault.db") || first.program.ends(within: 1)
        }
        first.program.send(SIGSTOP)
        for (store, name) in [(other, "two"), (source, "three")] {
            let file = try sandbox.configuration(store, destination, name: "\(name).hcl")
            let before = try snapshot(building)
            for words in [["-dry-run"], []] {
                let outcome = try sandbox.migrate(file, words + flags + ["\(sandbox.path)/\(name)"])
                #expect(outcome.code == 2, "\(outcome.output)")
                #expect(outcome.errors.contains("is building there. Wait for it"), "\(outcome.errors)")
                #expect(outcome.errors.contains("process "), "\(outcome.errors)")
                #expect(try snapshot(building) == before)
                #expect(!exists("\(sandbox.path)/\(name)"))
            }
        }
        first.program.send(SIGCONT)
        let outcome = try first.outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
        #expect(!exists(building))
    }

    /// One is halted before each of its first changes, and the other begins.
    @Test(arguments: [("file", "file"), ("file", "raft"), ("sqlite", "file")], [true, false])
    func runsFromOneSourceAreToldOfEachOther(_ kinds: (source: String, destination: String), _ isOneJob: Bool) throws {
        let sandbox = try Sandbox()
        let entries = SampleEntry.initialised + [SampleEntry("sys/a")]
        let source =
            kinds.source == "file"
            ? try sandbox.makeFileStore("src", entries) : try sandbox.makeSQLiteStore("src.db", entries)
        let digest = try sandbox.digest(of: source)
        var bothWorked = 0
        for step in stride(from: 1, through: 40, by: Effort.stride(6)) {
            let stores = ["one", isOneJob ? "one" : "two"].map { sandbox.store(kinds.destination, "\($0)-\(step)") }
            let words = try stores.enumerated().map { number, store in
                [
                    "operator", "migrate", "-config",
                    try sandbox.configuration(source, store, name: "home/\(number).hcl"), "-state-dir",
                    "\(sandbox.path)/home/\(step)-\(number)",
                ]
            }
            let first = try sandbox.start(words[0], adding: try Steps.variables(["STEPS_STOP": "\(step)"]))
            // Until it halts or ends; a halted program ends for nobody.
            try waitUntil("the first halts") { first.program.isHalted || first.program.ends(within: 1) }
            let second = try sandbox.start(words[1])
            // It may wait for what the halted one holds.
            _ = second.program.ends(within: 400)
            first.program.send(SIGCONT)
            let outcomes = [try first.outcome(), try second.outcome()]
            for (outcome, store) in zip(outcomes, stores) where outcome.code == 0 {
                #expect(try sandbox.digest(of: store) == digest, "step \(step)")
            }
            for outcome in outcomes where outcome.code != 0 {
                let reasons = [
                    "storage migration in progress", "at this moment. Run again", "was removed from", "is not empty",
                    "already has state", "is building there", "is complete, but",
                ]
                #expect(
                    outcome.code == 2 && reasons.contains { outcome.errors.contains($0) },
                    "step \(step): \(outcome.errors)")
            }
            #expect(outcomes.contains { $0.code == 0 }, "step \(step): \(outcomes.map(\.errors))")
            bothWorked += outcomes.allSatisfy { $0.code == 0 } ? 1 : 0
            let marker = kinds.source == "file" && exists("\(source.path)/core/_migration")
            #expect(!marker, "step \(step)")
        }
        // Before the first has set its marker, the second does not know of it.
        #expect(isOneJob || bothWorked > 0)
    }
}
