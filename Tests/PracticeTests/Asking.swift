import Foundation
import HTTPServer
import JSON
import Telemetry
import Zlib

@testable import Practice

/// A practice table in memory that is asked without a network.
final class Asking {
    static let table = "vault-dynamodb-backend"
    static let stockSchema = """
        "KeySchema": [{"AttributeName": "Path", "KeyType": "HASH"}, {"AttributeName": "Key", "KeyType": "RANGE"}],
        "AttributeDefinitions": [{"AttributeName": "Path", "AttributeType": "S"},
            {"AttributeName": "Key", "AttributeType": "S"}]
        """

    /// One answer, taken apart.
    struct Answer {
        let status: Int
        let text: String
        let response: HTTPServerResponse

        /// The error's name, empty for none.
        var error: String {
            guard status != 200 else { return "" }
            return (members["__type"] as? String).map { $0.split(separator: "#").last.map(String.init) ?? $0 } ?? text
        }

        var message: String { members["message"] as? String ?? members["Message"] as? String ?? "" }

        var members: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
        }

        func integer(_ name: String) -> Int? { members[name] as? Int }

        var units: Double? { (members["ConsumedCapacity"] as? [String: Any])?["CapacityUnits"] as? Double }
    }

    let practice: PracticeTable
    let handler: RequestHandler

    init(_ options: PracticeTable.Options = .init(), path: String? = nil, makesTable: Bool = true) throws {
        practice = try PracticeTable(path: path, options: options, logger: Logger(level: .error))
        handler = RequestHandler(practice.store, options, Logger(level: .error))
        guard makesTable else { return }
        let answer = self(
            "CreateTable", #"{"TableName": "\#(Self.table)", \#(Self.stockSchema), "BillingMode": "PAY_PER_REQUEST"}"#)
        precondition(answer.status == 200, answer.text)
    }

    deinit { practice.close() }

    var counts: RequestCounters.Snapshot { handler.counters.snapshot }

    /// Asks about the stock table.
    ///
    /// - Parameter members: JSON members of the request, beside the table's name.
    func callAsFunction(_ operation: String, members: String...) -> Answer {
        self(operation, "{\((["\"TableName\": \"\(Self.table)\""] + members).joined(separator: ", "))}")
    }

    func callAsFunction(_ operation: String, _ body: String) -> Answer { self(operation, Array(body.utf8)) }

    func callAsFunction(_ operation: String, _ body: [UInt8], headers: [(name: String, value: String)] = []) -> Answer {
        let response = handler.answer(Self.request(operation, body, headers: headers))
        return Answer(
            status: response.status, text: String(decoding: response.body.bytes, as: UTF8.self), response: response)
    }

    /// A request as it comes off the network.
    static func request(
        _ operation: String, _ body: [UInt8], headers: [(name: String, value: String)] = []
    ) -> HTTPServerRequest {
        HTTPServerRequest(
            method: "POST", path: "/",
            headers: [
                ("x-amz-target", "DynamoDB_20120810." + operation),
                ("authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request"),
            ] + headers, body: body)
    }

    /// The JSON of a key.
    static func key(_ path: String, _ key: String) -> String {
        #"{"Path": {"S": "\#(path)"}, "Key": {"S": "\#(key)"}}"#
    }

    /// The JSON of an item whose value is so many bytes.
    static func item(_ path: String, _ key: String, bytes: Int) -> String {
        let value = Data(repeating: 7, count: bytes).base64EncodedString()
        return #"{"Path": {"S": "\#(path)"}, "Key": {"S": "\#(key)"}, "Value": {"B": "\#(value)"}}"#
    }

    @discardableResult
    func put(_ path: String, _ key: String, bytes: Int) -> Answer {
        self(
            "PutItem",
            members: #""Item": \#(Self.item(path, key, bytes: bytes))"#, #""ReturnConsumedCapacity": "TOTAL""#
        )
    }

    /// Every page of a scan: the keys found, pages and units.
    func scan(segments: Int = 1, limit: Int? = nil) throws -> (keys: [[String]], pages: Int, units: Double) {
        var keys: [[String]] = []
        var (pages, units) = (0, 0.0)
        for segment in 0..<segments {
            var start: Any?
            repeat {
                var request: [String: Any] = [
                    "TableName": Self.table, "Segment": segment, "TotalSegments": segments, "ConsistentRead": true,
                    "ReturnConsumedCapacity": "TOTAL",
                ]
                request["Limit"] = limit
                request["ExclusiveStartKey"] = start
                let body = try JSONSerialization.data(withJSONObject: request)
                let answer = self("Scan", Array(body))
                precondition(answer.status == 200, answer.text)
                for item in answer.members["Items"] as? [[String: [String: Any]]] ?? [] {
                    keys.append([item["Path"]?["S"] as? String ?? "", item["Key"]?["S"] as? String ?? ""])
                }
                start = answer.members["LastEvaluatedKey"]
                pages += 1
                units += answer.units ?? 0
            } while start != nil
        }
        return (keys, pages, units)
    }
}
