import JSON
import Storage
import StorageTestKit
import TestSupport
import Testing

@testable import FileBackend

@Suite struct EntryEnvelopeTests {
    @Test(
        arguments: [
            ("{\"Value\":\"AP8=\"}\n", [0, 255]), ("{\"Value\":\"AP8=\"}", [0, 255]),
            (" \t\r\n{ \"Value\" : \"AP8=\" } ", [0, 255]), ("{\"value\":\"AP8=\"}", [0, 255]),
            ("{\"VALUE\":\"AP8=\"}", [0, 255]), ("{\"Key\":\"foo\",\"Value\":\"AP8=\"}\n", [0, 255]),
            ("{\"Value\":\"AP8=\",\"Key\":{\"a\":[1,-2.5e3,true,false,null,\"x\\\"}\"]},\"z\":{}}\n", [0, 255]),
            ("{\"Value\":\"AP8=\"}{\"Value\":\"QQ==\"}\n", [0, 255]), ("{\"Value\":\"AP8=\"}\ngarbage\"}\n", [0, 255]),
            ("{\"Value\":\"QQ==\",\"Value\":\"AP8=\"}", [0, 255]), ("{\"Value\":\"\\u0041P8=\"}", [0, 255]),
            ("{\"Val\\u0075e\":\"AP8=\"}", [0, 255]), ("{\"Value\":\"A\\nP8=\\r\"}", [0, 255]),
            ("{\"Value\":\"+\\/8=\"}", [251, 255]), ("{\"Value\":null}\n", []), ("{\"Value\":\"\"}\n", []),
            ("{}", []), ("{\"Values\":\"AP8=\"}", []),
        ] as [(String, [UInt8])])
    func readsEveryLayoutAServerReads(_ text: String, _ value: [UInt8]) throws {
        let found = try Array(text.utf8).withUnsafeBytes { try EntryEnvelope.value(in: $0) }
        #expect(found == value)
        let folder = try TemporaryFolder()
        try writeFile("\(folder.path)/_k", Array(text.utf8))
        let store = try FileBackend(path: folder.path, mustExist: true)
        #expect(try store.contents() == [TestEntry("k", value)])
        #expect(try store.get("k") == value)
    }

    @Test(
        arguments: [
            "{", "[]", "\"AP8=\"", "null", "{\"Value\"}", "{\"Value\":}", "{\"Value\":1}", "{\"Value\":true}",
            "{\"Value\":\"AP8\"}", "{\"Value\":\"AP8=", "{\"Value\":\"A=8=\"}", "{\"Value\":\"====\"}",
            "{\"Value\":\"AP8=\"", "{\"Value\":\"AP8=\",}", "{,\"Value\":\"AP8=\"}", "{\"Value\" \"AP8=\"}",
            "{\"a\":tru,\"Value\":\"\"}", "{\"Value\":\"\\uzzzz\"}", "{\"Value\":\"\\q\"}", "{\"Value\":\"\u{1}\"}",
            "{\"Value\":\"é===\"}", "{Value:\"AP8=\"}", "\0", "{\"Value\":\"AP-_\"}\n", "{\"Value\":\"A P8=\"}\n",
            "{\"a\":" + String(repeating: "[", count: 100_000) + "\"}\n", "x\"}\n",
        ])
    func refusesWhatIsNoEnvelopeAndNamesTheFile(_ text: String) throws {
        let folder = try TemporaryFolder()
        try writeFile("\(folder.path)/_bad", Array(text.utf8))
        let store = try FileBackend(path: folder.path, mustExist: true)
        try expectError(.damagedEntry, ["/_bad", "byte "]) { _ = try store.contents() }
        try expectError(.damagedEntry, ["bad", "byte "]) { _ = try store.get("bad") }
    }

    @Test func mutatedEnvelopesNeverTrap() throws {
        let seeds = [
            "{\"Value\":\"AP8BAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQ=\"}\n",
            " { \"Key\" : { \"n\" : [ 1 , \"x\\u0041\\\"\" , null ] } , \"Value\" : \"AP8BAgME\" } \n",
        ].map { Array($0.utf8) }
        let tokens = ["\"", "\\", "{", "}", "[", "]", ":", ",", "\\u00", "null", "=", "-", "Value"].map {
            Array($0.utf8)
        }
        var random = SeededRandom(77)
        var refused = 0
        for number in 0..<25_000 {
            var text = seeds[number % seeds.count]
            for _ in 0...Int.random(in: 0...3, using: &random) {
                let place = Int.random(in: 0..<max(text.count, 1), using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0 where !text.isEmpty: text[place] = UInt8.random(in: 0...255, using: &random)
                case 1:
                    text.insert(
                        contentsOf: tokens[Int.random(in: 0..<tokens.count, using: &random)], at: min(place, text.count)
                    )
                case 2: text.removeLast(text.count - place)
                case 3 where !text.isEmpty: text.remove(at: place)
                default: text += text.suffix(Int.random(in: 0...20, using: &random))
                }
            }
            try text.withUnsafeBytes { text in
                do throws(EntryEnvelope.Damage) {
                    _ = try EntryEnvelope.value(in: text)
                } catch {
                    refused += 1
                    try require(error.offset >= 0 && error.offset <= text.count, "offset \(error.offset)")
                    try require(!error.message.isEmpty, "no message")
                }
            }
            if let part = text.withUnsafeBytes({ EntryEnvelope.canonicalText($0).map(Array.init) }) {
                // The fast way and the careful one agree.
                let room = UnsafeMutableRawBufferPointer.allocate(byteCount: part.count + 4, alignment: 1)
                defer { room.deallocate() }
                let count = part.withUnsafeBytes { Base64.decode($0, into: room) }
                let careful = text.withUnsafeBytes { text in try? EntryEnvelope.value(in: text) }
                if let count { try require(Array(room[..<count]) == careful, "two readings of one file") }
            }
        }
        #expect(refused > 5000)
    }

    @Test func base64AgreesWithItselfAtEveryLength() throws {
        var random = SeededRandom(2)
        for count in 0..<300 {
            let value = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            var text: [UInt8] = []
            value.withUnsafeBytes { EntryEnvelope.append($0, to: &text) }
            #expect(try text.withUnsafeBytes { try EntryEnvelope.value(in: $0) } == value)
        }
    }

    private func require(_ condition: Bool, _ message: String) throws {
        if !condition { throw PromiseFailure(message) }
    }
}
