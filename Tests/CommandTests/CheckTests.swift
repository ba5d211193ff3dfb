import Foundation
import Testing

/// `check` and `inspect` on stores that were tampered with.
@Suite struct CheckTests {
    /// What is done to an entry file of the destination, and the sign it gets.
    private static let offences: [(sign: String, key: String, command: String)] = [
        ("*", "sys/b", "printf '{\"Value\":\"AAEE\"}\\n' > DST/sys/_b"), ("-", "sys/b", "rm DST/sys/_b"),
        ("+", "sys/c", "cp DST/sys/_b DST/sys/_c"), ("!", "sys/b", "printf '{\"Value\":\"AA' > DST/sys/_b"),
        ("+", "zz/\\xc3\\xa9", "mkdir DST/zz && cp DST/sys/_b DST/zz/_é"),
    ]

    @Test(arguments: offences)
    func findsWhatWasDone(_ sign: String, _ key: String, _ command: String) throws {
        let sandbox = try Sandbox()
        let file = try migrated(sandbox)
        let clean = try sandbox.sealift(["check", "-config", file])
        #expect(clean.code == 0, "\(clean.errors)")
        #expect(clean.output.hasPrefix("Source and destination hold the same 4 entries.\n"))
        try sandbox.shell(command.replacing("DST", with: "\(sandbox.path)/dst"))
        let before = try snapshot("\(sandbox.path)/dst")

        let outcome = try sandbox.sealift(["check", "-config", file])
        #expect(outcome.code == 3)
        #expect(outcome.outputLines.first == "\(sign) \(key)")
        #expect(outcome.outputLines.filter { $0.hasPrefix("\(sign) ") }.count == 1)
        #expect(outcome.errors.contains("unexpected EOF") == (sign == "!"), "\(outcome.errors)")

        let combined = "\(sandbox.path)/combined.txt"
        #expect(try sandbox.sealift(["check", "-config", file, "-combined", combined]).code == 3)
        let entries = ["core/keyring", "core/seal-config", "sys/a", "sys/b"].filter { $0 != key }.map { "= \($0)" }
        let expected = (entries + ["\(sign) \(key)"]).sorted { $0.dropFirst(2) < $1.dropFirst(2) }
        #expect(lines(of: try text(of: combined)) == expected)

        let json = try sandbox.sealift(["check", "-config", file, "-format=json"])
        let events = try json.events()
        #expect(json.code == 3)
        let difference = try #require(events.first { $0["event"] as? String == "difference" })
        #expect(difference["verdict"] as? String == sign)
        #expect(difference["key"] as? String == key)
        #expect(events.last?["event"] as? String == "result")
        #expect(try snapshot("\(sandbox.path)/dst") == before)

        let lists = ["missing", "extra", "differ"]
        let flags = lists.flatMap { ["-\($0)", "\(sandbox.path)/\($0)"] }
        #expect(try sandbox.sealift(["check", "-config", file] + flags).code == 3)
        let listed = try lists.map { try lines(of: text(of: "\(sandbox.path)/\($0)")) }
        #expect(listed == ["-", "+", "*"].map { $0 == sign ? [key] : [] })

        // Without the source, by what the migration has left.
        let kept = "\(sandbox.path)/kept.txt"
        try sandbox.shell(
            "\"$0\" checksum -config '\(file)' -side=source > '\(kept)' && mv '\(sandbox.path)/src' '\(sandbox.path)/gone'"
        )
        let proven = try sandbox.sealift(["check", "-config", file, "-manifest", kept, "-format=json"])
        #expect(proven.code == 3)
        let found = try proven.events().filter { $0["event"] as? String == "difference" }
        #expect(found.count == 1 && found[0]["verdict"] as? String == sign && found[0]["key"] as? String == key)
        try sandbox.shell("mv '\(sandbox.path)/gone' '\(sandbox.path)/src'")
        let source = try sandbox.sealift(["check", "-config", file, "-manifest", kept, "-side=source"])
        #expect(source.code == 0 && source.output.hasPrefix("Manifest and store hold the same 4 entries.\n"))

        let all = try sandbox.sealift(["check", "-config", file, "-format=json", "-combined=-"]).events()
        let named = all.filter { $0["key"] != nil }
        #expect(named.map { "\($0["verdict"] ?? "") \($0["key"] ?? "")" } == expected)
    }

    /// A file of a store, a link to one and the configuration would be emptied before the comparison.
    @Test(arguments: ["dst/sys/_b", "src/core/_keyring", "dst/new", "link", "migrate.hcl"])
    func overwritesNothingThatItReads(_ name: String) throws {
        let sandbox = try Sandbox()
        let file = try migrated(sandbox)
        try sandbox.shell("ln -s '\(sandbox.path)/dst/sys/_a' '\(sandbox.path)/link'")
        func stores() throws -> [[String: String]] {
            try ["src", "dst"].map { try snapshot("\(sandbox.path)/\($0)") }
        }
        let before = (try stores(), try text(of: file))
        for flag in ["-combined", "-missing", "-extra", "-differ"] {
            let outcome = try sandbox.sealift(["check", "-config", file, flag, "\(sandbox.path)/\(name)"])
            #expect(outcome.code == 1)
            #expect(outcome.errors.contains("would overwrite"), "\(outcome.errors)")
        }
        #expect(try stores() == before.0 && text(of: file) == before.1)
    }

