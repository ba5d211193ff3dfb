import Foundation
import Testing

/// Results that cannot be written: a lost result is no success.
@Suite struct LostOutputTests {
    /// Ends of a command line, each with what it does to standard output.
    private static let sinks = ["exec \"$0\" \"$@\" >/dev/full", "exec \"$0\" \"$@\" >&-", readerHasGone]
    /// The reader has opened and closed its end before the program starts.
    private static let readerHasGone =
        "mkfifo \"$HOME/f\"; cat \"$HOME/f\" >/dev/null & reader=$!; exec 3>\"$HOME/f\"; "
        + "kill $reader; wait $reader; exec \"$0\" \"$@\" >&3 3>&-"

    private static let commands: [[String]] = [
        ["version"], ["-version"], ["-help"], ["operator", "migrate", "-help"], ["completion", "bash"],
        ["reference", "commands"], ["reference", "backends"], ["reference", "man", "check"], ["help", "backends"],
        ["plan", "-config", "FILE"], ["plan", "-config", "FILE", "-format=json"], ["check", "-config", "SAME"],
        ["check", "-config", "SAME", "-format=json"], ["check", "-config", "SAME", "-combined=-"],
        ["checksum", "-config", "FILE", "-side=source"],
        ["checksum", "-config", "FILE", "-side=source", "-format=json"],
        ["inspect", "ls", "-config", "FILE", "-side=source"], ["inspect", "du", "-config", "FILE", "-side=source"],
        ["inspect", "stat", "-config", "FILE", "-side=source", "core/keyring"],
        ["inspect", "stat", "-config", "FILE", "-side=source", "-format=json", "core/keyring"],
        ["operator", "migrate", "-config", "FILE", "-dry-run"], ["operator", "migrate", "-config", "FILE", "-reset"],
        ["practice-table", "-address", "127.0.0.1:0"],
    ]

    @Test(arguments: commands)
    func aLostResultIsAnError(_ words: [String]) throws {
        for sink in Self.sinks {
            let sandbox = try Sandbox()
            let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
            let copy = try sandbox.makeFileStore("copy", SampleEntry.initialised)
            let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
            let same = try sandbox.configuration(source, copy, name: "same.hcl")
            let filled = words.map { $0 == "FILE" ? file : $0 == "SAME" ? same : $0 }
            let outcome = try sandbox.startShell(sink, filled).outcome()
            #expect(outcome.code == 2, "\(words) \(sink): \(outcome.errors)")
            let said = outcome.errors.contains("the result could not be written to standard output: ")
            #expect(said, "\(words) \(sink): \(outcome.errors)")
        }
    }

    @Test(arguments: ["raft", "file", "sqlite"], ["-format=table", "-format=json"])
    func aMigrationWhoseResultWasLostTellsItAgain(_ kind: String, _ format: String) throws {
        for sink in Self.sinks {
            let sandbox = try Sandbox()
            let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
            let destination = sandbox.store(kind, "dst")
            let state = "\(sandbox.path)/state"
            let words = [
                "operator", "migrate", format, "-state-dir", state, "-config",
                try sandbox.configuration(source, destination),
            ]
            let lost = try sandbox.startShell(sink, words).outcome()
            #expect(lost.code == 2, "\(lost.errors)")
            #expect(lost.errors.contains("The destination is proven and complete. Run the same command again"))
            #expect(!exists("\(source.path)/core/_migration"))
            #expect(exists("\(state)/proven"))
            // Whatever number is given, as many threads as do any good.
            let again = try sandbox.sealift(words + ["-max-parallel=10000000"])
            #expect(again.code == 0, "\(again.errors)")
            let isTold = again.output.contains(format == "-format=json" ? "\"continued\":true" : "Continued  ")
            #expect(isTold, "\(again.output)")
            #expect(!exists("\(state)/proven"))
            #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
        }
    }

    /// What is told on the error stream only is not worth a migration.
    @Test(arguments: ["2>/dev/full", "2>&-", "<&- 2>&-"])
    func aLostErrorStreamEndsNothing(_ redirection: String) throws {
        for kind in ["raft", "file", "sqlite"] {
            let sandbox = try Sandbox()
            let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
            let destination = sandbox.store(kind, "dst")
            let words = ["operator", "migrate", "-config", try sandbox.configuration(source, destination)]
            let outcome = try sandbox.startShell("exec \"$0\" \"$@\" \(redirection)", words).outcome()
            #expect(outcome.code == 0 && outcome.output.hasPrefix("Success!"), "\(kind)")
            #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
        }
    }

    /// A store that is opened under the number of a closed stream must not get the stream's text.
    @Test(arguments: ["raft", "file", "sqlite"])
    func closedStreamsAreNotTakenForStores(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let destination = sandbox.store(kind, "dst")
        let words = ["operator", "migrate", "-config", try sandbox.configuration(source, destination)]
        let outcome = try sandbox.startShell("exec \"$0\" \"$@\" -log-level=trace <&- >&- 2>&-", words).outcome()
        #expect(outcome.code == 2)
        #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
        #expect(try sandbox.sealift(words).code == 0)
    }
}
