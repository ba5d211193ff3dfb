import Foundation
import HTTPServer
import Synchronization
import Testing

@testable import Practice

@Suite struct FaultTests {
    private static func plan(_ text: String) throws -> FaultPlan {
        var plan = FaultPlan()
        try plan.add(text)
        return plan
    }

    /// What happened to each of some requests.
    private static func fates(_ text: String, requests: Int = 400) throws -> (fates: [String], ask: Asking) {
        var options = PracticeTable.Options()
        options.faults = try plan(text)
        let ask = try Asking(options, makesTable: false)
        let fates = (0..<requests).map { _ in
            let answer = ask("ListTables", "{}")
            return "\(answer.status) \(answer.error) \(answer.response.delivery) \(answer.response.headers.count)"
        }
        return (fates, ask)
    }

    @Test func sameSeedSameFaults() throws {
        let text = "throttle=0.2,http500=0.05,drop=0.1,truncate=0.1,crc=0.1,seed="
        let (first, ask) = try Self.fates(text + "7")
        #expect(try Self.fates(text + "7").fates == first)
        #expect(try Self.fates(text + "8").fates != first)
        let counts = ask.counts.faults
        for (kind, range) in [
            ("throttle", 40...110), ("http500", 5...45), ("drop", 20...70), ("truncate", 15...65), ("crc", 15...65),
        ] { #expect(range.contains(counts[kind] ?? 0), "\(kind): \(counts)") }
        #expect(ask.counts.throttles == counts["throttle"])
        #expect(Set(first.map { $0.prefix(4) }).isSuperset(of: ["200 ", "400 ", "500 ", "0  d"]))
    }

    @Test func leavesItemsOfBatchesUnprocessed() throws {
        var options = PracticeTable.Options()
        options.faults = try Self.plan("unprocessed=0.5,seed=3")
        let ask = try Asking(options)
        let requests = (0..<25).map { #"{"PutRequest": {"Item": \#(Asking.item("a", "k\($0)", bytes: 9))}}"# }
        let answer = ask(
            "BatchWriteItem", #"{"RequestItems": {"\#(Asking.table)": [\#(requests.joined(separator: ","))]}}"#)
        let left = (answer.members["UnprocessedItems"] as? [String: [Any]])?[Asking.table] ?? []
        #expect((4...21).contains(left.count))
        #expect(try ask.scan().keys.count == 25 - left.count)
        // What is handed back can be sent again as it is.
        var rest: Any = [Asking.table: left]
        while let items = rest as? [String: Any], !items.isEmpty {
            let again = ask(
                "BatchWriteItem", Array(try JSONSerialization.data(withJSONObject: ["RequestItems": items])))
            #expect(again.error == "" || again.error == "ProvisionedThroughputExceededException")
            rest = again.members["UnprocessedItems"] ?? items
        }
        #expect(try ask.scan().keys.count == 25)
    }

    @Test func endsCredentialsAndTables() throws {
        var options = PracticeTable.Options()
        options.faults = try Self.plan("expired-after=3")
        let expiring = try Asking(options)
        #expect(["", "", "ExpiredTokenException"] == (0..<3).map { _ in expiring("ListTables", "{}").error })
        let fresh = expiring("ListTables", Array("{}".utf8), headers: [("x-amz-security-token", "new")])
        #expect(fresh.error == "")

        options.faults = try Self.plan("delete-table-after=2")
        let losing = try Asking(options)
        #expect(losing.put("a", "b", bytes: 1).error == "")
        #expect(losing.put("a", "b", bytes: 1).error == "ResourceNotFoundException")
        #expect(losing.counts.faults["delete-table-after"] == 1)
    }

    @Test func deniesOperations() throws {
        var options = PracticeTable.Options()
        options.faults = try Self.plan("deny=Query,deny=PutItem")
        #expect(!options.faults.isEmpty)
        let ask = try Asking(options)
        let refused = ask.put("a", "b", bytes: 1)
        #expect(refused.error == "AccessDeniedException" && refused.message.contains("dynamodb:PutItem"))
        #expect(try ask.scan().keys.isEmpty)
        #expect(ask.counts.faults["deny"] == 1)
    }

    @Test(arguments: [
        ("deny=Quarry", "name an operation"), ("throtle=0.2", "Did you mean \"throttle\"?"),
        ("throttle=2", "between 0 and 1"), ("throttle", "has no value"),
        ("seed=x", "whole number"), ("expired-after=-1", "whole number"), ("zzzzzzzz=1", "Known are throttle"),
        ("throttle=nan", "between 0 and 1"),
    ])
    func refuses(text: String, message: String) {
        var plan = FaultPlan()
        let error = #expect(throws: FaultPlanError.self) { try plan.add(text) }
        #expect(error?.description.contains(message) == true)
    }

    @Test func throttlesProvisionedTables() throws {
        let now = Mutex(0.0)
        for allowsBursts in [false, true] {
            let meter = CapacityMeter(allowsBursts: allowsBursts) { now.withLock { $0 } }
            let table = TableDefinition(
                name: "t", number: 1, partitionKey: .init(name: "a", type: .string), sortKey: nil,
                billing: .provisioned(read: 10, write: 2), createdAt: 0)
            var taken = 0
            while meter.mayWrite(table) {
                meter.take(Consumption(write: 1), from: table)
                taken += 1
            }
            #expect(taken == (allowsBursts ? 600 : 2))
            #expect(meter.mayRead(table))
            meter.take(Consumption(read: 10 * (allowsBursts ? 300 : 1) + 20), from: table)
            now.withLock { $0 += 1.9 }
            #expect(!meter.mayRead(table))
            #expect(meter.mayWrite(table))
            now.withLock { $0 += 0.2 }
            #expect(meter.mayRead(table))
        }
    }

    @Test func partOfABatchIsThrottled() throws {
        var options = PracticeTable.Options()
        options.allowsBursts = false
        let ask = try Asking(options, makesTable: false)
        _ = ask(
            "CreateTable",
            members: Asking.stockSchema,
            #""ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}"#
        )
        let requests = (0..<10).map { #"{"PutRequest": {"Item": \#(Asking.item("a", "k\($0)", bytes: 9))}}"# }
        let body = #"{"RequestItems": {"\#(Asking.table)": [\#(requests.joined(separator: ","))]}}"#
        let left = (ask("BatchWriteItem", body).members["UnprocessedItems"] as? [String: [Any]])?[Asking.table]
        #expect((4...6).contains(left?.count ?? 0))
        #expect(ask.counts.throttles == left?.count)
    }
}
