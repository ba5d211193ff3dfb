import Foundation
import Testing

/// `check -sample`.
@Suite struct SampleCheckTests {
    private static let entries = SampleEntry.initialised + (0..<200).map { SampleEntry("sys/\($0)") }

    @Test(arguments: ["file", "raft", "sqlite"])
    func aSampleSaysThatItIsOne(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", Self.entries)
        let store: Store =
            switch kind {
            case "raft": .raft("\(sandbox.path)/raft")
            case "sqlite": .sqlite("\(sandbox.path)/store.db")
            default: .file("\(sandbox.path)/dst")
            }
        let file = try sandbox.configuration(source, store)
        #expect(try sandbox.migrate(file).code == 0)
        let words = ["check", "-config", file, "-sample", "25.5%", "-sample-seed", "a"]
        let part = try sandbox.sealift(words)
        #expect(part.code == 0, "\(part.errors)")
        let json = try #require(try sandbox.sealift(words + ["-format=json"]).events().last)
        let sample = try #require(json["sample"] as? [String: Any])
        let compared = try #require(sample["compared"] as? Int)
        #expect(json["is_partial"] as? Bool == true && json["same"] as? Int == compared)
        #expect(sample["share"] as? String == "25.5%" && sample["seed"] as? String == "a")
        #expect(compared > 20 && compared < 90)
        #expect(
            part.outputLines.dropFirst().first
                == "This is a sample: 25.5% of the keys, chosen by their hashes; \(compared) entries were compared, and the "
                + "others were not. -sample-seed a takes the same keys again.")

        let kept = "\(sandbox.path)/kept.txt"
        try sandbox.shell("\"$0\" checksum -config '\(file)' -side=source > '\(kept)'")
        let proven = try sandbox.sealift(words + ["-manifest", kept, "-format=json"])
        #expect(proven.code == 0, "\(proven.errors)")
        #expect(try proven.events().last?["same"] as? Int == compared)
        // The manifest is verified whole, although only a part of it is looked up.
        try sandbox.shell("sed -i 's/^# entries: .*/# entries: 1/' '\(kept)'")
        let changed = try sandbox.sealift(words + ["-manifest", kept])
        #expect(changed.code == 2 && changed.errors.contains("was changed"), "\(changed.errors)")
    }

    /// Found if and only if it is in the sample, and a sample without a seed names its own.
    @Test func seesWhatIsInTheSample() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", Self.entries)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        #expect(try sandbox.migrate(file).code == 0)
        let combined = "\(sandbox.path)/combined.txt"
        let words = ["check", "-config", file, "-sample=30%", "-format=json", "-combined", combined]
        let first = try #require(try sandbox.sealift(words).events().last?["sample"] as? [String: Any])
        let seed = try #require(first["seed"] as? String)
        let keys = Set(lines(of: try text(of: combined)).map { $0.dropFirst(2) }.filter { $0.hasPrefix("sys/") })
        let inside = try #require(keys.min()).dropFirst(4)
        let outside = try #require((0..<200).first { !keys.contains("sys/\($0)") })
        let again = words + ["-sample-seed", seed]
        try sandbox.shell("rm '\(sandbox.path)/dst/sys/_\(outside)'; printf x > '\(sandbox.path)/dst/sys/_\(outside)x'")
        #expect(try sandbox.sealift(again + ["-exclude=sys/\(outside)x"]).code == 0)
        try sandbox.shell("rm '\(sandbox.path)/dst/sys/_\(inside)'")
        let found = try sandbox.sealift(again + ["-exclude=sys/\(outside)x"])
        let difference = try found.events().first { $0["event"] as? String == "difference" }
        #expect(found.code == 3 && difference?["key"] as? String == "sys/\(inside)")
        #expect(difference?["verdict"] as? String == "-")
    }

    @Test(arguments: [
        (["-sample=0%"], "-sample is a share"), (["-sample=100%"], "-sample is a share"),
        (["-sample=5"], "-sample is a share"),
        (["-sample="], "-sample is a share"), (["-sample=x%"], "-sample is a share"),
        (["-sample-seed=a"], "goes with -sample"),
        (["-sample=5%", "-sample-seed="], "-sample-seed is empty"),
    ])
    func wrongOnesAreRefused(_ words: [String], _ message: String) throws {
        let sandbox = try Sandbox()
        let file = try sandbox.configuration(
            try sandbox.makeFileStore("src", SampleEntry.initialised), .file("\(sandbox.path)/src"))
        let outcome = try sandbox.sealift(["check", "-config", file] + words)
        #expect(outcome.code == 1 && outcome.errors.contains(message), "\(outcome.errors)")
    }

    @Test func anEmptySampleProvesNothing() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        #expect(try sandbox.migrate(file).code == 0)
        let outcome = try sandbox.sealift(["check", "-config", file, "-sample=0.000001%"])
        #expect(outcome.code == 2 && outcome.errors.contains("no entry is in the sample of 0.000001%"))
    }
}