    @Test func neitherTheManifestNorAnotherListIsOverwritten() throws {
        let sandbox = try Sandbox()
        let file = try migrated(sandbox)
        let kept = try sandbox.write("kept.txt", "#\n")
        for words in [
            ["-manifest", kept, "-extra", kept], ["-missing", "\(sandbox.path)/x", "-differ", "\(sandbox.path)/x"],
        ] {
            let outcome = try sandbox.sealift(["check", "-config", file] + words)
            #expect(outcome.code == 1 && outcome.errors.contains("would overwrite"), "\(outcome.errors)")
        }
        #expect(try text(of: kept) == "#\n" && !exists("\(sandbox.path)/x"))
        let none = try sandbox.sealift(["check", "-config", file, "-manifest="])
        #expect(none.code == 1 && none.errors.contains("-manifest names no file"), "\(none.output)")
        let side = try sandbox.sealift(["check", "-config", file, "-side=source"])
        #expect(side.code == 1 && side.errors.contains("-side goes with -manifest"))
    }

    @Test func aPartSaysThatItIsOne() throws {
        let sandbox = try Sandbox()
        let file = try migrated(sandbox)
        try sandbox.shell("rm '\(sandbox.path)/dst/core/_keyring'")
        let part = try sandbox.sealift(["check", "-config", file, "-prefix", "sys/"])
        #expect(part.code == 0 && part.outputLines.first == "Source and destination hold the same 2 entries.")
        #expect(part.outputLines.dropFirst().first == "This is a part: only keys that begin with sys/ were compared.")
        let json = try #require(
            try sandbox.sealift(["check", "-config", file, "-prefix", "sys/", "-format=json"]).events().last)
        #expect(json["is_partial"] as? Bool == true && json["prefix"] as? String == "sys/")
        #expect(try sandbox.sealift(["check", "-config", file, "-prefix", "core/"]).code == 3)
        let none = try sandbox.sealift(["check", "-config", file, "-prefix", "nothing/"])
        #expect(none.code == 2 && none.errors.contains("no entry begins with nothing/"), "\(none.errors)")
    }

    @Test func twoEmptyStoresProveNothing() throws {
        let sandbox = try Sandbox()
        for name in ["src", "dst"] { try makeFolder("\(sandbox.path)/\(name)") }
        let file = try sandbox.configuration(.file("\(sandbox.path)/src"), .file("\(sandbox.path)/dst"))
        let outcome = try sandbox.sealift(["check", "-config", file])
        #expect(outcome.code == 2 && outcome.output.isEmpty, "\(outcome.output)")
        #expect(outcome.errors.contains("neither store holds an entry"), "\(outcome.errors)")
    }

    @Test func comparesFromAStartOn() throws {
        let sandbox = try Sandbox()
        let file = try migrated(sandbox)
        try sandbox.shell("rm '\(sandbox.path)/dst/core/_keyring'")
        #expect(try sandbox.sealift(["check", "-config", file]).code == 3)
        #expect(try sandbox.sealift(["check", "-config", file, "-start=sys/"]).code == 0)
    }

    @Test func aStoreThatIsNotThereIsNoDifference() throws {
        let sandbox = try Sandbox()
        let file = try migrated(sandbox)
        try sandbox.shell("rm -r '\(sandbox.path)/dst'")
        let outcome = try sandbox.sealift(["check", "-config", file])
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("dst: no such file or directory"), "\(outcome.errors)")
    }

    private static let status = [
        "key     sys/a", "bytes   3", "sha256  ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc",
    ]
    private static let looks: [(words: [String], output: [String])] = [
        (["ls"], ["core/", "sys/"]), (["ls", "core"], ["keyring", "seal-config"]), (["ls", "sys/"], ["a", "b"]),
        (["ls", "none"], []), (["du"], usage([(2, 34, "core/"), (2, 16, "sys/"), (4, 50, "total")])),
        (["du", "sys"], usage([(1, 8, "a"), (1, 8, "b"), (2, 16, "total")])), (["stat", "sys/a"], status),
        (["stat", "sys/\\x61"], status),
    ]

    private static func usage(_ rows: [(Int, Int, String)]) -> [String] {
        rows.map { String(format: "%14d%12d B  ", $0.0, $0.1) + $0.2 }
    }

    @Test(arguments: looks, ["file", "raft", "sqlite"])
    func inspects(_ look: (words: [String], output: [String]), _ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", Self.entries)
        let store: Store =
            switch kind {
            case "raft": .raft("\(sandbox.path)/raft")
            case "sqlite": .sqlite("\(sandbox.path)/store.db")
            default: .file("\(sandbox.path)/copy")
            }
        let migration = try sandbox.migrate(try sandbox.configuration(source, store))
        #expect(migration.code == 0, "\(migration.errors)")
        let server = try sandbox.configuration(of: store)
        let words = ["inspect", look.words[0], "-config", server] + look.words.dropFirst()
        let outcome = try sandbox.sealift(words)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.outputLines == look.output)
        let json = ["inspect", look.words[0], "-config", server, "-format=json"] + look.words.dropFirst()
        let objects = try sandbox.sealift(json).events()
        #expect(objects.count == (look.words[0] == "stat" ? 1 : look.output.count))
    }

    private static let entries = SampleEntry.initialised + [SampleEntry("sys/a"), SampleEntry("sys/b")]

    private func migrated(_ sandbox: Sandbox) throws -> String {
        let source = try sandbox.makeFileStore("src", Self.entries)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        #expect(try sandbox.migrate(file).code == 0)
        return file
    }
}

extension Outcome {
    /// Standard output as one JSON object a line.
    func events() throws -> [[String: Any]] {
        try outputLines.map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }
}
