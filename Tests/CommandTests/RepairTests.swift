import Foundation
import TestSupport
import Testing

/// Destinations that differ are put right, as far as they may be.
@Suite struct RepairTests {
    private func migrated(_ kind: String) throws -> (Sandbox, file: String, Store, Store) {
        let sandbox = try Sandbox()
        let entries = SampleEntry.initialised + (0..<300).map { SampleEntry("logical/m/e\($0)", Array("\($0)".utf8)) }
        let source = try sandbox.makeSQLiteStore("src.db", entries)
        let destination = sandbox.store(kind, "dst")
        let file = try sandbox.configuration(source, destination)
        let done = try sandbox.migrate(file)
        try #require(done.code == 0, "\(done.errors)")
        return (sandbox, file, source, destination)
    }

    /// One gone, one changed, two swapped and, if wanted, one added.
    private func damage(_ sandbox: Sandbox, _ store: Store, addsOne: Bool) throws {
        switch store {
        case .file(let path):
            try sandbox.shell(
                """
                cd '\(path)/logical/m'; rm _e7; echo '{"Value":"AAAA"}' > _e8; mv _e9 x; mv _e10 _e9; mv x _e10
                \(addsOne ? "cp _e8 _new" : "")
                """)
        default:
            func key(_ name: String) -> String { "CAST(key AS TEXT) = 'logical/m/\(name)'" }
            try sandbox.sql(
                store.path,
                """
                DELETE FROM vault_kv_store WHERE \(key("e7")); UPDATE vault_kv_store SET value = x'00' WHERE \(key("e8"));
                UPDATE vault_kv_store SET value = CAST('10' AS BLOB) WHERE \(key("e9"));
                UPDATE vault_kv_store SET value = CAST('9' AS BLOB) WHERE \(key("e10"))
                """ + (addsOne ? ";INSERT INTO vault_kv_store VALUES (CAST('logical/m/new' AS BLOB), x'00')" : ""))
        }
    }

