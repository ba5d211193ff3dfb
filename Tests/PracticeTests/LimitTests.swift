import Foundation
import HTTPServer
import Telemetry
import Testing
import Zlib

@testable import Practice

/// The service's own limits, which moto does not have.
@Suite struct LimitTests {
    private let ask: Asking
    private let table = Asking.table

    init() throws { ask = try Asking() }

    @Test func itemsAreAsLargeAsTheServiceTakesThem() {
        // Names and values: Path, Key and Value have 12 bytes.
        let room = 409_600 - 12 - 2
        #expect(ask.put("a", "b", bytes: room).error == "")
        #expect(ask.put("a", "c", bytes: room + 1).message == "Item size has exceeded the maximum allowed size")
        #expect(ask.put("a", "b", bytes: room).units == 400)
        #expect(ask.put("a", "d", bytes: 1024 - 14).units == 1)
        #expect(ask.put("a", "d", bytes: 1025 - 14).units == 2)
        // The larger of old and new counts.
        #expect(ask.put("a", "b", bytes: 0).units == 400)
        let update = ask(
            "UpdateItem",
            members: #""Key": \#(Asking.key("a", "b"))"#, #""UpdateExpression": "SET v = :v""#,
            #""ExpressionAttributeValues": {":v": {"B": "\#(Data(count: 409_600).base64EncodedString())"}}"#
        )
        #expect(update.message == "Item size to update has exceeded the maximum allowed size")
    }

    @Test func pagesEndAtAMegabyte() throws {
        for index in 0..<60 { ask.put("p\(index % 7)", "k\(index)", bytes: 60_000) }
        let whole = try ask.scan()
        #expect(whole.keys.count == 60)
        #expect(whole.pages == 4)
        // Rounded up once for each page.
        #expect(whole.units >= (60.0 * 60_000 / 4096).rounded(.up) && whole.units <= 60 * 60_100 / 4096 + 4)
        for segments in [2, 3, 8, 64, 500] {
            let parts = try ask.scan(segments: segments)
            #expect(parts.keys.count == 60)
            #expect(Set(parts.keys) == Set(whole.keys))
        }
        #expect(try ask.scan(limit: 7).keys == whole.keys)
        // Items of one partition key lie together, and partition keys in no order.
        let paths = whole.keys.map { $0[0] }
        let runs = paths.indices.filter { $0 == 0 || paths[$0] != paths[$0 - 1] }.map { paths[$0] }
        #expect(runs.count == 7)
        #expect(runs != runs.sorted())
    }

