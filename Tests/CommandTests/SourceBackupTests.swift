import Foundation
import TestSupport
import Testing

/// `operator migrate -source-backup`.
@Suite struct SourceBackupTests {
    private func server(_ sandbox: Sandbox, _ flags: [String]) throws -> PracticeServer {
        let items = try sandbox.write("items.jsonl", TableItems.many(3000, seed: 5).text)
        return try PracticeServer(sandbox, ["-import", items] + flags)
    }

    private func backups(_ server: PracticeServer) throws -> Int {
        try server.ask("ListBackups", #""BackupType":"USER""#).components(separatedBy: "BackupArn").count - 1
    }

    @Test func aBackupIsMadeAndWaitedForFirst() throws {
        let sandbox = try Sandbox()
        let server = try server(sandbox, ["-backup-seconds", "2"])
        let file = try sandbox.configuration(server.store(), .raft("\(sandbox.path)/raft"))
        let words = ["-source-backup=before-the-move"]
        let dry = try sandbox.migrate(file, words + ["-dry-run"])
        #expect(dry.code == 0 && dry.output.contains("would have the source backed up"), "\(dry.errors)")
        #expect(try backups(server) == 0)

        // Killed while it waits: nothing kept a server from the source since, so that the next run makes another.
        let scans = try server.counts().requests["Scan"] ?? 0
        let started = try sandbox.start(["operator", "migrate", "-config", file] + words)
        try waitUntil("a backup is asked for") { try server.counts().requests["DescribeBackup"] ?? 0 > 0 }
        started.program.send(SIGKILL)
        #expect(try started.outcome().code == -SIGKILL)
        // Whether it may read was tried, nothing was read.
        #expect(try (server.counts().requests["Scan"] ?? 0) - scans <= 1)
        #expect(!exists("\(sandbox.path)/raft"))
        let outcome = try sandbox.migrate(file, words + ["-format=json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try backups(server) == 2)
        let result = try #require(try outcome.events().last)
        let backup = try #require(result["source_backup"] as? [String: String])
        #expect(backup["name"] == "before-the-move")
        #expect(backup["resource_name"]?.hasPrefix("arn:aws:dynamodb:us-east-1:000000000000:table/") == true)
        let page = try text(of: "\(sandbox.path)/raft.sealift/report.html")
        #expect(page.contains(try #require(backup["resource_name"])))
    }

    /// Behind a marker on the source, a run that goes on uses the backup that it has; one that was deleted is made again.
    @Test(arguments: [false, true])
    func aRunThatGoesOnUsesItsBackup(_ isDeleted: Bool) throws {
        let sandbox = try Sandbox()
        let server = try server(sandbox, ["-fault", "slow=1,slow-ms=60"])
        let file = try sandbox.configuration(server.store(), .raft("\(sandbox.path)/raft"))
        let words = ["operator", "migrate", "-config", file, "-max-parallel", "1", "-source-backup=before"]
        let started = try sandbox.start(words)
        try waitUntil("the source has its marker") { try server.counts().writeUnits > 0 }
        started.program.send(SIGKILL)
        #expect(try started.outcome().code == -SIGKILL)
        let list = try server.ask("ListBackups", #""BackupType":"USER""#)
        let name = try #require(list.firstMatch(of: /"BackupArn":"([^"]+)"/)).output.1
        if isDeleted { _ = try server.ask("DeleteBackup", "\"BackupArn\":\"\(name)\"") }
        let outcome = try sandbox.sealift(words + ["-format=json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try backups(server) == 1)
        let backup = try #require(try outcome.events().last?["source_backup"] as? [String: String])
        #expect((backup["resource_name"] == String(name)) != isDeleted)
    }

    /// While a backup is waited for, a server can start.
    @Test func aServerThatStartsMeanwhileIsNoticed() throws {
        let sandbox = try Sandbox()
        let server = try server(sandbox, ["-backup-seconds", "3"])
        let file = try sandbox.configuration(server.store(), .raft("\(sandbox.path)/raft"))
        let started = try sandbox.start(["operator", "migrate", "-config", file, "-source-backup=before"])
        try waitUntil("a backup is asked for") { try server.counts().requests["DescribeBackup"] ?? 0 > 0 }
        _ = try server.ask(
            "PutItem",
            #""Item":{"Path":{"S":"core"},"Key":{"S":"_lock"},"Value":{"B":"bm9kZS0x"},"Identity":{"B":"bWU="},"#
                + #""Expires":{"N":"4000000000000000000"}}"#)
        let outcome = try started.outcome()
        #expect(outcome.code == 2 && outcome.errors.contains("in use"), "\(outcome.errors)")
        #expect(!exists("\(sandbox.path)/raft"))
    }

    /// What a warm pass has backed up was written to since.
    @Test func everyPassMakesItsOwn() throws {
        let sandbox = try Sandbox()
        let server = try server(sandbox, [])
        let file = try sandbox.configuration(server.store(), .sqlite("\(sandbox.path)/dst.db"))
        #expect(try sandbox.migrate(file, ["-mode=warm", "-source-backup=before"]).code == 4)
        #expect(try sandbox.migrate(file, ["-mode=final", "-source-backup=before"]).code == 0)
        #expect(try backups(server) == 2)
    }

    @Test func whatCannotBeBackedUpIsRefusedFirst() throws {
        let sandbox = try Sandbox()
        let server = try server(sandbox, ["-fault", "deny=CreateBackup"])
        let file = try sandbox.configuration(server.store(), .raft("\(sandbox.path)/raft"))
        for (name, message) in [
            ("before", "dynamodb:CreateBackup, which -source-backup needs"), ("a b", "letters, digits"),
        ] {
            for more in [[], ["-dry-run"]] {
                let outcome = try sandbox.migrate(file, ["-source-backup=\(name)"] + more)
                #expect(outcome.code == 2 && outcome.errors.contains(message), "\(outcome.errors)")
            }
        }
        #expect(try server.counts().writeUnits == 0 && !exists("\(sandbox.path)/raft"))
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let other = try sandbox.configuration(source, .raft("\(sandbox.path)/raft"))
        let outcome = try sandbox.migrate(other, ["-source-backup=before"])
        #expect(outcome.code == 1 && outcome.errors.contains("has none"), "\(outcome.errors)")
    }
}
