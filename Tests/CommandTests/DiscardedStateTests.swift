import Foundation
import TestSupport
import Testing

/// State that is another job's, or a later version's, is refused; what is a run's own can be discarded.
@Suite struct DiscardedStateTests {
    private func stores(_ sandbox: Sandbox) throws -> (first: String, second: String) {
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("logical/a")])
        return (
            try sandbox.configuration(source, .sqlite("\(sandbox.path)/one.db"), name: "one.hcl"),
            try sandbox.configuration(source, .sqlite("\(sandbox.path)/two.db"), name: "two.hcl")
        )
    }

    @Test func anotherJobsStateIsDiscardedWhenTold() throws {
        let sandbox = try Sandbox()
        let (first, second) = try stores(sandbox)
        let state = ["-state-dir", "\(sandbox.path)/state"]
        #expect(try sandbox.migrate(first, state + ["-mode=warm"]).code == 4)
        let refused = try sandbox.migrate(second, state)
        #expect(
            refused.code == 2 && refused.errors.contains("holds the state of another migration"), "\(refused.errors)")
        #expect(refused.errors.contains("-discard-state"))
        #expect(exists("\(sandbox.path)/state/warm.json") && !exists("\(sandbox.path)/two.db"))
        let dry = try sandbox.migrate(second, state + ["-discard-state", "-dry-run"])
        #expect(dry.code == 0 && exists("\(sandbox.path)/state/warm.json"), "\(dry.errors)")
        let done = try sandbox.migrate(second, state + ["-discard-state"])
        #expect(done.code == 0 && !done.output.contains("Pass "), "\(done.errors)")
        #expect(!exists("\(sandbox.path)/state/warm.json") && exists("\(sandbox.path)/state/manifest.txt"))
        // What this very job has left goes as well: nothing tells then that it is done.
        let again = try sandbox.migrate(second, state + ["-discard-state"])
        #expect(again.code == 2 && again.errors.contains("is not empty"), "\(again.errors)")
    }

    @Test func whatIsNoRunsOwnStays() throws {
        let sandbox = try Sandbox()
        let (first, _) = try stores(sandbox)
        let state = ["-state-dir", "\(sandbox.path)/state", "-discard-state"]
        for foreign in ["manifest.txt", "journal.lmdb", "job"] {
            try makeFolder("\(sandbox.path)/state")
            try sandbox.write("state/\(foreign)", "somebody's notes\n")
            let refused = try sandbox.migrate(first, state)
            #expect(
                refused.code == 2 && refused.errors.contains("cannot be told to be Sealift's own"), "\(refused.errors)")
            #expect(try text(of: "\(sandbox.path)/state/\(foreign)") == "somebody's notes\n")
            try sandbox.shell("rm -r '\(sandbox.path)/state'")
        }
        // A link among what would be removed.
        #expect(try sandbox.migrate(first, ["-state-dir", "\(sandbox.path)/state", "-mode=warm"]).code == 4)
        try sandbox.write("precious", "x")
        try sandbox.shell("ln -s '\(sandbox.path)/precious' '\(sandbox.path)/state/lost.txt'")
        let refused = try sandbox.migrate(first, state)
        #expect(refused.code == 2 && refused.errors.contains("lost.txt"), "\(refused.errors)")
        #expect(exists("\(sandbox.path)/precious") && exists("\(sandbox.path)/state/warm.json"))
    }
}
