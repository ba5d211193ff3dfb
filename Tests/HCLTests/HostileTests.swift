import HCL
import TestSupport
import Testing

@Suite struct HostileTests {
    static let samples = [
        """
        storage_source "file" { # c
          path = "/a${b "c"}\\u00e9", n = -0x1F
          l = ["a", 1.5e3, [true], {k = "v"}]
          x "y" { q = 010 } x "z" {}
        /* c */ h = <<-EOF
            one
            EOF
        }
        storage_destination "raft" { h = <<E\r\nü€😀\r\nE\r\n }
        cluster_addr = "https://x:1"
        """,
        """
        {"storage_source":[{"file":{"path":"/\\u00e9\\n","n":-1.5e3,"z":null,"t":true}}],
         "storage_destination":{"raft":{"r":[{"a":{"b":{}}},{"c":[1,"x"]}]}},"cluster_addr":8201}
        """,
    ].map { Array($0.utf8) }

    /// Short, so that many mutations take little time.
    static let seeds = [
        "storage_source \"f\" {\n n = -0x1F l = [\"a\", {k = 1.5e3}], s = \"${b \"c\"}\\u00e9\" }\r\n",
        "# c\nstorage_source a { x \"y\" { q = 010 } x \"z\" {} /* c */ t = true\n}",
        "storage_destination { h = <<-E\n  é\n  E\n i = <<E\r\n😀\r\nE\n }\ncluster_addr = \"u\"",
        "{\"storage_source\":[{\"f\":{\"p\":\"/\\u00e9\\n\",\"n\":-1.5e3,\"z\":null,\"t\":true}}]}",
        "{\"storage_source\":{\"r\":{\"a\":[{\"b\":{}},{\"c\":[1,\"x\"]}]}},\r\n\"cluster_addr\":82}",
    ].map { Array($0.utf8) }

    /// Everything a caller would do with a file; each failure must name a place inside it and be printable.
    private static func exercise(_ bytes: [UInt8]) {
        let source = SourceText(name: "x", bytes: bytes)
        do throws(Diagnostic) {
            let document = try Document.parse(source)
            _ = try document.stringSetting(named: "cluster_addr")
            for name in ["storage_source", "storage_destination"] {
                _ = try document.storageBlocks(named: name)
            }
        } catch {
            expectPlaceInside(error, source)
            let text = error.rendered(in: source)
            let isSafe = !text.utf8.contains { $0 < 0x20 && $0 != 0x0A }
            if !isSafe { Issue.record("\(text.debugDescription)") }
        }
    }

    @Test(arguments: samples.indices)
    func survivesEveryTruncation(_ index: Int) {
        let sample = Self.samples[index]
        for length in 0...sample.count { Self.exercise(Array(sample.prefix(length))) }
    }

    @Test(arguments: samples.indices)
    func survivesEverySingleByteChange(_ index: Int) {
        let sample = Self.samples[index]
        for offset in sample.indices {
            for byte in Array("\0\n\"\\{}[<=$/-e8\u{1B}".utf8) + [0xC3] {
                var changed = sample
                changed[offset] = byte
                Self.exercise(changed)
            }
        }
    }

