import Foundation
import Testing

/// Runs with credentials that may not do everything, and what is found out before the first write.
@Suite struct DynamoDBPermissionTests {
    private static func server(_ sandbox: Sandbox, denying actions: [String]) throws -> PracticeServer {
        var items = TableItems()
        for entry in SampleEntry.initialised { items.add(entry.key, entry.value) }
        items.add("logical/a/b")
        let faults = actions.flatMap { ["-fault", "deny=\($0)"] }
        return try PracticeServer(sandbox, ["-import", try sandbox.write("items.jsonl", items.text)] + faults)
    }

    @Test func aMigrationNeedsNoQueries() throws {
        let sandbox = try Sandbox()
        let server = try Self.server(sandbox, denying: ["Query", "PutItem", "UpdateItem"])
        let before = try server.ask("Scan", #""ConsistentRead":true"#)
        let outcome = try sandbox.migrate(
            try sandbox.configuration(server.store(), .raft("\(sandbox.path)/raft")))
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(!(outcome.output + outcome.errors).contains("could not be removed"), "\(outcome.errors)")
        #expect(try server.ask("Scan", #""ConsistentRead":true"#) == before)
        let list = try sandbox.sealift(
            ["inspect", "ls", "-config", try sandbox.configuration(of: server.store()), "core/"])
        #expect(list.code == 2 && list.errors.contains("dynamodb:Query"), "\(list.errors)")
    }

    @Test(arguments: [
        (["Scan"], "dynamodb:Scan, which reading", false), (["DeleteItem"], "dynamodb:DeleteItem, which the mig", true),
        (["BatchWriteItem", "DeleteItem"], "dynamodb:BatchWriteItem and dynamodb:DeleteItem, which", true),
        (["GetItem"], "dynamodb:GetItem", false),
    ])
    func whatASourceNeedsIsFoundOutFirst(_ denied: [String], _ words: String, _ isForMarker: Bool) throws {
        let sandbox = try Sandbox()
        let server = try Self.server(sandbox, denying: denied)
        let configuration = try sandbox.configuration(server.store(), .raft("\(sandbox.path)/raft"))
        for flags in [[], ["-dry-run"]] {
            let outcome = try sandbox.migrate(configuration, flags)
            // A dry run reads all there is before it lists obstacles, and so may fail over the first action itself.
            let wanted = flags.isEmpty ? words[...] : words.prefix { $0 != "," }
            #expect(outcome.code == 2 && outcome.errors.contains(wanted), "\(outcome.errors)")
        }
        #expect(try server.counts().writeUnits == 0)
        #expect(!exists("\(sandbox.path)/raft"))
        let readOnly = try sandbox.migrate(configuration, ["-read-only-source"])
        #expect(readOnly.code == (isForMarker ? 0 : 2), "\(readOnly.errors)")
    }

    @Test func whatADestinationNeedsIsFoundOutFirst() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let before = try sandbox.shell("ls -lR --time-style=full-iso '\(source.path)'")
        let server = try Self.server(sandbox, denying: ["BatchWriteItem", "DeleteItem", "Scan"])
        for flags in [[], ["-dry-run"]] {
            let outcome = try sandbox.migrate(try sandbox.configuration(source, server.store()), flags)
            #expect(outcome.code == 2)
            for words in [
                "dynamodb:Scan, which reading", "dynamodb:BatchWriteItem and dynamodb:DeleteItem, which filling",
            ] {
                #expect(outcome.errors.contains(words), "\(outcome.errors)")
            }
        }
        #expect(try server.counts().writeUnits == 0)
        #expect(try sandbox.shell("ls -lR --time-style=full-iso '\(source.path)'") == before)
    }

    /// A lock on the table that is to be filled is no matter of the source.
    @Test func adviceFitsTheSideThatIsInUse() throws {
        let sandbox = try Sandbox()
        var items = TableItems()
        items.add(
            "core", "_lock", #"{"B":"bm9kZS0x"}"#,
            #", "Identity":{"B":"aWRlbnRpdHktMQ=="},"Expires":{"N":"4000000000000000000"}"#)
        let server = try PracticeServer(sandbox, ["-import", try sandbox.write("items.jsonl", items.text)])
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        for flags in [[], ["-source-in-use=allow"]] {
            let outcome = try sandbox.migrate(try sandbox.configuration(source, server.store()), flags)
            #expect(
                outcome.code == 2 && outcome.errors.contains("name another table as destination"), "\(outcome.errors)")
            #expect(!outcome.errors.contains("-source-in-use"), "\(outcome.errors)")
        }
    }

    @Test func oneTableReadInTwoMannersIsOneStore() throws {
        let sandbox = try Sandbox()
        let server = try Self.server(sandbox, denying: [])
        let other = server.endpoint.replacing("127.0.0.1", with: "localhost")
        for options in [["consistent_read": "false"], [:]] {
            let outcome = try sandbox.migrate(
                try sandbox.configuration(
                    server.store("vault-dynamodb-backend", options),
                    .dynamodb("vault-dynamodb-backend", endpoint: other, [:])))
            #expect(outcome.code == 2 && outcome.errors.contains("are the same store"), "\(outcome.errors)")
        }
    }
}
