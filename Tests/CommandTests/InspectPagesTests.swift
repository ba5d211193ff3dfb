import Foundation
import TestSupport
import Testing

/// How files use their pages is shown, by `inspect pages` and by `check`.
@Suite struct InspectPagesTests {
    @Test func aNodesFilesAndOneFileAreShown() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftVault)
        let before = try footprint(store.path)
        let shown = try sandbox.sealift(["inspect", "pages", store.path])
        #expect(shown.code == 0 && shown.errors == "")
        for line in [
            "vault.db", "raft/raft.db", "  file        16.0 MiB, 467 pages of 4.0 KiB",
            "  in use      150 leaf pages, 8 branch pages, 155 overflow pages; 3 levels",
            "  free        152 pages, 608.0 KiB; 14.2 MiB behind the last page",
            "  compaction  1.1 MiB, gives 14.9 MiB back",
        ] { #expect(shown.outputLines.contains(line), "\(line) is not in \(shown.output)") }
        let file = try sandbox.sealift(["inspect", "pages", "-format=json", "\(store.path)/vault.db"])
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(file.output.utf8)) as? [String: Any], "\(file.errors)")
        let numbers = ["file_bytes": 16_801_792, "free_pages": 152, "overflow_pages": 155, "depth": 3, "entries": 839]
        for (name, number) in numbers { #expect(object[name] as? Int == number, "\(name)") }
        #expect(object["given_back_bytes"] as? Int == 16_801_792 - (object["compact_bytes"] as? Int ?? 0))
        let configured = try sandbox.sealift(
            ["inspect", "pages", "-config", try sandbox.configuration(of: store)])
        #expect(configured.output == shown.output)
        #expect(try footprint(store.path) == before)
    }

    @Test func checkShowsThePagesOfItsSides() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftMigrated)
        let file = try sandbox.configuration(store, .raft("\(sandbox.path)/dst"))
        #expect(try sandbox.migrate(file).code == 0)
        let shown = try sandbox.sealift(["check", "-config", file])
        #expect(shown.code == 0, "\(shown.errors)")
        #expect(shown.output.contains("\n  source vault.db: 16.0 MiB, "))
        #expect(shown.output.contains("a compaction gives 14.9 MiB back\n"))
        #expect(
            shown.output.contains("\n  source raft/raft.db: ") && shown.output.contains("\n  destination vault.db: "))
        let events = try sandbox.sealift(["check", "-format=json", "-config", file])
        let last = try #require(events.outputLines.last)
        let object = try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any]
        let files = try #require(object?["files"] as? [[String: Any]])
        #expect(files.compactMap { $0["side"] as? String } == ["source", "source", "destination", "destination"])
        #expect(files.allSatisfy { ($0["given_back_bytes"] as? Int ?? -1) >= 0 })
    }

    @Test func whatHasNoPagesIsRefused() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(of: store)
        let mistakes: [([String], Int32, String)] = [
            (["-config", file], 1, "is not integrated storage"), (["a", "b"], 1, "Name one directory or file"),
            (["-config", file, "a"], 1, "Name one directory or file"), ([file], 2, "too few for the two meta pages"),
            (["\(sandbox.path)/nothing"], 2, "there is no such file"), ([store.path], 2, "no such file or directory"),
        ]
        for (words, code, says) in mistakes {
            let outcome = try sandbox.sealift(["inspect", "pages"] + words)
            #expect(outcome.code == code && outcome.errors.contains(says), "\(words): \(outcome.errors)")
        }
    }
}
