import Storage
import Testing

@testable import DynamoDBFormat

@Suite struct ItemKeyTests {
    /// The key of an entry, and where the stock backend keeps it.
    private static let places: [(key: String, path: String, name: String)] = [
        ("core/keyring", "core", "keyring"), ("foo", " ", "foo"), ("a/b/c", "a/b", "c"), ("_x", " ", "_x"),
        ("é/ü", "é", "ü"), ("a b/ c ", "a b", " c "),
    ]

    private func readBack(_ path: String, _ name: String) -> String {
        var key: [UInt8] = []
        _ = Array(path.utf8).withUnsafeBytes { path in
            Array(name.utf8).withUnsafeBytes { ItemKey.storageKey(path: path, name: $0, into: &key) }
        }
        return String(decoding: key, as: UTF8.self)
    }

    @Test(arguments: places)
    func entriesLieWhereTheStockBackendPutsThem(_ key: String, _ path: String, _ name: String) {
        let place = ItemKey(entry: Array(key.utf8))
        #expect(place == ItemKey(path: Array(path.utf8), name: Array(name.utf8)))
        #expect(readBack(path, name) == key)
    }

    /// Odd records, and what the stock backend reads them as.
    @Test(arguments: [
        ("a/b", "b", "a/b/b"), ("/", "a", "/a"), (" ", ".", "."), (".", "b", "b"), ("a/../c", "x", "c/x"),
        ("a//b", "c", "a/b/c"),
        (" ", "b/", "b/"), ("a", "b/", "a/b/"), ("a", "../b", "b"), ("..", "b", "../b"), ("/..", "b", "/b"),
        ("a", "..", "."),
    ])
    func oddRecordsAreReadAsTheStockBackendDoes(_ path: String, _ name: String, _ key: String) {
        #expect(readBack(path, name) == key)
    }

    @Test func ancestorsComeOutermostFirst() {
        let found = Array("a/b/c".utf8).withUnsafeBytes { ItemKey.ancestors(of: $0).map { Array($0) } }
        #expect(found == [Array("a".utf8), Array("a/b".utf8)])
        #expect(ItemKey(markerOf: Array("a/b".utf8)) == ItemKey(path: Array("a".utf8), name: Array("b/".utf8)))
        #expect(ItemKey(markerOf: Array("a".utf8)) == ItemKey(path: Array(" ".utf8), name: Array("a/".utf8)))
    }

    @Test func requestsAreKnownByTheirKey() {
        let key = ItemKey(path: Array("a\"b".utf8), name: Array("c".utf8))
        let request = [UInt8]([1, 2]).withUnsafeBytes { PutRequest.entry(key, $0) }
        let text =
            #"{"PutRequest":{"Item":{"Path":{"S":"a\"b"},"Key":{"S":"c"},"Value":{"B":"AQI="}}}}"#
        #expect(String(decoding: request, as: UTF8.self) == text)
        #expect(PutRequest.isFor(key, request))
        #expect(!PutRequest.isFor(ItemKey(path: key.path, name: Array("c\"".utf8)), request))
        #expect(!PutRequest.isFor(ItemKey(path: key.path, name: Array("".utf8)), request))
        #expect(
            String(decoding: PutRequest.marker(ItemKey(markerOf: Array("a".utf8))), as: UTF8.self)
                == #"{"PutRequest":{"Item":{"Path":{"S":" "},"Key":{"S":"a/"},"Value":{"NULL":true}}}}"#)
    }
}
