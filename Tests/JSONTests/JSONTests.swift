import JSON
import TestSupport
import Testing

@Suite struct JSONTests {
    /// Writes a node back with the writer.
    private func written(_ node: JSONNode, _ writer: inout JSONWriter) {
        switch node.kind {
        case .null: writer.null()
        case .boolean: writer.boolean(node.boolean == true)
        case .number:
            if let integer = node.integer { writer.integer(integer) } else { writer.double(node.double ?? .nan) }
        case .string: writer.string(node.bytes)
        case .array:
            writer.beginArray()
            for element in node.elements { written(element, &writer) }
            writer.endArray()
        case .object:
            writer.beginObject()
            for (name, value) in node.members {
                writer.name(name)
                written(value, &writer)
            }
            writer.endObject()
        }
    }

    private func roundTrip(_ text: String) throws -> String {
        let parser = try JSONParser()
        return try Array(text.utf8).withUnsafeBytes { bytes in
            var writer = JSONWriter()
            written(try parser.parse(bytes), &writer)
            return String(decoding: writer.bytes, as: UTF8.self)
        }
    }

    /// Numbers of segments and of pieces of writes go up to 2^64 - 1.
    @Test func naturalNumbersAreExact() throws {
        let parser = try JSONParser()
        let text = "[18446744073709551615,9223372036854775808,7,-1,1.5,\"7\"]"
        try Array(text.utf8).withUnsafeBytes { bytes in
            let elements = Array(try parser.parse(bytes).elements)
            #expect(elements.map(\.natural) == [.max, 1 << 63, 7, nil, nil, nil])
            let large = try #require(elements.first)
            #expect(large.kind == .number && large.integer == nil && large.double == 0x1p64)
        }
    }

    @Test(arguments: [
        "null", "true", "[]", "{}", "-9223372036854775808", "1.5", #""a\"b\\c""#,
        #"[1,[2,[],{}],{"a":[{"b":null}],"c":false},"x"]"#,
        #"{"":"","é":"ü","same":1,"same":2}"#,
        #"{"Items":[{"Path":{"S":" "},"Key":{"S":"a/"},"Value":{"NULL":true}}],"Count":1}"#,
    ])
    func textsComeBack(_ text: String) throws {
        #expect(try roundTrip(text) == text)
    }

    @Test func escapesAreResolvedAndMade() throws {
        #expect(try roundTrip(#""\u0041\n\u0000\/\ud83d\ude00""#) == "\"A\\u000a\\u0000/\u{1F600}\"")
    }

    @Test func membersAreFoundByTheirBytes() throws {
        let parser = try JSONParser()
        try Array(#"{"a":{"b":[1,2.5,"x"]},"é":1}"#.utf8).withUnsafeBytes { bytes in
            let root = try parser.parse(bytes)
            #expect(root["a"]?["b"]?.count == 3)
            #expect(root["a"]?["b"]?.elements.map { $0.double ?? 0 } == [1, 2.5, 0])
            #expect(root["b"] == nil && root["a"]?["b"]?["c"] == nil)
            #expect(root.member(named: Array("é".utf8))?.integer == 1)
            #expect(root["a"]?.isString("x") == false)
        }
    }

    @Test(arguments: [
        "", " ", "{", "[1,", #"{"a"}"#, #""\x""#, "\"\u{0}\"", "nul", "1 2", "[1]]", "99999999999999999999999",
        #""\ud800""#,
        String(repeating: "[", count: 200) + String(repeating: "]", count: 200),
    ])
    func whatIsNoJSONIsAnError(_ text: String) throws {
        #expect(throws: JSONError.self) { _ = try roundTrip(text) }
    }

    @Test func invalidUTF8IsAnError() throws {
        let parser = try JSONParser()
        #expect(throws: JSONError.self) {
            try [UInt8]([0x22, 0xff, 0x22]).withUnsafeBytes { _ = try parser.parse($0) }
        }
    }

    @Test func everyTruncationAndMutationIsJSONOrAnError() throws {
        let text = Array(
            #"{"Items":[{"Path":{"S":"a\u0041/b"},"Key":{"S":"k"},"Value":{"B":"AP8="},"N":[1,-2.5e3]}]}"#.utf8)
        var random = SeededRandom(fuzz: 11)
        let parser = try JSONParser()
        for count in 0..<text.count {
            #expect(throws: JSONError.self) { try text[..<count].withUnsafeBytes { _ = try parser.parse($0) } }
        }
        for _ in 0..<Effort.rounds(5000) {
            var changed = text
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            changed.withUnsafeBytes { bytes in
                guard let root = try? parser.parse(bytes) else { return }
                var writer = JSONWriter()
                written(root, &writer)
            }
        }
    }

    @Test func parsersAreUsedAgain() throws {
        let parser = try JSONParser()
        for count in [10, 100_000, 10] {
            let text = Array("[\(String(repeating: "1,", count: count))1]".utf8)
            #expect(try text.withUnsafeBytes { try parser.parse($0).count } == count + 1)
        }
    }
}
