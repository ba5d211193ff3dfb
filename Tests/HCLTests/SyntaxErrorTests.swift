import HCL
import Testing

/// Mistakes and what HCL 1 says about them, recorded from hashicorp/hcl v1.0.1-vault-5.
@Suite struct SyntaxErrorTests {
    static let recorded: [(text: String, message: String)] = [
        ("storage_source \"file\" {\n  path = \"x\n", "At 2:12: literal not terminated"),
        ("a = 1;", "At 1:6: illegal char"),
        ("a = yes", "At 1:5: Unknown token: 1:5 IDENT yes"),
        ("a = null", "At 1:5: Unknown token: 1:5 IDENT null"),
        ("= 1", "At 1:1: no object keys found!"),
        ("a", "At 1:3: key 'a' expected start of object ('{') or assignment ('=')"),
        ("b { a =", "At 1:9: object expected closing RBRACE got: EOF"),
        ("b { c }", "At 1:7: key 'c' expected start of object ('{') or assignment ('=')"),
        ("a b = {}", "At 1:5: nested object expected: LBRACE got: ASSIGN"),
        ("a = \"\\q\"", "At 1:7: illegal char escape"),
        ("a = \"\\x4\"", "At 1:9: illegal char escape"),
        ("x = 0x", "At 1:7: illegal hexadecimal number"),
        ("x = 0189", "At 1:9: illegal octal number"),
        ("/ a", "At 1:1: expected '/' for comment"),
        ("/* a", "At 1:5: comment not terminated"),
        ("a = <EOF", "At 1:6: heredoc expected second '<', didn't see it"),
        ("a = <<", "At 1:7: heredoc not terminated"),
        ("a = <<-\nx\n", "At 1:8: zero-length heredoc anchor"),
        ("a = <<E!\n", "At 1:8: invalid characters in heredoc anchor"),
        ("a = <<EOF\nx\nEO", "At 3:3: heredoc not terminated"),
        ("a = <<-EOF\nx\nEOF\n", "At 4:1: heredoc not terminated"),
        ("a = [1 2]", "At 1:8: error parsing list, expected comma or list end, got: NUMBER"),
        ("a = [", "At 1:6: unexpected token while parsing list: EOF"),
        (
            "a = [[1, }]",
            "At 1:6: error while trying to parse list within list: "
                + "At 1:10: unexpected token while parsing list: RBRACE"
        ),
        (
            "a = [{b}]",
            "At 1:6: error while trying to parse object within list: "
                + "At 1:8: key 'b' expected start of object ('{') or assignment ('=')"
        ),
        ("a = -", "At 1:5: Unknown token: 1:5 SUB -"),
        ("a = +1", "At 1:5: Unknown token: 1:5 ADD +"),
        ("a = .", "At 1:5: Unknown token: 1:5 PERIOD ."),
        ("true = 1", "At 1:1: expected: IDENT | STRING | ASSIGN | LBRACE got: BOOL"),
        ("[1]", "At 1:1: expected: IDENT | STRING | ASSIGN | LBRACE got: LBRACK"),
        ("\u{feff}a = 1", "At 1:1: illegal char"),
        ("a = \"é", "At 1:7: literal not terminated"),
        ("é = \"€\" ä", "At 1:11: key '***' expected start of object ('{') or assignment ('=')"),
        ("a = \"x\u{0}\"", "At 1:9: literal not terminated"),
        ("a = \u{e123}", "At 1:5: illegal char"),
        ("a { b { c = 1 }", "At 1:17: object expected closing RBRACE got: EOF"),
        ("a = \"${\"", "At 1:9: literal not terminated"),
        ("a = 1\n\n b = \"\r\n", "At 3:7: literal not terminated"),
        ("#\n{ }", "At 2:1: expected: IDENT | STRING got: LBRACE"),
        ("a \"b\" 1", "At 1:7: expected: IDENT | STRING | ASSIGN | LBRACE got: NUMBER"),
        ("a = { b = ", "At 1:12: object expected closing RBRACE got: EOF"),
        ("{\"a\":\"x\n\"}", "2:3: literal not terminated"),
        ("{\"a\":01}", "1:7: numbers cannot start with 0"),
        ("{\"a\":yes}", "1:8: illegal char"),
        ("{\"a\":\"\\q\"}", "1:8: illegal char escape"),
        ("{a:1}", "1:2: illegal char"),
        ("{\"a\":@}", "1:6: illegal char: @"),
        ("{\"a\":]}", "Expected object value, got unknown token: 1:6 RBRACK ]"),
        ("{\"a\":[null]}", "unexpected token while parsing list: NULL"),
        ("{:1}", "expected: STRING got: COLON"),
    ]

    @Test(arguments: recorded)
    func reportsWhatHCL1Reports(_ text: String, _ message: String) throws {
        let error = try #require(throws: Diagnostic.self) { try document(text) }
        #expect(error.incumbentText == message)
        #expect(message.hasSuffix(error.summary))
        #expect(error.detail?.isEmpty == false)
        expectPlaceInside(error, Array(text.utf8))
    }

    static let refusedJSON = [
        "{\"a\":1", "{\"a\":1 \"b\":2}", "{\"a\":1}}", "{\"a\":1}{}", "{\"a\"", "{\"a\":", "{\"a\":[1 2]}", "{\"a\":[",
        "{", "{\"a\":1}\u{0}", "\u{a0}{\"a\":1}",
    ]

    /// What HCL 1 misreads without a word: it would drop the rest of the file.
    @Test(arguments: refusedJSON)
    func refusesBrokenJSON(_ text: String) throws {
        let error = try #require(throws: Diagnostic.self) { try document(text) }
        expectPlaceInside(error, Array(text.utf8))
    }

    static let accepted: [(text: String, keys: [String])] = [
        ("", []), (" \n# only a comment", []), ("a =", []), ("{}", []), (" \r\n\t{\"a\":1}", ["a"]),
        ("{\"a\":[,1,],}", ["a"]), ("a = 1 b = 2, c { }\nd \"e\" f {}", ["a", "b", "c", "d e f"]),
        ("a.b-c_1 = 1 \"x y\" = 2 é = 3", ["a.b-c_1", "x y", "é"]), ("a = { b = } } c = 1", ["a", "c"]),
        ("a = 99999999999999999999 b = \"\\400\"", ["a", "b"]), ("{\"a\" \"b\": 1}", ["a b"]),
    ]

    @Test(arguments: accepted)
    func acceptsWhatHCL1Accepts(_ text: String, _ keys: [String]) throws {
        let items = try document(text).root.items
        #expect(items.map { $0.keys.map(\.text).joined(separator: " ") } == keys)
    }
}
