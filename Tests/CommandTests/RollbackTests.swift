import Foundation
import TestSupport
import Testing

/// Migrations that are taken back, with what was written since.
@Suite struct RollbackTests {
    private struct Trial {
        let sandbox: Sandbox
        let file: String
        let report: String
        let old: Store
        let new: Store

        /// A migration that was done, and a new store that has changed since.
        init(_ oldKind: String, _ newKind: String) throws {
            sandbox = try Sandbox()
            let entries =
                SampleEntry.initialised + (0..<200).map { SampleEntry("logical/m/e\($0)", Array("\($0)".utf8)) }
            old =
                oldKind == "file"
                ? try sandbox.makeFileStore("old", entries) : try sandbox.makeSQLiteStore("old.db", entries)
            new = sandbox.store(newKind, "new")
            file = try sandbox.configuration(old, new)
            let done = try sandbox.migrate(file, ["-state-dir", "\(sandbox.path)/state"])
            try #require(done.code == 0, "\(done.errors)")
            report = "\(sandbox.path)/state/report.json"
        }

        func changeNew() throws {
            switch new {
            case .file(let path):
                try sandbox.shell(
                    """
                    cd '\(path)/logical/m'; rm _e1 _e2; echo '{"Value":"AAAA"}' > _e3; cp _e3 _new
                    echo '{"Value":"AAAA"}' > ../../core/_keyring
                    """)
            default:
                try sandbox.sql(
                    new.path,
                    """
                    DELETE FROM vault_kv_store WHERE CAST(key AS TEXT) IN ('logical/m/e1', 'logical/m/e2');
                    UPDATE vault_kv_store SET value = x'00' WHERE CAST(key AS TEXT) IN ('logical/m/e3', 'core/keyring');
                    INSERT INTO vault_kv_store (key, value) VALUES (CAST('logical/m/new' AS BLOB), x'00')
                    """)
            }
        }

        func rollback(_ flags: [String] = ["-run"]) throws -> Outcome {
            try sandbox.sealift(["operator", "rollback", "-report", report] + flags)
        }
    }

    @Test(arguments: [("file", "sqlite"), ("sqlite", "file"), ("sqlite", "sqlite")])
    func onlyTheDifferenceGoesBack(_ old: String, _ new: String) throws {
        let trial = try Trial(old, new)
        try trial.changeNew()
        let before = try trial.sandbox.digest(of: trial.old)
        let told = try trial.rollback([])
        #expect(told.code == 0 && told.output.hasPrefix("Nothing was done."), "\(told.errors)")
        #expect(told.output.contains("sha256:\(before)") && told.output.contains("-run"))
        #expect(try trial.sandbox.digest(of: trial.old) == before)
        let outcome = try trial.rollback()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.hasPrefix("Success! The old store holds what the new one holds"))
        #expect(outcome.output.contains("Put right     1 added, 2 changed, 2 removed"), "\(outcome.output)")
        #expect(try trial.sandbox.digest(of: trial.old) == trial.sandbox.digest(of: trial.new))
        #expect(try trial.sandbox.digest(of: trial.old) != before)
        for store in [trial.old, trial.new] { #expect(try !hasMarker(trial.sandbox, store)) }
    }

    /// An old store that is not as it was left is not touched.
    @Test func anOldStoreThatWasWrittenToIsLeftAlone() throws {
        let trial = try Trial("sqlite", "file")
        try trial.changeNew()
        try trial.sandbox.sql(
            trial.old.path, "INSERT INTO vault_kv_store VALUES (CAST('logical/m/e150x' AS BLOB), x'01')")
        let before = try trial.sandbox.digest(of: trial.old)
        // Nor is it after runs that were cut off while they looked.
        var random = SeededRandom(9)
        for _ in 0..<8 {
            let started = try trial.sandbox.start(["operator", "rollback", "-report", trial.report, "-run"])
            usleep(UInt32(random.next() % 40_000))
            started.program.send(SIGKILL)
            _ = try started.program.wait()
        }
        #expect(try trial.sandbox.digest(of: trial.old) == before)
        let outcome = try trial.rollback()
        #expect(
            outcome.code == 3 && outcome.errors.contains("does not hold any more what the migration has read from it"))
        #expect(try trial.sandbox.digest(of: trial.old) == before)
        for store in [trial.old, trial.new] { #expect(try !hasMarker(trial.sandbox, store)) }
    }

