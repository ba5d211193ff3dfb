import Foundation
import Testing

/// `check -resume`.
@Suite struct ResumeCheckTests {
    private static let count = 9_000

    /// A source of many entries and a destination that lacks most of them.
    private func stores(_ sandbox: Sandbox, _ kind: String) throws -> String {
        let entries = SampleEntry.initialised + (0..<Self.count).map { SampleEntry("sys/\($0)") }
        let source = try sandbox.makeFileStore("src", entries)
        func store(_ name: String) -> Store {
            kind == "raft" ? .raft("\(sandbox.path)/\(name)") : .sqlite("\(sandbox.path)/\(name)")
        }
        let first = try sandbox.configuration(source, store("one"))
        #expect(try sandbox.migrate(first, ["-state-dir", "\(sandbox.path)/state1"]).code == 0)
        let second = try sandbox.configuration(source, store("two"))
        let part = try sandbox.migrate(
            second, ["-state-dir", "\(sandbox.path)/state2", "-exclude=sys/1", "-exclude=sys/2"])
        #expect(part.code == 0, "\(part.errors)")
        return try sandbox.configuration(store("one"), store("two"))
    }

    /// Killed while nobody takes what it prints, at different places: the next run tells what one run tells.
    @Test(arguments: ["raft", "sqlite"])
    func goesOnAfterAKill(_ kind: String) throws {
        let sandbox = try Sandbox()
        let file = try stores(sandbox, kind)
        let progress = "\(sandbox.path)/check.progress"
        let words = ["check", "-config", file, "-format=json"]
        let whole = try sandbox.sealift(words)
        #expect(whole.code == 3 && !exists(progress))
        // A pipe that is full holds the comparison until its next save is due; then it is let on, and killed behind it.
        try sandbox.shell(
            """
            mkfifo '\(sandbox.path)/pipe'
            "$0" check -config '\(file)' -format=json -resume '\(progress)' > '\(sandbox.path)/pipe' 2> /dev/null & process=$!
            exec 3< '\(sandbox.path)/pipe'
            read -r line <&3
            sleep 2.5
            while ! [ -e '\(progress)' ] && read -r line <&3; do :; done
            kill -9 $process; wait $process || true
            """)
        #expect(exists(progress))
        let kept = try text(of: progress)

        let other = try sandbox.sealift(words + ["-resume", progress, "-prefix=sys/"])
        #expect(other.code == 1 && other.errors.contains("is of another comparison"), "\(other.errors)")
        #expect(try text(of: progress) == kept)

        let rest = try sandbox.sealift(words + ["-resume", progress])
        #expect(rest.code == 3 && rest.errors.contains("Going on behind"), "\(rest.errors)")
        #expect(rest.outputLines.dropLast() == whole.outputLines.dropLast())
        let (one, two) = (try #require(whole.events().last), try #require(try rest.events().last))
        for name in ["same", "missing", "extra", "different", "unreadable"] {
            #expect(one[name] as? Int == two[name] as? Int, "\(name)")
        }
        let continued = try #require(two["continued"] as? [String: Any])
        #expect((continued["compared_before"] as? Int).map { $0 > 0 } == true)
        #expect(!exists(progress))

        // A store that was written to since is compared anew.
        try kept.write(toFile: progress, atomically: false, encoding: .utf8)
        try sandbox.shell(
            "chmod 600 '\(progress)'; touch '\(sandbox.path)/two\(kind == "raft" ? "/vault.db" : "")'")
        let anew = try sandbox.sealift(words + ["-resume", progress])
        #expect(anew.code == 3 && anew.errors.contains("was written to since"), "\(anew.errors)")
        #expect(anew.outputLines.dropLast() == whole.outputLines.dropLast() && !exists(progress))
    }

    @Test(arguments: [
        (["-combined=x"], "does not go with -combined"), (["-missing=x"], "does not go with -missing"),
        (["-manifest=x"], "does not go with -manifest"), (["-sample=50%"], "needs -sample-seed"),
    ])
    func whatWouldHaveAPartIsRefused(_ words: [String], _ message: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        #expect(try sandbox.migrate(file).code == 0)
        let progress = "\(sandbox.path)/progress"
        let outcome = try sandbox.sealift(["check", "-config", file, "-resume", progress] + words)
        #expect(outcome.code == 1 && outcome.errors.contains(message), "\(outcome.errors)")
        let alone = try sandbox.sealift(["check", "-config", file, "-stores-unchanged"])
        #expect(alone.code == 1 && alone.errors.contains("goes with -resume"))
        let whole = try sandbox.sealift(["check", "-config", file, "-resume", progress])
        #expect(whole.code == 0 && !exists(progress), "\(whole.errors)")
        let mine = try sandbox.write("mine", "something\n")
        try sandbox.shell("chmod 600 '\(mine)'")
        let foreign = try sandbox.sealift(["check", "-config", file, "-resume", mine])
        #expect(foreign.code == 1 && foreign.errors.contains("nothing that -resume has written"), "\(foreign.errors)")
        #expect(try text(of: mine) == "something\n")
        let inside = try sandbox.sealift(["check", "-config", file, "-resume", "\(sandbox.path)/dst/progress"])
        #expect(inside.code == 1 && inside.errors.contains("would overwrite"), "\(inside.errors)")
    }
}
