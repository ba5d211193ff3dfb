import Foundation
import Testing

/// `-start`: a part of a store is never told as the whole.
@Suite struct StartTests {
    @Test(arguments: [[], ["-dry-run"], ["-state-dir", "STATE"], ["-practice", "-format=json"]])
    func aRaftDirectoryTakesNoPart(_ flags: [String]) throws {
        for start in ["-start=sys/b", "-start=a", "-start=zzz"] {
            let sandbox = try Sandbox()
            let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/b")])
            let before = try snapshot(source.path)
            let file = try sandbox.configuration(source, .raft("\(sandbox.path)/dst"))
            let filled = flags.map { $0 == "STATE" ? "\(sandbox.path)/state" : $0 }
            let outcome = try sandbox.migrate(file, filled + [start])
            #expect(outcome.code == 2)
            #expect(outcome.errors.contains("never added to"), "\(outcome.errors)")
            #expect(outcome.errors.contains("Run without -start"), "\(outcome.errors)")
            #expect(!outcome.output.contains("Success!"))
            #expect(try snapshot(source.path) == before)
            let names = try FileManager.default.contentsOfDirectory(atPath: sandbox.path)
            #expect(Set(names) == ["home", "src", "migrate.hcl"])
        }
    }

    @Test(arguments: ["file", "sqlite"])
    func elsewhereTheResultSaysThatItIsAPart(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        let file = try sandbox.configuration(source, sandbox.store(kind, "dst"))
        let state = ["-state-dir", "\(sandbox.path)/state"]
        let dry = try sandbox.migrate(file, state + ["-start=sys/", "-dry-run"])
        #expect(dry.output.hasPrefix("Dry run: nothing was written. The migration of the keys from sys/ on would go"))
        let table = try sandbox.migrate(file, state + ["-start=sys/"])
        #expect(table.code == 0, "\(table.errors)")
        #expect(table.outputLines.first == "Success! All of the keys from sys/ on have been migrated.")
        #expect(table.output.contains("  A part        only keys that sort at or behind sys/"), "\(table.output)")
        let report = try text(of: "\(sandbox.path)/state/report.json")
        #expect(
            report.contains("\"a part migrated and proven\"") && report.contains("\"start\": \"sys/\""), "\(report)")
        let json = try sandbox.migrate(file, state + ["-start=sys/", "-format=json"])
        let result = try #require(try json.events().last)
        #expect(result["partial"] as? Bool == true && result["start"] as? String == "sys/")
        let whole = try #require(
            try sandbox.migrate(file, state + ["-start=", "-format=json", "-dry-run"]).events().last)
        // Without -start there is somebody else's part in the way, or all of it.
        #expect(whole["event"] as? String == "failure" || whole["partial"] as? Bool == false)
    }
}