    /// What a run that was cut off while it wrote has left counts only as long as the old store carries its marker.
    @Test func aStoreThatWasPutBackIsLookedAtAgain() throws {
        let trial = try Trial("sqlite", "file")
        try trial.changeNew()
        try trial.sandbox.sql(
            trial.old.path, "INSERT INTO vault_kv_store VALUES (CAST('logical/m/later' AS BLOB), x'01')")
        let before = try trial.sandbox.digest(of: trial.old)
        let flags = ["-run", "-state-dir", "\(trial.sandbox.path)/back"]
        #expect(try trial.rollback(flags).code == 3)
        #expect(!exists("\(trial.sandbox.path)/back/manifest-pending.txt"))
        try trial.sandbox.write("back/writing", "rollback\n")
        try trial.sandbox.write("back/proven", "0000\n")
        let outcome = try trial.rollback(flags)
        #expect(
            outcome.code == 3 && outcome.errors.contains("does not hold any more what the migration has read from it"))
        #expect(try trial.sandbox.digest(of: trial.old) == before)
    }

    /// Killed at any moment, it is taken up, although the old store is not as it was then.
    @Test func itIsTakenUpAfterAKill() throws {
        let trial = try Trial("sqlite", "file")
        try trial.changeNew()
        var random = SeededRandom(5)
        for _ in 0..<8 {
            let started = try trial.sandbox.start(["operator", "rollback", "-report", trial.report, "-run"])
            usleep(UInt32(random.next() % 40_000))
            started.program.send(SIGKILL)
            if try started.program.wait() == 0 { break }
        }
        let last = try trial.rollback()
        let isDone = last.code == 3 && !last.errors.isEmpty
        #expect(last.code == 0 || isDone, "\(last.errors)")
        #expect(try trial.sandbox.digest(of: trial.old) == trial.sandbox.digest(of: trial.new))
    }

    @Test func whatIsNoReportIsRefused() throws {
        let trial = try Trial("file", "sqlite")
        let good = try text(of: trial.report)
        for (text, says) in [
            ("", "-report"), ("nonsense", "-report"), ("{}", "no report of a migration"),
            ("[1]", "no report of a migration"),
            (good.replacing("\"migrated and proven\"", with: "\"failed\""), "this one: failed"),
            (good.replacing("\"partial\": false", with: "\"partial\": true"), "only a migration of a whole store"),
            (good.replacing(trial.old.path, with: "/nowhere/else"), "the report tells of"),
        ] {
            try trial.sandbox.write("state/report.json", text)
            let outcome = try trial.rollback(["-run", "-config", trial.file])
            #expect(outcome.code == 1 && outcome.errors.contains(says), "\(outcome.errors)")
        }
        let missing = try trial.sandbox.sealift(["operator", "rollback"])
        #expect(missing.code == 1 && missing.errors.contains("Name the migration's report"))
    }

    /// Into a directory nothing is written back.
    @Test func aDirectoryIsNotWrittenTo() throws {
        let trial = try Trial("file", "raft")
        let back = try trial.rollback()
        #expect(back.code == 0 && back.output.contains("0 added, 0 changed, 0 removed"), "\(back.errors)")
        let other = try trial.sandbox.configuration(
            trial.new, .sqlite("\(trial.sandbox.path)/third.db"), name: "third.hcl")
        #expect(try trial.sandbox.migrate(other, ["-state-dir", "\(trial.sandbox.path)/third"]).code == 0)
        let refused = try trial.sandbox.sealift(
            ["operator", "rollback", "-report", "\(trial.sandbox.path)/third/report.json", "-run"])
        #expect(refused.code == 1 && refused.errors.contains("is built whole and never changed"), "\(refused.errors)")
    }

    private func hasMarker(_ sandbox: Sandbox, _ store: Store) throws -> Bool {
        switch store {
        case .file(let path): return exists("\(path)/core/_migration")
        case .raft: return false
        default:
            let marker = "SELECT count(*) FROM vault_kv_store WHERE CAST(key AS TEXT) = 'core/migration'"
            return try sandbox.sql(store.path, marker) == "1\n"
        }
    }
}
