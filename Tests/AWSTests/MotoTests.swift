import AWS
import JSON
import TestSupport
import Testing

/// Against moto, which knows the real service's requests and answers.
@Suite struct MotoTests {
    @Test func putsGetsAndScans() throws {
        let test = try TestClient(try PythonServer.moto.get().url, realTime: true)
        let missing = try #require(test.failure("DescribeTable", #"{"TableName":"none"}"#))
        #expect(missing.code == .noSuchResource)
        #expect(missing.exception == "ResourceNotFoundException")
        #expect(missing.attempts == 1)
        #expect(test.failure("Scan", #"{"TableName":"none","Segment":-1}"#) != nil)
        _ = try test.call(
            "CreateTable",
            """
            {"TableName":"calls","KeySchema":[{"AttributeName":"Path","KeyType":"HASH"},
            {"AttributeName":"Key","KeyType":"RANGE"}],"BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":
            [{"AttributeName":"Path","AttributeType":"S"},{"AttributeName":"Key","AttributeType":"S"}]}
            """)
        let item = #"{"Path":{"S":"a b"},"Key":{"S":"k"},"Value":{"B":"AAEC"}}"#
        _ = try test.call("PutItem", #"{"TableName":"calls","Item":\#(item)}"#)
        let got = try test.call(
            "GetItem", #"{"TableName":"calls","Key":{"Path":{"S":"a b"},"Key":{"S":"k"}},"ConsistentRead":true}"#)
        #expect(got.withRoot { $0["Item"]?["Value"]?["B"]?.text } == "AAEC")
        let scanned = try test.call("Scan", #"{"TableName":"calls","ReturnConsumedCapacity":"TOTAL"}"#)
        #expect(scanned.withRoot { $0["Count"]?.integer } == 1)
        let described = try test.call("DescribeTable", #"{"TableName":"calls"}"#)
        #expect(described.withRoot { $0["Table"]?["TableStatus"]?.text } == "ACTIVE")
        let refused = try #require(test.failure("PutItem", #"{"TableName":"calls","Item":{"Path":{"S":"a"}}}"#))
        #expect(refused.code == .validation)
        #expect(test.retries.all.isEmpty)
    }
}
