import TestSupport
import Testing

/// A store of one entry, and of one of everything else, is told of in the singular, by every command and in both forms.
@Suite struct SingularTests {
    @Test func oneIsNotToldInThePlural() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", [SampleEntry.initialised[0]])
        let server = try sandbox.configuration(of: source)
        let flags = ["-allow-any-data"]
        var texts: [String] = []
        func run(_ words: [String], expecting code: Int32 = 0) throws {
            let outcome = try sandbox.sealift(words)
            #expect(outcome.code == code, "\(words): \(outcome.errors)")
            texts.append(outcome.output + outcome.errors)
        }
        for kind in [Store.raft("\(sandbox.path)/r"), .sqlite("\(sandbox.path)/s"), .file("\(sandbox.path)/f")] {
            let file = try sandbox.configuration(source, kind)
            try run(["operator", "migrate", "-config", file, "-dry-run"] + flags)
            try run(["plan", "-config", file])
            try run(["operator", "migrate", "-config", file] + flags)
            try run(["check", "-config", file])
            try run(["checksum", "-config", file, "-side=destination"])
            try run(
                ["operator", "migrate", "-config", file, "-state-dir", "\(sandbox.path)/other-\(texts.count)"] + flags,
                expecting: 2)
            try run(["operator", "migrate", "-config", file] + flags)
        }
        for words in [["inspect", "du"], ["inspect", "ls"], ["checksum"], ["checksum", "-format=json"]] {
            try run(Array(words.prefix(2)) + ["-config", server])
        }
        for text in texts { #expect(countsOfOneInThePlural(in: text).isEmpty, "\(text)") }
        // The check can fail.
        #expect(countsOfOneInThePlural(in: "Proven 1 of 1 entries, 21 entries, 1 read units; 1.1 entries").count == 2)
    }
}
