import Foundation
import TestSupport
import Testing

/// The backups of a practice table and the ways back, with the `aws` command.
@Suite struct AWSCommandTests {
    private let sandbox: Sandbox
    private let server: PracticeServer

    init() throws {
        sandbox = try Sandbox()
        try makeFolder("\(sandbox.path)/bin")
        try makeFolder("\(sandbox.path)/buckets")
        // Its own program may not be in the path that the tests' python3 is in.
        let command = try sandbox.write("bin/aws", "#!/bin/sh\nexec python3 -m awscli \"$@\"\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: command)
        sandbox.environment["PATH"] =
            "\(sandbox.path)/bin:" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
        sandbox.environment["AWS_ACCESS_KEY_ID"] = "practice"
        sandbox.environment["AWS_SECRET_ACCESS_KEY"] = "practice"
        let items = try sandbox.write("items.jsonl", TableItems.many(500, seed: 9).text)
        server = try PracticeServer(sandbox, ["-import", items, "-exports", "\(sandbox.path)/buckets"])
    }

    private func aws(_ command: String) throws -> [String: Any] {
        let text = try sandbox.shell(
            "aws dynamodb \(command) --endpoint-url \(server.endpoint) --region us-east-1 --output json")
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test func theBackupOfThePlanIsMadeAndRestored() throws {
        let before = try sandbox.digest(of: server.store())
        let file = try sandbox.configuration(server.store(), .raft("\(sandbox.path)/raft"))
        let plan = try sandbox.sealift(["plan", "-config", file])
        #expect(plan.code == 0, "\(plan.errors)")
        let command = try #require(plan.output.firstMatch(of: /aws dynamodb create-backup [^,]+/)).output
        #expect(try sandbox.shell("\(command) --output json").contains("before-migration"))
        let list = try aws("list-backups --table-name vault-dynamodb-backend")
        let summaries = try #require(list["BackupSummaries"] as? [[String: Any]])
        let name = try #require(summaries.first?["BackupArn"] as? String)
        #expect(summaries.count == 1 && summaries.first?["BackupName"] as? String == "before-migration")

        // What came to the table since is not in the backup.
        _ = try server.ask("PutItem", #""Item":{"Path":{"S":"logical"},"Key":{"S":"later"},"Value":{"B":"bmV3"}}"#)
        #expect(try sandbox.digest(of: server.store()) != before)
        _ = try aws("restore-table-from-backup --target-table-name restored --backup-arn \(name)")
        _ = try sandbox.shell(
            "aws dynamodb wait table-exists --table-name restored --endpoint-url \(server.endpoint) --region us-east-1")
        let table = try #require(try aws("describe-table --table-name restored")["Table"] as? [String: Any])
        #expect((table["RestoreSummary"] as? [String: Any])?["SourceBackupArn"] as? String == name)
        #expect(try sandbox.digest(of: server.store("restored")) == before)
        let deleted = try aws("delete-backup --backup-arn \(name)")
        #expect("\(deleted)".contains("DELETED"))
    }

    @Test func aPointInTimeIsRestoredAndExported() throws {
        let table = "vault-dynamodb-backend"
        let on = try aws(
            "update-continuous-backups --table-name \(table) --point-in-time-recovery-specification "
                + "PointInTimeRecoveryEnabled=true,RecoveryPeriodInDays=3")
        #expect("\(on)".contains("RecoveryPeriodInDays"))
        let before = try sandbox.digest(of: server.store())
        // The command takes whole seconds.
        let moment = Int(Date().timeIntervalSince1970) + 2
        try waitUntil("the second is over") { Date().timeIntervalSince1970 > Double(moment) + 0.1 }
        _ = try server.ask("PutItem", #""Item":{"Path":{"S":"logical"},"Key":{"S":"later"},"Value":{"B":"bmV3"}}"#)
        _ = try aws(
            "restore-table-to-point-in-time --source-table-name \(table) --target-table-name past "
                + "--restore-date-time \(moment)")
        #expect(try sandbox.digest(of: server.store("past")) == before)

        let identity = "arn:aws:dynamodb:us-east-1:000000000000:table/\(table)"
        let begun = try aws(
            "export-table-to-point-in-time --table-arn \(identity) --s3-bucket vault --export-time \(moment)")
        let export = try #require((begun["ExportDescription"] as? [String: Any])?["ExportArn"] as? String)
        var manifest: String?
        try waitUntil("the export is complete") {
            let found = try aws("describe-export --export-arn \(export)")["ExportDescription"] as? [String: Any]
            if found?["ExportStatus"] as? String == "COMPLETED" { manifest = found?["ExportManifest"] as? String }
            return manifest != nil
        }
        let folder =
            "\(sandbox.path)/buckets/vault/"
            + (try #require(manifest)).split(separator: "/").dropLast()
            .joined(separator: "/")
        let file = try sandbox.write(
            "export.hcl",
            "storage_source \"dynamodb_export\" {\n  path = \"\(folder)\"\n}\n"
                + Store.sqlite("\(sandbox.path)/out.db").block("storage_destination"))
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try sandbox.digest(of: .sqlite("\(sandbox.path)/out.db")) == before)
    }

    @Test func whatIsNotServedIsNamed() throws {
        let outcome = try sandbox.startShell(
            "aws dynamodb describe-endpoints --endpoint-url \(server.endpoint) --region us-east-1"
        ).outcome()
        #expect(outcome.code != 0 && outcome.errors.contains("RestoreTableToPointInTime"), "\(outcome.errors)")
    }
}