    @Test(arguments: 1...(Effort.isThorough ? 4 : 2))
    func survivesMutations(_ seed: Int) {
        var generator = SeededRandom(fuzz: seed)
        let tokens = [
            "{", "}", "[", "]", "\"", "\\", "${", "<<E\n", "<<-E\n", "E\n", "/*", "*/", "#", "0x", "1e", "08", "-", ".",
            "\r\n", "\0", "\u{E123}", "\u{FFFD}", "\\u12", "\\x", "=", ",", ":", "null", "x \"y\" {}\n", "a = 1\n",
        ].map { Array($0.utf8) }
        for _ in 0..<Effort.rounds(6000) {
            var text = Self.seeds[Int.random(in: 0..<Self.seeds.count, using: &generator)]
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let offset = Int.random(in: 0...text.count, using: &generator)
                let end = min(text.count, offset + Int.random(in: 0...12, using: &generator))
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: text.removeSubrange(offset..<end)
                case 1: text.insert(contentsOf: Array(text[offset..<end]), at: offset)
                case 2: text.replaceSubrange(offset..<end, with: [UInt8.random(in: 0...255, using: &generator)])
                default: text.insert(contentsOf: tokens.randomElement(using: &generator) ?? [], at: offset)
                }
            }
            Self.exercise(text)
        }
    }

    static let bombs: [(name: String, text: String)] = [
        ("braces", "a = " + String(repeating: "{", count: 100_000)),
        ("objects", String(repeating: "a {", count: 100_000)),
        ("brackets", "a = " + String(repeating: "[", count: 100_000)),
        ("objects in lists", "a = " + String(repeating: "[{b = ", count: 50_000)),
        ("labels", String(repeating: "a ", count: 100_000)),
        ("JSON braces", String(repeating: "{", count: 100_000)),
        ("JSON objects", String(repeating: "{\"a\":", count: 100_000)),
        ("JSON brackets", "{\"a\":" + String(repeating: "[", count: 100_000)),
        ("JSON keys", "{" + String(repeating: "\"a\"", count: 100_000)),
    ]

    @Test(arguments: bombs.indices)
    func refusesBombs(_ index: Int) throws {
        let bomb = Self.bombs[index]
        let bytes = Array(bomb.text.utf8)
        let error = try #require(throws: Diagnostic.self, "\(bomb.name)") { try document(bytes) }
        #expect(error.summary == "nesting deeper than 64 levels" || ["braces", "JSON braces"].contains(bomb.name))
        expectPlaceInside(error, bytes)
    }

    @Test(arguments: [(63, true), (64, false)])
    func nestsToTheLimit(_ levels: Int, _ isAccepted: Bool) throws {
        let texts = [
            "s \"x\" " + String(repeating: "{ a ", count: levels - 1) + "{" + String(repeating: "}", count: levels),
            "s = " + String(repeating: "[", count: levels + 1) + String(repeating: "]", count: levels + 1),
            String(repeating: "{\"s\":", count: levels) + "1" + String(repeating: "}", count: levels),
        ]
        #expect(((try? document(texts[0]).storageBlock(named: "s")) != nil) == isAccepted)
        #expect(((try? document(texts[1])) != nil) == isAccepted)
        #expect((try? document(texts[2])) != nil)
    }

    /// Texts of a few hundred kilobytes that a careless parser needs minutes for.
    static let slow: [String] = [
        "s x { " + String(repeating: "a = [1] ", count: 20_000) + "}",
        "s x { " + (0..<10_000).map { "a\($0) \"b\" {} " }.joined() + "}",
        "s x { a = " + String(repeating: "9", count: 500_000) + ".5 }",
        "s x { a = \"" + String(repeating: "${", count: 100_000) + String(repeating: "}", count: 100_000) + "\" }",
        "s x { a = <<E\n" + String(repeating: "E \n", count: 100_000) + "E\n }",
        "s x { a = <<-E\n" + String(repeating: "  \n", count: 100_000) + "  E\n }",
        "{\"s\":{\"x\":[" + String(repeating: "{\"a\":1},", count: 20_000) + "]}}",
        String(repeating: "s x {} ", count: 30_000),
    ]

    @Test(arguments: slow.indices)
    func staysLinear(_ index: Int) {
        let start = ContinuousClock.now
        do throws(Diagnostic) {
            _ = try document(Self.slow[index]).storageBlocks(named: "s")
        } catch {
            #expect(error.rendered(in: SourceText(name: "x", bytes: Array(Self.slow[index].utf8))).utf8.count < 2000)
        }
        #expect(ContinuousClock.now - start < .seconds(30))
    }

    @Test(arguments: [0, 1, 2, 3])
    func survivesAMegabyteOfJunk(_ kind: Int) {
        var generator = SeededRandom(fuzz: 7)
        var bytes = (0..<(1 << 20)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        switch kind {
        case 0: break
        case 1: bytes = Array("a = \"".utf8) + bytes.map { $0 == 0x0A ? 0x20 : $0 }
        case 2: bytes = Array("# ".utf8) + bytes.map { $0 == 0x0A || $0 == 0 ? 0x20 : $0 }
        default: bytes = Array("{\"a\":\"".utf8) + bytes.map { $0 == 0x0A || $0 == 0 ? 0x20 : $0 }
        }
        Self.exercise(bytes)
    }
}
