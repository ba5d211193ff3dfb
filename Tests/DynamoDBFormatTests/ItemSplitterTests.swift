import Storage
import TestSupport
import Testing

@testable import DynamoDBFormat

@Suite struct ItemSplitterTests {
    private struct Failure: Error, Equatable {
        let line: Int
    }

    /// What the splitter tells of a text that comes in pieces of some sizes.
    private static func events(_ text: [UInt8], pieces: (Int) -> Int) -> [String] {
        var splitter = ItemSplitter()
        var events: [String] = []
        var start = 0
        do throws(Failure) {
            while start < text.count {
                let end = min(start + pieces(start), text.count)
                try Array(text[start..<end]).withBytes { piece throws(Failure) in
                    try splitter.read(piece, problem: { Failure(line: $0.line) }) { event, line throws(Failure) in
                        switch event {
                        case .objectBegins: events.append("\(line) {")
                        case .listBegins: events.append("\(line) [")
                        case .objectEnds: events.append("\(line) }")
                        case .item(let bytes, let isListed):
                            events.append("\(line) \(isListed) \(String(decoding: bytes, as: UTF8.self))")
                        case .member(let name, let bytes):
                            events.append("\(line) \(name) \(String(decoding: bytes, as: UTF8.self))")
                        }
                    }
                }
                start = end
            }
            events.append(splitter.isBetweenObjects ? "whole" : "cut off")
        } catch {
            events.append("line \(error.line)")
        }
        return events
    }

    private static let texts: [String] = [
        #"{"Item":{"a":{"S":"x\"}]\\"},"b":[1,{"c":"\u005d{"}]}}"# + "\n{\"Item\": 7 }\n\n{}",
        "{\"Items\" : [ ] , \"Count\":0,\"N\":null}\r\n{\"Items\":[{},\n{\"x\":\"\\\\\"} ,\t[1]],\"ScannedCount\":-1.5e3}",
        #"{"Item":"text","Other":"\\","\"Item":{"Item":1}}"#, "{\"Items\":{\"a\":[]}}", "  \n ", "",
        "{\"a\":1}}", "{\"a\"1}",
        "{\"Items\":[1,,2]}", "{,}", "{\"a\":}", "{\"a\":[1}}", "nonsense", "{\"Item\":{\"a\":\"unterminated",
    ]

    @Test(arguments: texts.indices)
    func piecesMakeNoDifference(index: Int) {
        let text = Array(Self.texts[index].utf8)
        let whole = Self.events(text) { _ in text.count }
        #expect(Self.events(text) { _ in 1 } == whole)
        for seed in 0..<Effort.rounds(20) {
            var random = SeededRandom(fuzz: seed)
            #expect(Self.events(text) { _ in 1 + random.below(9) } == whole)
            let mutated = random.mutated(text)
            #expect(Self.events(mutated) { _ in 1 } == Self.events(mutated) { _ in mutated.count })
        }
    }

    @Test func itemsAndMembersAreFoundWithTheirLines() {
        let text = Array("{\"Item\":{\"a\":\n\"}\"}}\n\n{ \"Items\":[\n{\"b\":1} ],\n\"Count\":1}".utf8)
        let name = Array("Count".utf8)
        #expect(
            Self.events(text) { _ in 5 } == [
                "1 {", "1 false {\"a\":\n\"}\"}", "2 }", "4 {", "4 [", "5 true {\"b\":1}", "6 \(name) 1", "6 }",
                "whole",
            ])
    }
}
