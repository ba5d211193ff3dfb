import HCL
import Testing

/// How values become strings, recorded from hashicorp/hcl v1.0.1-vault-5 and Go's `encoding/json`.
@Suite struct ValueTests {
    static let recorded: [(written: String, value: String)] = [
        ("v = 10", "10"),
        ("v = -3", "-3"),
        ("v = 0x1F", "31"),
        ("v = -0x1f", "-31"),
        ("v = 010", "8"),
        ("v = 12345678901", "12345678901"),
        ("v = 9223372036854775807", "9223372036854775807"),
        ("v = -9223372036854775808", "-9223372036854775808"),
        ("v = 1.50", "1.5"),
        ("v = 1e3", "1000"),
        ("v = 1E+3", "1000"),
        ("v = 1e21", "1e+21"),
        ("v = 1e20", "100000000000000000000"),
        ("v = 123456789.125", "123456789.125"),
        ("v = 0.000001", "0.000001"),
        ("v = 0.0000001", "1e-7"),
        ("v = -0.0", "-0"),
        ("v = 1e-999", "0"),
        ("v = .5", "0.5"),
        ("v = 1.", "1"),
        ("v = 1.5e3", "1500"),
        ("v = true", "true"),
        ("v = \"true\"", "true"),
        ("v = false", "false"),
        ("v = [\"a\",\"b\",3]", "[\"a\",\"b\",3]"),
        ("v = []", "[]"),
        ("v = [1,,2,]", "[1,2]"),
        ("v = [[1] [2.5, true]]", "[[1],[2.5,true]]"),
        ("v = { k = \"v\" }", "[{\"k\":\"v\"}]"),
        ("v { k = \"v\" }", "[{\"k\":\"v\"}]"),
        ("v {}", "[{}]"),
        ("v \"foo\" { q = 1 }", "[{\"foo\":[{\"q\":1}]}]"),
        ("v \"foo\" \"bar\" { q = 1 }", "[{\"foo\":[{\"bar\":[{\"q\":1}]}]}]"),
        ("v { a = 1 } v { b = 2 }", "[{\"a\":1},{\"b\":2}]"),
        ("v \"a\" { q = 1 } v \"b\" { q = 2 }", "[{\"a\":[{\"q\":1}]},{\"b\":[{\"q\":2}]}]"),
        ("v = \"<&>\\u2028\"", "<&>\u{2028}"),
        ("v = [\"<&>\\u2028\\\"\\\\\\n\\t\\u0001é😀\"]", "[\"\\u003c\\u0026\\u003e\\u2028\\\"\\\\\\n\\t\\u0001é😀\"]"),
        ("v = \"a${b \"c\" \\n}d\"", "a${b \"c\" \\n}d"),
        ("v = \"${a{}}\"", "${a{}}"),
        ("v = \"$a {b}\"", "$a {b}"),
        (
            "v = \"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\101\\x41\\u00e9\\U0001F600\\xc3\\xa9\"",
            "\u{7}\u{8}\u{c}\n\r\t\u{b}\\\"AAé😀é"
        ),
        ("v = <<EOF\none\n two\nEOF", "one\n two\n"),
        ("v = <<EOF\nEOF", ""),
        ("v = <<EOF\none\n  EOF", "one\n  "),
        ("v = <<-EOF\n    one\n      two\n    EOF", "one\n  two\n"),
        ("v = <<-EOF\n    one\n two\n    EOF", "    one\n two\n"),
        ("v = <<-EOF\n  a\n\n  b\n  EOF", "  a\n\n  b\n"),
        ("v = <<A\r\nx\r\nA\r", "x\n"),
        ("v = 1 # a\n", "1"),
        ("v = 1 // a\n", "1"),
        ("v = /* a\n */ 1", "1"),
        ("\"v\" = 1", "1"),
        ("v = 1, w = 2", "1"),
        ("v = 1 v = 2", "2"),
        ("v = \"a\" v = 3", "3"),
        ("v = 3 v = \"0x10\"", "16"),
        ("v = [1] v = [2]", "[1,2]"),
        ("v = {z = 1, a = 2, é = [{b = {}}]}", "[{\"a\":2,\"z\":1,\"é\":[{\"b\":[{}]}]}]"),
        ("v { a = 1.0, a = 2 }", "[{\"a\":2}]"),
        ("v = \"a\\n\"", "a\n"),
        ("v = <<é\nx\né\n", "x\n"),
    ]

    @Test(arguments: recorded)
    func becomesTheStringABackendReceives(_ written: String, _ value: String) throws {
        let text = "storage_source \"file\" {\n\(written)\n}\nlast = 1"
        let block = try document(text).storageBlock(named: "storage_source")
        #expect(block.settings.first?.name == "v")
        #expect(block.settings.first?.value == value)
    }

