import Foundation
import TestSupport
import Testing

/// Stores that are cut while they are read, and stores that must not change by being looked at.
@Suite struct ChangedFileTests {
    /// The run is under way when the marker of the destination is there; then the source is cut.
    @Test(arguments: ["raft", "sqlite"], [0, 5000])
    func aSourceThatIsCutEndsTheRunWithAnError(_ kind: String, _ size: Int) throws {
        let sandbox = try Sandbox()
        // More than all queues between the source and the first file of the destination take.
        let large = try sandbox.makeSQLiteStore("large.db", SampleEntry.initialised)
        try sandbox.sql(
            large.path,
            "INSERT INTO vault_kv_store SELECT CAST(printf('logical/%03d/%05d', value / 100, value) AS BLOB), "
                + "randomblob(2000) FROM generate_series(0, 39999)")
        let source = kind == "raft" ? Store.raft("\(sandbox.path)/from") : large
        if kind == "raft" { #expect(try sandbox.migrate(try sandbox.configuration(large, source)).code == 0) }
        let file = kind == "raft" ? "\(source.path)/vault.db" : source.path
        let destination = Store.file("\(sandbox.path)/dst")
        let started = try sandbox.start([
            "operator", "migrate", "-config", try sandbox.configuration(source, destination), "-log-level=error",
        ])
        try waitUntil("the copy has begun") {
            exists("\(destination.path)/logical") || started.program.ends(within: 1)
        }
        #expect(truncate(file, off_t(size)) == 0)
        let outcome = try started.outcome()
        #expect(outcome.code == 2, "\(outcome.code): \(outcome.errors)")
        #expect(outcome.errors.contains(file) && outcome.errors.contains("Error migrating"), "\(outcome.errors)")
    }

    /// How a database may lie there, made by the sqlite3 command, killed where needed.
    private static let states: [(name: String, statements: String, isKilled: Bool)] = [
        ("rollback journal", "", false), ("settled log", "PRAGMA journal_mode = WAL;", false),
        ("pending log", "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;", true),
        ("hot journal", "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN;", true),
    ]

    private func makeDatabase(_ sandbox: Sandbox, _ name: String, _ state: Int, from source: Store) throws -> Store {
        let store = Store.sqlite("\(sandbox.path)/\(name)")
        #expect(try sandbox.migrate(try sandbox.configuration(source, store, name: "home/make.hcl")).code == 0)
        let (_, statements, isKilled) = Self.states[state]
        var change = "UPDATE vault_kv_store SET value = x'0102';"
        // Enough that pages are written before the end of the transaction.
        if statements.contains("BEGIN") { change = "UPDATE vault_kv_store SET value = zeroblob(3000);" }
        let script = try sandbox.write(
            "home/change.sql", "\(statements)\n\(change)\n\(isKilled ? ".shell kill -9 $PPID" : "")\n")
        _ = try sandbox.start(program: ["/bin/sh", "-c", "sqlite3 '\(store.path)' < '\(script)'"]).outcome()
        return store
    }

    @Test(arguments: 0..<4)
    func lookingAtADatabaseChangesNoByteBesideOrInIt(_ state: Int) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeLargeFileStore("src", count: 300, seed: 5)
        try makeFolder("\(sandbox.path)/db")
        let store = try makeDatabase(sandbox, "db/there.db", state, from: source)
        let isHot = state == 3
        #expect(exists("\(store.path)-wal") == (state == 2))
        #expect(exists("\(store.path)-journal") == isHot)
        let into = try sandbox.configuration(source, store, name: "into.hcl")
        let from = try sandbox.configuration(store, .raft("\(sandbox.path)/raft"), name: "from.hcl")
        let server = try sandbox.configuration(of: store)
        let before = try snapshot("\(sandbox.path)/db")
        let commands = [
            ["operator", "migrate", "-config", into, "-dry-run"], ["plan", "-config", into],
            ["check", "-config", into], ["checksum", "-config", server], ["inspect", "du", "-config", server],
            ["inspect", "stat", "-config", server, "core/keyring"],
            ["operator", "migrate", "-config", from, "-dry-run"],
            ["operator", "migrate", "-config", from, "-read-only-source"],
        ]
        for words in commands {
            let outcome = try sandbox.sealift(words)
            #expect(try snapshot("\(sandbox.path)/db") == before, "\(words)")
            if isHot {
                #expect(outcome.code != 0 && outcome.errors.contains("cut off while writing"), "\(outcome.errors)")
            } else if words == commands[0] {
                #expect(outcome.errors.contains("is not empty"), "\(outcome.errors)")
            } else {
                #expect(outcome.code == (words[0] == "check" ? 3 : 0), "\(words): \(outcome.errors)")
            }
        }
        guard !isHot else { return }
        let stat = try sandbox.sealift(["inspect", "stat", "-config", server, "core/keyring"])
        #expect(stat.outputLines.contains("bytes   2"), "what stands in the log was not read")
    }

    /// On a mount that nobody may write to everything is read as well, but for a log without its index.
    @Test(arguments: [(1, true), (2, true), (2, false)])
    func aReadOnlyMountIsReadOrExplained(_ state: Int, _ hasIndex: Bool) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        try makeFolder("\(sandbox.path)/db")
        let store = try makeDatabase(sandbox, "db/there.db", state, from: source)
        if !hasIndex { try sandbox.shell("rm '\(store.path)-shm'") }
        let server = try sandbox.configuration(of: store)
        let script = """
            mount --bind '\(sandbox.path)/db' '\(sandbox.path)/db' || exit 99
            mount -o remount,ro,bind '\(sandbox.path)/db' || exit 98
            exec '\(Sandbox.program)' inspect stat -config '\(server)' core/keyring
            """
        let outcome = try sandbox.start(
            program: ["/usr/bin/unshare"] + (geteuid() == 0 ? ["-m"] : ["-r", "-m"]) + ["/bin/sh", "-c", script]
        ).outcome()
        #expect(outcome.code == (hasIndex ? 0 : 2), "\(outcome.errors)")
        #expect(hasIndex ? outcome.outputLines.contains("bytes   2") : outcome.errors.contains("copy all three files"))
    }

    /// A log without its index can only be read where one may be made.
    @Test func aPendingLogWithoutItsIndexIsExplained() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        try makeFolder("\(sandbox.path)/db")
        let store = try makeDatabase(sandbox, "db/there.db", 2, from: source)
        try sandbox.shell("rm '\(store.path)-shm'")
        let before = try snapshot("\(sandbox.path)/db")
        for words in [["checksum", "-config", try sandbox.configuration(of: store)]] {
            let outcome = try sandbox.sealift(words)
            #expect(outcome.code == 2)
            #expect(outcome.errors.contains("copy all three files"), "\(outcome.errors)")
            #expect(try snapshot("\(sandbox.path)/db") == before)
        }
        // A migration that sets its marker may write.
        let outcome = try sandbox.migrate(try sandbox.configuration(store, .raft("\(sandbox.path)/raft")))
        #expect(outcome.code == 0, "\(outcome.errors)")
    }
}