    @Test(arguments: ["file", "sqlite"])
    func whatTheReportNamesIsPutRight(_ kind: String) throws {
        let (sandbox, file, source, destination) = try migrated(kind)
        try damage(sandbox, destination, addsOne: false)
        let found = try sandbox.startShell("\"$0\" check -config '\(file)' -format=json > '\(sandbox.path)/check.json'")
            .outcome()
        #expect(found.code == 3)
        let repaired = try sandbox.sealift(["repair", "-config", file, "-from", "\(sandbox.path)/check.json"])
        #expect(repaired.code == 0, "\(repaired.errors)")
        #expect(repaired.output.hasPrefix("Success! The destination holds what the source holds again."))
        #expect(repaired.output.contains("Put right     1 added, 3 changed, 0 removed"), "\(repaired.output)")
        #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
        let again = try sandbox.sealift(["repair", "-config", file, "-from", "\(sandbox.path)/check.json"])
        #expect(again.code == 0 && again.output.contains("nothing had to be written"), "\(again.errors)")
        #expect(try sandbox.sealift(["check", "-config", file]).code == 0)
        // Something else has changed since the report: nothing is written.
        try damage(sandbox, destination, addsOne: false)
        let one = try text(of: "\(sandbox.path)/check.json").split(separator: "\n").filter { !$0.contains("e8") }
        try sandbox.write("short.json", one.joined(separator: "\n") + "\n")
        let before = try sandbox.digest(of: destination)
        let refused = try sandbox.sealift(["repair", "-config", file, "-from", "\(sandbox.path)/short.json"])
        #expect(
            refused.code == 3
                && refused.errors.contains("1 more entry differs than the report says, logical/m/e8 first"),
            "\(refused.errors)")
        #expect(try sandbox.digest(of: destination) == before)
        #expect(try names(sandbox, destination).contains("core/migration") == false)
    }

    @Test(arguments: ["file", "sqlite"])
    func whatOnlyTheDestinationHasStaysUnlessTold(_ kind: String) throws {
        let (sandbox, file, source, destination) = try migrated(kind)
        try damage(sandbox, destination, addsOne: true)
        let before = try sandbox.digest(of: destination)
        let refused = try sandbox.sealift(["repair", "-config", file])
        #expect(refused.code == 3 && refused.errors.contains("1 entry is only at the destination"))
        #expect(refused.errors.contains("only at the destination"), "\(refused.errors)")
        #expect(try sandbox.digest(of: destination) == before)
        #expect(try names(sandbox, destination).contains("core/migration") == false)
        let repaired = try sandbox.sealift(["repair", "-config", file, "-remove-extra"])
        #expect(repaired.code == 0 && repaired.output.contains("1 added, 3 changed, 1 removed"), "\(repaired.errors)")
        #expect(try sandbox.digest(of: destination) == sandbox.digest(of: source))
    }

    /// A repair that is refused, or cut off before it has written, leaves a store that can be used, and the migration's report.
    @Test func aRepairThatHasWrittenNothingLeavesNothing() throws {
        let (sandbox, file, _, destination) = try migrated("sqlite")
        let state = ["-state-dir", "\(sandbox.path)/state"]
        try damage(sandbox, destination, addsOne: true)
        let before = try sandbox.digest(of: destination)
        var random = SeededRandom(3)
        for _ in 0..<6 {
            let started = try sandbox.start(["repair", "-config", file] + state)
            usleep(UInt32(random.next() % 40_000))
            started.program.send(SIGKILL)
            _ = try started.program.wait()
        }
        #expect(try sandbox.digest(of: destination) == before)
        if try names(sandbox, destination).contains("core/migration") {
            // Whatever else is told to write there is sent back to the repair.
            let migrate = try sandbox.migrate(file, state)
            #expect(migrate.code == 2 && migrate.errors.contains("Go on with it: sealift repair"), "\(migrate.errors)")
        }
        let refused = try sandbox.sealift(["repair", "-config", file] + state)
        #expect(refused.code == 3 && refused.errors.contains("1 entry is only at the destination"), "\(refused.errors)")
        #expect(try sandbox.digest(of: destination) == before)
        #expect(try !names(sandbox, destination).contains("core/migration"))
        #expect(!exists("\(sandbox.path)/state/report.json") && !exists("\(sandbox.path)/state/manifest.txt"))
    }

    /// A part is repaired without a look at the rest.
    @Test func aPartIsRepairedAlone() throws {
        let (sandbox, file, source, destination) = try migrated("sqlite")
        try damage(sandbox, destination, addsOne: true)
        try sandbox.sql(destination.path, "DELETE FROM vault_kv_store WHERE CAST(key AS TEXT) = 'core/seal-config'")
        let repaired = try sandbox.sealift(["repair", "-config", file, "-include", "core/", "-remove-extra"])
        #expect(repaired.code == 0 && repaired.output.contains("1 added, 0 changed, 0 removed"), "\(repaired.errors)")
        #expect(try names(sandbox, destination).contains("logical/m/new"))
        #expect(try sandbox.sealift(["check", "-config", file, "-include", "core/"]).code == 0)
        #expect(try sandbox.digest(of: destination) != sandbox.digest(of: source))
        // What is no store of this migration is not made into it.
        try sandbox.sql(destination.path, "DELETE FROM vault_kv_store WHERE CAST(key AS TEXT) = 'core/keyring'")
        let refused = try sandbox.sealift(["repair", "-config", file, "-remove-extra"])
        #expect(refused.code == 2 && refused.errors.contains("is not the source's, or is missing"), "\(refused.errors)")
    }

    @Test func whatCannotBeRepairedIsSaid() throws {
        let (sandbox, file, _, destination) = try migrated("raft")
        let before = try sandbox.digest(of: destination)
        let raft = try sandbox.sealift(["repair", "-config", file])
        #expect(raft.code == 1 && raft.errors.contains("is built whole and never changed"), "\(raft.errors)")
        #expect(try sandbox.digest(of: destination) == before)
        let reports = [
            ("", "ends without a result"), ("{}\n", "is no event"), ("nonsense\n", "is no event"),
            ("{\"event\":\"difference\",\"verdict\":\"-\"}\n", "a difference without a key"),
            (
                "{\"event\":\"difference\",\"verdict\":\"-\",\"key\":\"b\"}\n"
                    + "{\"event\":\"difference\",\"verdict\":\"-\",\"key\":\"a\"}\n{\"event\":\"result\"}\n",
                "not in ascending order"
            ), ("{\"event\":\"result\"}\n{\"event\":\"result\"}\n", "is no report"),
        ]
        let other = try sandbox.configuration(
            try sandbox.makeFileStore("src", SampleEntry.initialised), .sqlite("\(sandbox.path)/other.db"),
            name: "other.hcl")
        #expect(try sandbox.migrate(other).code == 0)
        for (text, says) in reports {
            try sandbox.write("report.json", text)
            let outcome = try sandbox.sealift(["repair", "-config", other, "-from", "\(sandbox.path)/report.json"])
            #expect(outcome.code != 0 && outcome.errors.contains(says), "\(text): \(outcome.errors)")
        }
        // Another store is not made into this one.
        let strange = try sandbox.makeSQLiteStore(
            "other-2.db", [SampleEntry("core/keyring", [9]), SampleEntry("core/seal-config")])
        let wrong = try sandbox.configuration(.file("\(sandbox.path)/src"), strange, name: "wrong.hcl")
        let refused = try sandbox.sealift(["repair", "-config", wrong])
        #expect(refused.code == 2 && refused.errors.contains("holds another store"), "\(refused.errors)")
    }

    private func names(_ sandbox: Sandbox, _ store: Store) throws -> [String] {
        switch store {
        case .file(let path): return exists("\(path)/core/_migration") ? ["core/migration"] : []
        default: return lines(of: try sandbox.sql(store.path, "SELECT CAST(key AS TEXT) FROM vault_kv_store"))
        }
    }
}
