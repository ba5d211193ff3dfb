import HCL
import Testing

@Suite struct DiagnosticTests {
    static let rendered: [(bytes: [UInt8], text: String)] = [
        (
            Array("storage_source \"file\" {\n  path = \"x\n".utf8),
            """
            migrate.hcl:2:12: literal not terminated
             2 |   path = "*
               |            ^
            Close the string with a double quote on the same line; a line feed inside it is written \\n.
            """
        ),
        (
            Array("\ta = yes\r\n".utf8),
            """
            migrate.hcl:1:6: Unknown token: 1:6 IDENT yes
             1 |     a = ***
               |         ^^^
            Put text into double quotes; bare words other than true and false are not values.
            """
        ),
        (
            Array("a = \"漢字e\u{301}\u{1B}[31m\u{202E}\" b = [1 22]".utf8),
            """
            migrate.hcl:1:25: error parsing list, expected comma or list end, got: NUMBER
             1 | a = "**********" * = [* **]
               |                         ^^
            Separate the elements with commas and close the list with ].
            """
        ),
        (
            Array("a = \"".utf8) + [0xFF, 0xC3] + Array("\" ;".utf8),
            """
            migrate.hcl:1:10: illegal char
             1 | a = "**" ;
               |          ^
            Remove the character, or put it inside double quotes if it belongs to a value.
            """
        ),
        (
            Array("\(String(repeating: "x", count: 300)) = ; \(String(repeating: "y", count: 300))".utf8),
            """
            migrate.hcl:1:304: illegal char
             1 | …\(String(repeating: "*", count: 37)) = *\(String(repeating: "*", count: 59))…
               |  \(String(repeating: " ", count: 40))^
            Remove the character, or put it inside double quotes if it belongs to a value.
            """
        ),
    ]

    @Test(arguments: rendered.indices)
    func showsThePlace(_ index: Int) throws {
        let (bytes, text) = Self.rendered[index]
        let source = SourceText(name: "migrate.hcl", bytes: bytes)
        let error = try #require(throws: Diagnostic.self) { try Document.parse(source) }
        #expect(error.rendered(in: source) == text)
    }

    @Test func rendersWithoutPlaceAndWithOddOnes() throws {
        let source = SourceText(name: "a\u{1B}b", bytes: Array("x = 1\ny".utf8))
        let plain = Diagnostic(severity: .warning, summary: "s\u{7}", detail: nil)
        #expect(plain.rendered(in: source) == "a\\u{1b}b: warning: s\\u{7}")
        #expect(plain.incumbentText == "s\u{7}")
        let far = SourcePosition(line: 9, column: 9, offset: 900)
        let outside = Diagnostic(summary: "s", range: SourceRange(start: far, end: far))
        #expect(outside.rendered(in: source) == "a\\u{1b}b:9:9: s")
        let start = SourcePosition(line: 1, column: 5, offset: 4)
        let across = Diagnostic(summary: "s", range: SourceRange(start: start, end: far))
        #expect(across.rendered(in: source) == "a\\u{1b}b:1:5: s\n 1 | x = *\n   |     ^")
        #expect(across.incumbentText == "At 1:5: s")
    }

    static let names: [(String, String?)] = [
        ("note_id", "node_id"), ("paht", "path"), ("PATH", nil), ("node_di", "node_id"), ("x", nil), ("", nil),
        ("max_parallell", "max_parallel"), ("zzzzzz", nil), ("pat", "path"), (String(repeating: "a", count: 99), nil),
    ]

    @Test(arguments: names)
    func suggestsTheNearestName(_ name: String, _ nearest: String?) {
        let candidates = ["path", "node_id", "max_parallel", "retry_join"]
        #expect(nearestName(to: name, among: candidates) == (name == "PATH" ? "path" : nearest))
    }
}