    @Test func halfUnitsForEventualReads() {
        ask.put("a", "b", bytes: 5000)
        for (isConsistent, units) in [(true, 2.0), (false, 1.0)] {
            let answer = ask(
                "GetItem",
                members: #""Key": \#(Asking.key("a", "b")), "ConsistentRead": \#(isConsistent)"#,
                #""ReturnConsumedCapacity": "INDEXES""#
            )
            #expect(answer.units == units)
        }
        let missing = ask(
            "GetItem",
            #"{"TableName": "\#(table)", "Key": \#(Asking.key("a", "x")), "ReturnConsumedCapacity": "TOTAL"}"#)
        #expect(missing.units == 0.5)
        #expect(missing.members["Item"] == nil)
    }

    @Test func batchesGetStopsAtSixteenMegabytes() throws {
        for index in 0..<60 { ask.put("p", "k\(index)", bytes: 400_000) }
        let keys = (0..<60).map { Asking.key("p", "k\($0)") }.joined(separator: ",")
        let answer = ask(
            "BatchGetItem", #"{"RequestItems": {"\#(table)": {"Keys": [\#(keys)], "ConsistentRead": true}}}"#)
        let found = (answer.members["Responses"] as? [String: [Any]])?[table]?.count ?? 0
        let left = (answer.members["UnprocessedKeys"] as? [String: [String: Any]])?[table]
        #expect(found == 41)
        #expect((left?["Keys"] as? [Any])?.count == 19)
        #expect(left?["ConsistentRead"] as? Bool == true)
    }

    @Test func answersCarryTheirChecksum() {
        for answer in [ask("ListTables", "{}"), ask("DescribeTable", "{}"), ask("Nonsense", "{}")] {
            let headers = Dictionary(answer.response.headers.map { ($0.name, $0.value) }) { first, _ in first }
            #expect(headers["x-amz-crc32"] == String(crc32(answer.response.body.bytes)))
            #expect(headers["x-amzn-RequestId"]?.utf8.count == 52)
            #expect(headers["Content-Type"] == "application/x-amz-json-1.0")
        }
    }

    @Test(arguments: [
        (#"{"S": "a", "N": "1"}"#, "more than one datatypes set"), ("{}", "is empty, must contain exactly one"),
        (#"{"B": "abc"}"#, "multiple of 4 bytes but found: 3"), (#"{"B": "ab!="}"#, "Base64"),
        (#"{"N": "1e126"}"#, "Number overflow"), (#"{"N": "1e-131"}"#, "Number underflow"),
        (#"{"N": ""}"#, "cannot be converted to a numeric value"), (#"{"N": "0x1"}"#, "cannot be converted"),
        (#"{"NULL": false}"#, "must have the value of true"), (#"{"NS": ["1", "1.0"]}"#, "contains duplicates"),
        (#"{"BS": []}"#, "Binary sets should not be empty"),
        (#"{"S": 7}"#, "NUMBER_VALUE cannot be converted to String"),
        (#"{"BOOL": "maybe"}"#, "Unexpected token"), (#"{"L": {}}"#, "Start of structure or map found"),
        (#"{"M": []}"#, "Unrecognized collection type"), (#""text""#, "Unexpected value type in payload"),
    ])
    func refusesValues(value: String, message: String) {
        let answer = ask(
            "PutItem", #"{"TableName": "\#(table)", "Item": {"Path": {"S": "a"}, "Key": {"S": "b"}, "x": \#(value)}}"#)
        #expect(answer.status == 400)
        #expect(answer.message.contains(message))
    }

    @Test func nestingIsBounded() {
        func nested(_ depth: Int) -> Asking.Answer {
            let value =
                String(repeating: #"{"L":["#, count: depth) + #"{"S":"a"}"# + String(repeating: "]}", count: depth)
            return ask(
                "PutItem",
                #"{"TableName": "\#(table)", "Item": {"Path": {"S": "a"}, "Key": {"S": "b"}, "x": \#(value)}}"#)
        }
        #expect(nested(32).error == "")
        #expect(nested(33).message.contains("Nesting Levels have exceeded supported limits"))
        #expect(nested(1000).status == 400)
    }

    @Test(arguments: [
        (String(repeating: "(", count: 400) + "a = :v" + String(repeating: ")", count: 400), "nest"),
        (String(repeating: "NOT ", count: 400) + "a = :v", "nest"),
        (Array(repeating: "a = :v", count: 200).joined(separator: " OR "), "operators"),
        ("((a = :v))", "redundant parentheses"), ("a = :v AND", "Syntax error"), ("a § :v", "Syntax error"),
        ("size(:v) = :v AND size(size(a)) = :v", "not allowed to be used this way"),
        ("a[99999999999999999999] = :v", "Syntax"),
        ("a BETWEEN :v AND", "Syntax error"), ("begins_with(a, b", "Syntax error"), ("a IN ()", "Syntax error"),
    ])
    func boundsExpressions(expression: String, message: String) {
        let answer = ask(
            "Scan",
            members: #""FilterExpression": "\#(expression)""#, #""ExpressionAttributeValues": {":v": {"S": "x"}}"#
        )
        #expect(answer.error == "ValidationException")
        #expect(answer.message.contains(message))
    }

    @Test func boundsTheLengthOfExpressions() {
        for (count, isTaken) in [(4096, true), (4097, false)] {
            let expression = "a = :v" + String(repeating: " ", count: count - 6)
            let answer = ask(
                "Scan",
                members: #""FilterExpression": "\#(expression)""#, #""ExpressionAttributeValues": {":v": {"S": "x"}}"#
            )
            #expect(answer.message.contains("size has exceeded") == !isTaken)
        }
    }

    @Test func knowsAllReservedWords() {
        #expect(ReservedWords.count == 573)
        for word in ["Path", "KEY", "value", "Identity", "localtimestamp"] { #expect(ReservedWords.contains(word)) }
        for word in ["Expires", "Paths", ""] { #expect(!ReservedWords.contains(word)) }
    }

    @Test func asksForAuthentication() throws {
        let bare = try Asking(makesTable: false)
        let handler = RequestHandler(bare.practice.store, .init(), .init(level: .error))
        let answer = handler.answer(
            .init(
                method: "POST", path: "/", headers: [("x-amz-target", "DynamoDB_20120810.ListTables")],
                body: Array("{}".utf8)))
        #expect(String(decoding: answer.body.bytes, as: UTF8.self).contains("#MissingAuthenticationTokenException"))
    }
}
