import HCL
import Testing

@Suite struct StorageBlockTests {
    static let shapes: [(text: String, type: String, settings: [String])] = [
        ("storage_source \"File\" { path = \"/a\" }", "file", ["path=/a"]),
        ("STORAGE_source file { path = \"/a\" }", "file", ["path=/a"]),
        ("\"storage_source\" \"file\" \"more\" { }", "file", []),
        ("storage_source { path = \"/a\" }", "storage_source", ["path=/a"]),
        ("storage_source = { path = \"/a\" }", "storage_source", ["path=/a"]),
        ("storage_source \"\" {}", "", []),
        ("{\"storage_source\":{\"file\":{\"path\":\"/a\"}}}", "file", ["path=/a"]),
        ("{\"storage_source\":[{\"FILE\":{\"path\":\"/a\"}}]}", "file", ["path=/a"]),
        ("{\"storage_source\":{\"file\":[{\"path\":\"/a\"}]}}", "storage_source", ["file=[{\"path\":\"/a\"}]"]),
        ("{\"storage_source\":{\"file\":{\"path\":null,\"n\":1.0}}}", "file", ["path=", "n=1"]),
        ("{\"storage_source\":{\"file\":{\"r\":{\"q\":1}}}}", "file", ["q=1"]),
        ("{\"storage_source\":{\"file\":{}}}", "file", []),
        (
            "{\"storage_source\":{\"f\":{\"a\":\"b\",\"m\":{\"k\":{\"l\":1}}}}}", "f",
            ["a=b", "m=[{\"k\":[{\"l\":1}]}]"]
        ),
        (
            "{\"storage_source\":{\"f\":{\"r\":[{\"a\":1},{\"b\":2}],\"e\":{}}}}", "f",
            ["r=[{\"a\":1},{\"b\":2}]", "e=[{}]"]
        ),
        ("{\"storage_source\":{\"f\":{\"s\":\"\\u00e9\\ud83d\\ude00${\\n}\"}}}", "f", ["s=é😀${\n}"]),
        ("{\"storage_source\":{\"f\":{\"l\":[true,[1],\"<\"]}}}", "f", ["l=[true,[1],\"\\u003c\"]"]),
    ]

    @Test(arguments: shapes.indices)
    func findsTheBlockInEveryShape(_ index: Int) throws {
        let shape = Self.shapes[index]
        let block = try document(shape.text).storageBlock(named: "storage_source")
        #expect(block.name == "storage_source")
        #expect(block.type == shape.type)
        #expect(block.settings.map { "\($0.name)=\($0.value)" } == shape.settings)
    }

    static let counts: [(text: String, count: Int, detail: String, place: String?)] = [
        ("", 0, "The file is empty. Add a block: storage_source \"file\" { path = \"…\" }.", nil),
        (
            "storage_sorce \"file\" {}", 0,
            "Is \"storage_sorce\" at 1:1 meant to be it? Add a block: storage_source \"file\" { path = \"…\" }.", nil
        ),
        (
            "\nstorage \"file\" {}", 0,
            "The \"storage\" block at 2:1 is a server's; a migration does not read it. "
                + "Add a block: storage_source \"file\" { path = \"…\" }.", nil
        ),
        (
            "storage_source \"a\" {}\nStorage_Source \"b\" {}", 2,
            "The file has 2 of them, the first at 1:1. Keep one.", "2:1"
        ),
        (
            "{\"storage_source\":{\"a\":{},\"b\":{}}}", 2,
            "The file names more than one type in it, the first at 1:2. Keep one.", "1:27"
        ),
        (
            "{\"storage_source\":{\"a\":{}},\n\"storage_source\":{\"b\":{}}}", 2,
            "The file has 2 of them, the first at 1:2. Keep one.", "2:1"
        ),
    ]

    @Test(arguments: counts.indices)
    func wantsExactlyOne(_ index: Int) throws {
        let given = Self.counts[index]
        let document = try document(given.text)
        let error = try #require(throws: Diagnostic.self) { try document.storageBlock(named: "storage_source") }
        #expect(error.summary == "exactly one \"storage_source\" block is required")
        #expect(error.incumbentText == error.summary)
        #expect(error.detail == given.detail)
        #expect(error.range?.start.description == given.place)
        #expect(try document.storageBlocks(named: "storage_source").count == given.count)
    }

    static let ignored: [(body: String, kept: [String], ignored: [String])] = [
        ("redirect_addr = \"r\" advertise_addr = \"a\"", ["advertise_addr"], ["redirect_addr"]),
        ("advertise_addr = \"a\" path = \"p\"", ["path"], ["advertise_addr"]),
        ("cluster_addr = \"c\" disable_clustering = \"T\"", [], ["cluster_addr", "disable_clustering"]),
        ("disable_clustering = 1 Cluster_Addr = 2", ["Cluster_Addr"], ["disable_clustering"]),
    ]

    @Test(arguments: ignored.indices)
    func setsServerSettingsAside(_ index: Int) throws {
        let given = Self.ignored[index]
        let block = try document("storage_source \"file\" { \(given.body) }").storageBlock(named: "storage_source")
        #expect(block.settings.map(\.name) == given.kept)
        #expect(block.ignoredSettings.map(\.name) == given.ignored)
    }

    static let duplicates: [(text: String, duplicates: [String])] = [
        ("s x { a = 1 b = 1 a = 2 }", ["a"]), ("s x { a = 1 A = 2 }", []), ("s x { r {} r {} }", []),
        ("s x { \"é\" = 1 \"e\u{301}\" = 2 }", []),
        ("{\"s\":{\"x\":{\"a\":1,\"b\":[{\"c\":1},{\"c\":2}],\"a\":2}}}", ["a"]),
        ("s x { a = 1 a = 2 a = 3 b = 1 }", ["a"]),
    ]

    @Test(arguments: duplicates.indices)
    func marksDuplicates(_ index: Int) throws {
        let given = Self.duplicates[index]
        let block = try document(given.text).storageBlock(named: "s")
        #expect(block.settings.filter(\.isDuplicate).map(\.name) == given.duplicates)
        let last = given.text.contains("a = 3") ? "3" : "2"
        #expect(given.duplicates.isEmpty || block.settings.first?.value == last)
    }

    @Test func locatesEveryPart() throws {
        let text = "# é\r\nstorage \"raft\" {\r\n  node = \"é\" node = [\r\n1]\r\n}\r\n"
        let error = try #require(throws: Diagnostic.self) { try document(text).storageBlock(named: "storage") }
        #expect(error.range?.start.description == "3:21")
        let good = "# é\r\nstorage \"raft\" {\r\n  é = \"é\" node = [\r\n1]\r\n}\r\n"
        let block = try #require(try document(good).storageBlocks(named: "storage").first)
        #expect(block.typeRange == range(2, 9, 14, 2, 15, 20))
        #expect(block.range == range(2, 1, 6, 5, 2, 51))
        let setting = try #require(block.settings.last)
        #expect(setting.nameRange == range(3, 11, 36, 3, 15, 40))
        #expect(setting.valueRange == range(3, 18, 43, 4, 3, 48))
    }

    private func range(_ line: Int, _ column: Int, _ offset: Int, _ l: Int, _ c: Int, _ o: Int) -> SourceRange {
        SourceRange(
            start: SourcePosition(line: line, column: column, offset: offset),
            end: SourcePosition(line: l, column: c, offset: o))
    }
}
