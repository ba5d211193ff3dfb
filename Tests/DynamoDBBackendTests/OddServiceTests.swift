import HTTPServer
import JSON
import Storage
import StorageTestKit
import Synchronization
import TestSupport
import Testing

@testable import DynamoDBBackend

/// Against services whose pages contradict themselves.
@Suite struct OddServiceTests {
    private static let table = #"""
        {"Table":{"TableStatus":"ACTIVE","KeySchema":[{"AttributeName":"Path","KeyType":"HASH"},
        {"AttributeName":"Key","KeyType":"RANGE"}],"AttributeDefinitions":[{"AttributeName":"Path","AttributeType":"S"},
        {"AttributeName":"Key","AttributeType":"S"}]}}
        """#

    /// Opens a table of a service that answers DescribeTable, and everything else as it is told.
    private func withTable(
        _ pages: @escaping @Sendable (_ request: Int) -> String, _ body: (DynamoDBBackend) throws -> Void
    ) throws {
        let requests = Mutex(0)
        let server = try HTTPServer(address: try SocketAddress("127.0.0.1:0")) { request in
            let isDescription = request.header("x-amz-target")?.hasSuffix("DescribeTable") == true
            let number =
                isDescription
                ? 0
                : requests.withLock {
                    $0 += 1; return $0
                }
            return HTTPServerResponse(status: 200, text: isDescription ? Self.table : pages(number))
        }
        defer { server.stop() }
        let store = try openTable("odd", "http://127.0.0.1:\(server.port)", .source(writesMarker: false))
        try body(try #require(store as? DynamoDBBackend))
    }

    private static func page(_ keys: [String], count: Int, next: String? = nil) -> String {
        let items = keys.map { #"{"Path":{"S":" "},"Key":{"S":"\#($0)"},"Value":{"B":"AQ=="}}"# }
        let last = next.map { #","LastEvaluatedKey":{"Path":{"S":" "},"Key":{"S":"\#($0)"}}"# } ?? ""
        return #"{"Items":[\#(items.joined(separator: ","))],"Count":\#(count),"ScannedCount":\#(count)\#(last)}"#
    }

    /// What asks for permissions names keys that no item has, another one each time, so that even a service which carries
    /// everything out changes nothing.
    @Test func permissionsAreAskedForWithKeysOfNothing() throws {
        let bodies = Mutex<[String]>([])
        let server = try HTTPServer(address: try SocketAddress("127.0.0.1:0")) { request in
            let action = request.header("x-amz-target") ?? ""
            if action.hasSuffix("DescribeTable") { return HTTPServerResponse(status: 200, text: Self.table) }
            bodies.withLock { $0.append(action + String(decoding: request.body, as: UTF8.self)) }
            return HTTPServerResponse(status: 200, text: "{}")
        }
        defer { server.stop() }
        let store = try openTable("odd", "http://127.0.0.1:\(server.port)", .source(writesMarker: true))
        for _ in 0..<2 { #expect(try store.markerFindings().isEmpty) }
        let asked = bodies.withLock { $0 }
        #expect(asked.count == 4)
        var keys: [String] = []
        for body in asked {
            let found = body.matches(of: /sealift-permission-[0-9a-f]+/).map { String($0.output) }
            // A batch deletes one key twice, which services refuse; a delete has a condition that is never true.
            #expect(found.count == (body.contains("BatchWriteItem") ? 2 : 1) && Set(found).count == 1, "\(body)")
            let isHarmless =
                body.contains("BatchWriteItem")
                ? !body.contains("PutRequest")
                : body.contains("attribute_exists(#p) AND attribute_not_exists(#p)")
            #expect(isHarmless, "\(body)")
            keys += found.prefix(1)
        }
        #expect(Set(keys).count == 4, "\(keys)")
    }

    @Test(arguments: [3, 1])
    func aPageWhoseCountIsAnotherIsAskedForAgain(_ count: Int) throws {
        try withTable({ Self.page(["a", "b"], count: $0 < 3 ? count : 2) }) { (store: DynamoDBBackend) throws in
            #expect(try store.contents().map(\.key) == ["a", "b"])
        }
        try withTable({ _ in Self.page(["a", "b"], count: count) }) { (store: DynamoDBBackend) throws in
            for read in [{ _ = try store.contents() }, { _ = try store.list("") }] {
                let error = #expect(throws: StorageError.self) { try read() }
                #expect(
                    error?.message.contains("a Count of \(count) and 2 items") == true, "\(String(describing: error))")
            }
        }
    }

    /// Circles of some lengths, and with a way that leads into them.
    @Test(arguments: [1, 2, 7, 64], [0, 5])
    func pagesThatLeadInACircleEnd(_ length: Int, _ lead: Int) throws {
        let asked = Mutex(0)
        try withTable({ number in
            asked.withLock { $0 = max($0, number) }
            let place = number <= lead ? "lead-\(number)" : "place-\((number - lead) % length)"
            return Self.page([], count: 0, next: place)
        }) { (store: DynamoDBBackend) throws in
            for read in [{ _ = try store.contents() }, { _ = try store.list("") }] {
                let error = #expect(throws: StorageError.self) { try read() }
                #expect(error?.message.contains("lead in a circle") == true, "\(String(describing: error))")
            }
        }
        #expect(asked.withLock { $0 } < 20 * (length + lead + 1))
    }
}