    static let unusable: [(written: String, message: String)] = [
        ("v = 9223372036854775808", "strconv.ParseInt: parsing \"***\": value out of range"),
        ("v = 08", "strconv.ParseInt: parsing \"***\": invalid syntax"),
        ("v = 1e", "strconv.ParseFloat: parsing \"***\": invalid syntax"),
        ("v = 1e999", "strconv.ParseFloat: parsing \"***\": value out of range"),
        ("v = \"a\" v = true", "At 2:13: root.v: unknown type for string *ast.LiteralType"),
        ("v = true v = 1", "At 2:14: root.v: unknown type *ast.LiteralType"),
        ("v = [1] v = 2", "At 2:13: unknown slice type: *ast.LiteralType"),
        ("v { } v = 1", "At 2:11: unknown slice type: *ast.LiteralType"),
        ("v \"a\" { } v { }", "At -: root.v[1]: map must have string keys"),
        ("v = [1] v \"a\" {}", "root.v[0]: cannot decode into interface: *ast.ObjectItem"),
        ("v = 3 v = \"x\"", "strconv.ParseInt: parsing \"***\": invalid syntax"),
        ("disable_clustering = \"maybe\"", "strconv.ParseBool: parsing \"***\": invalid syntax"),
        ("disable_clustering = 2", "strconv.ParseBool: parsing \"***\": invalid syntax"),
        ("disable_clustering = []", "strconv.ParseBool: parsing \"***\": invalid syntax"),
    ]

    @Test(arguments: unusable)
    func refusesWhatHasNoValue(_ written: String, _ message: String) throws {
        let text = "storage_source \"File\" {\n\(written)\n}\n"
        let document = try document(text)
        let error = try #require(throws: Diagnostic.self) { try document.storageBlock(named: "storage_source") }
        #expect(error.incumbentText == "error parsing \"storage_source\": storage_source.File: \(message)")
        expectPlaceInside(error, Array(text.utf8))
        #expect(throws: Diagnostic.self) { try document.storageBlocks(named: "storage_source") }
    }

    struct StringCase: Sendable {
        let text: String
        let value: String?
        let message: String?

        init(_ text: String, _ value: String?, _ message: String?) {
            (self.text, self.value, self.message) = (text, value, message)
        }
    }

    static let strings: [StringCase] = [
        StringCase("cluster_addr = \"https://a:1\"", "https://a:1", nil),
        StringCase("cluster_addr = 8201", "8201", nil),
        StringCase("cluster_addr = 0x1F", "0x1F", nil),
        StringCase("CLUSTER_ADDR = \"a\"", "a", nil),
        StringCase("cluster_addr = \"a\"\ncluster_addr = \"b\"", nil, "At 2:1: cluster_addr is set twice."),
        StringCase("{\"cluster_addr\":\"a\", \"Cluster_Addr\":\"a\"}", nil, "At 1:22: cluster_addr is set twice."),
        StringCase("cluster_addr = <<E\nx\nE\n", "x\n", nil),
        StringCase(
            "\n\n  cluster_addr = true", nil,
            "At 3:18: root.cluster_addr: unknown type for string *ast.LiteralType"
        ),
        StringCase("cluster_addr = 1.5", nil, "At 1:16: root.cluster_addr: unknown type for string *ast.LiteralType"),
        StringCase("cluster_addr = []", nil, "At 1:16: root.cluster_addr: unknown type for string *ast.ListType"),
        StringCase(
            "cluster_addr = { a = 1 }", nil,
            "At 1:18: root.cluster_addr: unknown type for string *ast.ObjectList"
        ),
        StringCase("cluster_addr {}", nil, "At -: root.cluster_addr: unknown type for string *ast.ObjectList"),
        StringCase(
            "cluster_addr \"x\" { a = 1 }", nil,
            "At 1:14: root.cluster_addr: unknown type for string *ast.ObjectList"
        ),
        StringCase("{\"cluster_addr\":null}", "", nil),
        StringCase("{\"cluster_addr\":true}", nil, "At -: root.cluster_addr: unknown type for string *ast.LiteralType"),
        StringCase(
            "{\"cluster_addr\":{\"a\":1}}", nil,
            "At -: root.cluster_addr: unknown type for string *ast.ObjectList"
        ),
        StringCase("a = 1", nil, nil),
    ]

    @Test(arguments: strings)
    func readsTopLevelStrings(_ given: StringCase) throws {
        let document = try document(given.text)
        guard let message = given.message else {
            #expect(try document.stringSetting(named: "cluster_addr")?.value == given.value)
            return
        }
        let error = try #require(throws: Diagnostic.self) { try document.stringSetting(named: "cluster_addr") }
        #expect(error.incumbentText == message)
    }
}
