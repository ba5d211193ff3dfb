import DynamoDBFormat
import JSON
import Storage
import Testing

@Suite struct ItemDocumentTests {
    /// The `Path` of every item of a text that comes in pieces.
    private func paths(_ text: String, pieceBytes: Int) throws -> [String] {
        var document = ItemDocument(path: "items.json", expectedItems: 2, parser: try JSONParser())
        var found: [String] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            try bytes[start..<min(start + pieceBytes, bytes.count)].withUnsafeBytes { piece in
                _ = try document.read(piece) { item throws(StorageError) in
                    found.append("\(item.index) \(item.node["Path"]?["S"]?.text ?? "none")")
                    return true
                }
            }
        }
        try document.finish()
        return found
    }

    @Test(arguments: [1, 2, 7, 4096])
    func itemsAreCutOutOfAnyText(pieceBytes: Int) throws {
        let item = #"{"Path": {"S": "a\"}{"}, "Key": {"S": "k"}, "Items": {"L": [{"S": "[{"}]}}"#
        let list =
            #"{"Count": 2, "Items": [\#(item), \#(item)], "ScannedCount": 2, "ConsumedCapacity": {"Items": [{}]}}"#
        let lines = "{\"Item\": \(item)}\n\n{\"Item\":\(item)}"
        for text in [list, lines, "\(item)\n\(item)"] {
            #expect(try paths(text, pieceBytes: pieceBytes) == ["0 a\"}{", "1 a\"}{"], "\(text)")
        }
    }

    @Test(arguments: [
        #"{"Count": 3, "Items": [{}, {}]}"#, #"{"Items": [{}, {}]}"#, #"{"Item": {}}"#, #"{"Item": {}}{"Item": "#,
        #"{"Item": {}, "Item": {}}"#, #"{"Other": 1}"#, "[]", #"{"Count": 2, "Items": [1, 2]}"#,
    ])
    func aTextThatIsNotWholeIsRefused(_ text: String) {
        let error = #expect(throws: StorageError.self) { try paths(text, pieceBytes: 5) }
        #expect(error?.code == .damagedStore && error?.message.hasPrefix("items.json") == true)
    }
}
