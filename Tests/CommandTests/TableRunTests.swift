import Foundation
import TestSupport
import Testing

/// Runs with tables that are stopped, killed or repeated with other options.
@Suite struct TableRunTests {
    private static let lockAttributes =
        #", "Identity":{"B":"aWRlbnRpdHktMQ=="},"Expires":{"N":"4000000000000000000"}"#

    private func waitFor(_ server: PracticeServer, _ action: String, _ count: Int) throws {
        try waitUntil("\(count) of \(action)") { try server.counts().requests[action, default: 0] >= count }
    }

    private func expectNoMarker(_ server: PracticeServer) throws {
        let found = try server.ask("GetItem", #""Key":{"Path":{"S":"core"},"Key":{"S":"migration"}}"#)
        #expect(!found.contains("Item"), "\(found)")
    }

    @Test(arguments: ["BatchWriteItem", "Scan"])
    func anInterruptTakesTheSourcesMarkerBack(_ action: String) throws {
        let sandbox = try Sandbox()
        let items = TableItems.many(4000, seed: 3)
        let server = try PracticeServer(
            sandbox, ["-import", try sandbox.write("items.jsonl", items.text), "-fault", "slow=1,slow-ms=300"])
        let raft = "\(sandbox.path)/raft"
        let configuration = try sandbox.configuration(server.store(), .raft(raft))
        let running = try sandbox.start(["operator", "migrate", "-config", configuration])
        // The first one only asks whether it may, the second writes the marker; a scan behind it is a part of the copy.
        try waitFor(server, "BatchWriteItem", 2)
        let scans = try server.counts().requests["Scan", default: 0]
        if action == "Scan" { try waitFor(server, action, scans + 1) }
        running.program.send(SIGINT)
        let outcome = try running.outcome()
        #expect(outcome.code == 130, "\(outcome.output)\(outcome.errors)")
        #expect(!outcome.errors.contains("could not be removed"), "\(outcome.errors)")
        try expectNoMarker(server)
        #expect(!exists(raft))
    }

    @Test func whatWasReadBesideAServerIsReadAgain() throws {
        let sandbox = try Sandbox()
        var items = TableItems()
        for entry in SampleEntry.initialised { items.add(entry.key, entry.value) }
        for number in 0..<50 { items.add("a/entry-\(number)") }
        items.add("core", "_lock", #"{"B":"bm9kZS0x"}"#, Self.lockAttributes)
        let server = try PracticeServer(sandbox, ["-import", try sandbox.write("items.jsonl", items.text)])
        let slow = try PracticeServer(sandbox, ["-fault", "slow=1,slow-ms=300"])
        let configuration = try sandbox.configuration(
            server.store(), slow.store("made", ["create_table": "on-demand"]))
        let running = try sandbox.start(
            ["operator", "migrate", "-config", configuration, "-source-in-use=allow"])
        // The second write is the first of the copy: everything has been read.
        try waitFor(slow, "BatchWriteItem", 2)
        running.program.send(SIGKILL)
        #expect(try running.outcome().code == -SIGKILL)
        // The server writes on, and is stopped.
        _ = try server.ask(
            "PutItem", #""Item":{"Path":{"S":"a"},"Key":{"S":"entry-7"},"Value":{"B":"bmV3ZXI="}}"#)
        _ = try server.ask("DeleteItem", #""Key":{"Path":{"S":"core"},"Key":{"S":"_lock"}}"#)
        let outcome = try sandbox.migrate(configuration)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("is read again"), "\(outcome.errors)")
        let check = try sandbox.sealift(["check", "-config", configuration])
        #expect(check.code == 0, "\(check.output)")
    }

    @Test func aSourceThatWasLetGoMeanwhileIsNotProven() throws {
        let sandbox = try Sandbox()
        var items = TableItems()
        for entry in SampleEntry.initialised { items.add(entry.key, entry.value) }
        let server = try PracticeServer(sandbox, ["-import", try sandbox.write("items.jsonl", items.text)])
        let slow = try PracticeServer(sandbox, ["-fault", "slow=1,slow-ms=1500"])
        let table = slow.store("made", ["create_table": "on-demand"])
        let running = try sandbox.start(
            ["operator", "migrate", "-config", try sandbox.configuration(server.store(), table)])
        try waitFor(slow, "BatchWriteItem", 2)
        _ = try server.ask("DeleteItem", #""Key":{"Path":{"S":"core"},"Key":{"S":"migration"}}"#)
        let outcome = try running.outcome()
        #expect(outcome.code == 2 && outcome.errors.contains("marker of this run was removed"), "\(outcome.errors)")
        let guarding = try sandbox.sealift(
            ["inspect", "ls", "-config", try sandbox.configuration(of: table), "core/"])
        #expect(guarding.output.contains("migration"), "\(guarding.output)")
    }

    @Test func aRunThatOnlyConfirmsLeavesNoJournal() throws {
        let sandbox = try Sandbox()
        var items = TableItems()
        for entry in SampleEntry.initialised + [SampleEntry("_hidden")] { items.add(entry.key, entry.value) }
        let server = try PracticeServer(sandbox, ["-import", try sandbox.write("items.jsonl", items.text)])
        let raft = Store.raft("\(sandbox.path)/raft")
        let configuration = try sandbox.configuration(server.store(), raft)
        #expect(try sandbox.migrate(configuration).code == 0)
        // As a run leaves them that is killed when it has put the directory in place.
        for name in ["proven", "journal.lmdb"] { try sandbox.write("raft.sealift/\(name)", "left") }
        let outcome = try sandbox.migrate(configuration)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("1: entry that listing hides"), "\(outcome.output)")
        #expect(!exists("\(raft.path).sealift/proven") && !exists("\(raft.path).sealift/journal.lmdb"))
    }

    @Test func listedOnlyConcernsTheSourceAlone() throws {
        let sandbox = try Sandbox()
        let server = try PracticeServer(sandbox, [])
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("a/_b/c")])
        let configuration = try sandbox.configuration(source, server.store("made", ["create_table": "on-demand"]))
        let outcome = try sandbox.migrate(configuration, ["-listed-only"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try sandbox.sealift(["check", "-listed-only", "-config", configuration]).code == 0)
    }

    @Test func aRateNextToNothingIsPlanned() throws {
        let sandbox = try Sandbox()
        let server = try PracticeServer(sandbox, [])
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let configuration = try sandbox.configuration(
            source, server.store("made", ["create_table": "on-demand", "max_wcu": "1e-300"]))
        let outcome = try sandbox.sealift(["plan", "-config", configuration])
        #expect(outcome.code == 0, "\(outcome.code) \(outcome.errors)")
    }
}

extension PracticeServer {
    /// Makes a request of the table `vault-dynamodb-backend`, unsigned as the server accepts it.
    func ask(_ action: String, _ members: String) throws -> String {
        let key = "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/dynamodb/aws4_request, "
        return try sandbox.shell(
            "curl -fsS \(endpoint) -H 'X-Amz-Target: DynamoDB_20120810.\(action)' "
                + "-H 'Authorization: \(key)SignedHeaders=host, Signature=00' "
                + "-d '{\"TableName\":\"vault-dynamodb-backend\",\(members)}'")
    }
}
