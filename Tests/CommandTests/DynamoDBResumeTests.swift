import Foundation
import TestSupport
import Testing

/// Runs from a table that are killed, told to stop or cut off by the service, and taken up again.
@Suite(.serialized) struct DynamoDBResumeTests {
    private static let entries = 24_000

    /// A table of about 24 pages of 1 MB and a migration of it, reading two segments at a time.
    private struct Trial {
        let sandbox: Sandbox
        let database: String
        let destination: Store
        let digest: String
        var server: PracticeServer

        init(_ destination: String, faults: String = "") throws {
            sandbox = try Sandbox()
            database = "\(sandbox.path)/table.sqlite"
            let items = try sandbox.write("items.jsonl", TableItems.many(DynamoDBResumeTests.entries, seed: 31).text)
            let plain = try PracticeServer(sandbox, ["-path", database, "-import", items])
            digest = try sandbox.digest(of: plain.store())
            try plain.stop()
            server = try Self.serve(sandbox, database, faults)
            self.destination =
                destination == "raft" ? .raft("\(sandbox.path)/dst") : .sqlite("\(sandbox.path)/dst.db")
        }

        private static func serve(_ sandbox: Sandbox, _ database: String, _ faults: String) throws -> PracticeServer {
            let flags = faults.isEmpty ? [] : ["-fault", faults]
            return try PracticeServer(sandbox, ["-path", database] + flags)
        }

        /// Serves the same table again, at the same address: that is a part of the store's identity.
        mutating func serveAgain(faults: String = "") throws {
            let port = server.endpoint.split(separator: ":").last.map(String.init) ?? ""
            try server.stop()
            let flags = faults.isEmpty ? [] : ["-fault", faults]
            server = try PracticeServer(sandbox, ["-path", database] + flags, address: "127.0.0.1:\(port)")
        }

        var words: [String] {
            get throws {
                [
                    "operator", "migrate", "-max-parallel", "2", "-format=json", "-config",
                    try sandbox.configuration(server.store(), destination),
                ]
            }
        }

        /// The pages that the server has given away so far.
        var scans: Int { get throws { try server.counts().requests["Scan"] ?? 0 } }

        /// Starts a run and waits until the server has answered that many more scans, or the run is over.
        func startUntil(scans more: Int) throws -> Sandbox.Started {
            let before = try scans
            let started = try sandbox.start(words)
            try waitUntil("\(more) more scans") { try scans >= before + more || started.program.ends(within: 3) }
            return started
        }

        /// Runs to the end and compares.
        func complete() throws -> Result {
            let outcome = try sandbox.sealift(words)
            try #require(outcome.code == 0, "\(outcome.errors)")
            let last = try #require(outcome.outputLines.last)
            let result = try JSONDecoder().decode(Result.self, from: Data(last.utf8))
            #expect(result.keyspace_digest == digest)
            #expect(try sandbox.digest(of: destination) == digest)
            return result
        }
    }

    private struct Result: Decodable {
        var keyspace_digest: String
        var entries_read_before: Int
        var continued: Bool
    }

    @Test(arguments: ["raft", "sqlite"])
    func whatAKilledRunHadReadIsNotReadAgain(_ destination: String) throws {
        let trial = try Trial(destination)
        var random = SeededRandom(32)
        var kills = 0
        for _ in 0..<8 {
            let started = try trial.startUntil(scans: Int.random(in: 2...5, using: &random))
            started.program.send(SIGKILL)
            let outcome = try started.outcome()
            try #require(outcome.code == -SIGKILL || outcome.code == 0, "\(outcome.errors)")
            if outcome.code == 0 { break }
            kills += 1
        }
        let result = try trial.complete()
        #expect(kills >= 4 && result.entries_read_before > 0)
        // Each run has at most two pages under way, and two batches of a page may wait for the disk, when it is killed; and
        // it asks once whether it may scan.
        let pages = 30
        let scans = try trial.scans
        #expect(scans <= pages + 1 + kills * 5, "\(scans) scans, \(kills) kills")
        // The marker is gone from the source, and the journal from the state folder.
        #expect(try trial.sandbox.migrate("\(trial.sandbox.path)/migrate.hcl", ["-reset"]).code == 0)
    }

    /// What a comparison that was killed had read of a table is not read again, if somebody says that nothing was written to it.
    @Test func aKilledComparisonGoesOnReading() throws {
        let trial = try Trial("sqlite")
        _ = try trial.complete()
        let sandbox = trial.sandbox
        // One entry less, so that there is something to find.
        try sandbox.shell(
            "sqlite3 '\(sandbox.path)/dst.db' 'DELETE FROM vault_kv_store WHERE key = (SELECT max(key) FROM vault_kv_store)'"
        )
        let progress = "\(sandbox.path)/check.progress"
        let kept = "\(progress).source"
        let words = ["check", "-max-parallel", "2", "-format=json", "-config", "\(sandbox.path)/migrate.hcl"]
        var scans = try trial.scans
        func scansSince() throws -> Int {
            let before = scans
            scans = try trial.scans
            return scans - before
        }
        func differences(_ outcome: Outcome) -> [String] {
            outcome.outputLines.filter { $0.contains("\"difference\"") }
        }
        let whole = try sandbox.sealift(words)
        #expect(differences(whole).count == 1)
        #expect(whole.code == 3, "\(whole.errors)")
        let pages = try scansSince()

        let started = try sandbox.start(words + ["-resume", progress])
        try waitUntil("more scans") { try trial.scans >= scans + pages / 2 || started.program.ends(within: 3) }
        started.program.send(SIGKILL)
        #expect(try started.outcome().code == -SIGKILL)
        _ = try scansSince()
        try #require(exists(kept))
        try sandbox.shell("cp '\(kept)' '\(sandbox.path)/copy'")

        // Nobody says that the table is as it was: all is read anew, and what is kept stays to the end.
        let doubted = try sandbox.sealift(words + ["-resume", progress])
        #expect(doubted.code == 3 && doubted.errors.contains("all is read anew"), "\(doubted.errors)")
        #expect(differences(doubted) == differences(whole) && !exists(kept))
        #expect(try scansSince() >= pages - 1)

        try sandbox.shell("mv '\(sandbox.path)/copy' '\(kept)'")
        let other = try sandbox.sealift(words + ["-resume", progress, "-stores-unchanged", "-prefix=sys/"])
        #expect(other.code == 1 && other.errors.contains("is of another comparison"), "\(other.errors)")
        let rest = try sandbox.sealift(words + ["-resume", progress, "-stores-unchanged"])
        #expect(rest.code == 3 && rest.errors.contains("Going on behind"), "\(rest.errors)")
        #expect(differences(rest) == differences(whole) && !exists(kept))
        let (one, two) = (try #require(whole.events().last), try #require(try rest.events().last))
        for name in ["same", "missing", "extra", "different", "unreadable"] {
            #expect(one[name] as? Int == two[name] as? Int, "\(name)")
        }
        #expect(try scansSince() < pages)

        let mine = try sandbox.write("check.progress.source", "something that is no database of anybody\n")
        let foreign = try sandbox.sealift(words + ["-resume", progress])
        #expect(foreign.code == 1 && foreign.errors.contains("nothing that -resume has written"), "\(foreign.errors)")
        #expect(try text(of: mine) == "something that is no database of anybody\n")
    }

    /// Entries that cannot be read are told while a table is read only: a later run must not go on behind them.
    @Test func aComparisonDoesNotGoOnBehindWhatCannotBeRead() throws {
        let sandbox = try Sandbox()
        var items = TableItems.many(8000, seed: 34)
        for number in 0..<300 { items.add("odd/\(number)", "entry", #"{"S":"text"}"#) }
        let file = try sandbox.write("items.jsonl", items.text)
        let server = try PracticeServer(sandbox, ["-import", file])
        let other = try sandbox.makeFileStore("other", SampleEntry.initialised)
        let words = [
            "check", "-max-parallel", "1", "-format=json", "-config", try sandbox.configuration(server.store(), other),
        ]
        func unreadable(_ outcome: Outcome) throws -> Int? { try outcome.events().last?["unreadable"] as? Int }
        let whole = try sandbox.sealift(words)
        #expect(try whole.code == 3 && unreadable(whole) == 300, "\(whole.errors)")
        let progress = "\(sandbox.path)/check.progress"
        let before = try server.counts().requests["Scan"] ?? 0
        let started = try sandbox.start(words + ["-resume", progress])
        try waitUntil("more scans") {
            try server.counts().requests["Scan"] ?? 0 >= before + 4 || started.program.ends(within: 3)
        }
        started.program.send(SIGKILL)
        #expect(try started.outcome().code == -SIGKILL)
        #expect(!exists("\(progress).source"))
        let rest = try sandbox.sealift(words + ["-resume", progress, "-stores-unchanged"])
        #expect(try rest.code == 3 && unreadable(rest) == 300, "\(rest.errors)")
        #expect(rest.errors.contains("nothing is kept of what was read"))
    }

    /// What was read eventually consistently is no beginning of what is to be read consistently.
    @Test func aComparisonKeepsToItsConsistency() throws {
        let trial = try Trial("sqlite")
        _ = try trial.complete()
        let sandbox = trial.sandbox
        let progress = "\(sandbox.path)/check.progress"
        let eventual = try sandbox.configuration(
            trial.server.store("vault-dynamodb-backend", ["consistent_read": "false"]), trial.destination,
            name: "eventual.hcl")
        let before = try trial.scans
        let started = try sandbox.start(["check", "-max-parallel", "2", "-config", eventual, "-resume", progress])
        try waitUntil("more scans") { try trial.scans >= before + 12 || started.program.ends(within: 3) }
        started.program.send(SIGKILL)
        #expect(try started.outcome().code == -SIGKILL)
        try #require(exists("\(progress).source"))
        let outcome = try sandbox.sealift(
            ["check", "-config", "\(sandbox.path)/migrate.hcl", "-resume", progress, "-stores-unchanged"])
        #expect(outcome.code == 1 && outcome.errors.contains("is of another comparison"), "\(outcome.errors)")
        // A file of somebody else's where ours are begun stays.
        try sandbox.shell("rm '\(progress).source'; cp '\(sandbox.path)/dst.db' '\(progress).source.new'")
        let foreign = try sandbox.sealift(
            ["check", "-config", "\(sandbox.path)/migrate.hcl", "-resume", progress, "-stores-unchanged"])
        #expect(foreign.code == 1 && exists("\(progress).source.new"), "\(foreign.errors)")
    }

    /// moto tells no counts, so the journal's growth says when a page is durable.
    @Test func aKilledRunFromMotoIsTakenUp() throws {
        let sandbox = try Sandbox()
        let endpoint = try PythonServer.moto.get().url
        let table = Store.dynamodb("kills", endpoint: endpoint, ["create_table": "on-demand"])
        var entries = SampleEntry.initialised
        for number in 0..<4000 {
            entries.append(
                SampleEntry("logical/\(number % 40)/\(number)", [UInt8](repeating: UInt8(number & 255), count: 3000)))
        }
        let source = try sandbox.makeFileStore("src", entries)
        let filled = try sandbox.migrate(try sandbox.configuration(source, table, name: "fill.hcl"))
        try #require(filled.code == 0, "\(filled.errors)")
        let digest = try sandbox.digest(of: source)
        let raft = Store.raft("\(sandbox.path)/dst")
        let words = [
            "operator", "migrate", "-max-parallel", "2", "-format=json", "-config",
            try sandbox.configuration(table, raft),
        ]
        let journal = "\(raft.path).sealift/journal.lmdb"
        func journaled() -> Int {
            ((try? FileManager.default.attributesOfItem(atPath: journal))?[.size] as? Int) ?? 0
        }
        var kills = 0
        var result: Result?
        for round in 0..<5 where result == nil {
            let before = journaled()
            let started = try sandbox.start(words)
            // The last runs are let go to the end.
            try waitUntil("the journal grows") {
                round >= 3 || journaled() >= before + 1_500_000 || started.program.ends(within: 5)
            }
            if round < 3 { started.program.send(SIGKILL) }
            let outcome = try started.outcome()
            if outcome.code == -SIGKILL {
                kills += 1
                #expect(!exists(raft.path))
                continue
            }
            try #require(outcome.code == 0, "\(outcome.errors)")
            result = try JSONDecoder().decode(Result.self, from: Data(try #require(outcome.outputLines.last).utf8))
        }
        #expect(kills > 0)
        #expect(result?.keyspace_digest == digest)
        #expect((result?.entries_read_before ?? 0) > 0)
        #expect(try sandbox.digest(of: raft) == digest)
    }

    @Test func anInterruptedRunIsTakenUpOnlyIfTheSourceIsVouchedFor() throws {
        let trial = try Trial("raft")
        for vouches in [false, true] {
            let started = try trial.startUntil(scans: 6)
            started.program.send(SIGINT)
            let outcome = try started.outcome()
            try #require(outcome.code == 130, "\(outcome.errors)")
            #expect(outcome.errors.contains("-source-unchanged"), "\(outcome.errors)")
            let flags = vouches ? ["-source-unchanged"] : []
            let second = try trial.sandbox.sealift(trial.words + flags)
            try #require(second.code == 0, "\(second.errors)")
            let last = try #require(second.outputLines.last)
            let result = try JSONDecoder().decode(Result.self, from: Data(last.utf8))
            #expect(result.keyspace_digest == trial.digest)
            #expect((result.entries_read_before > 0) == vouches)
            #expect(second.errors.contains("is read again") != vouches, "\(second.errors)")
            try trial.sandbox.shell("rm -rf '\(trial.destination.path)'")
        }
    }

    @Test func expiredCredentialsEndARunThatIsTakenUp() throws {
        var trial = try Trial("raft", faults: "expired-after=16")
        let outcome = try trial.sandbox.sealift(trial.words)
        #expect(outcome.code == 2)
        #expect(
            outcome.errors.contains("have ended") && outcome.errors.contains("Renew these credentials"),
            "\(outcome.errors)")
        #expect(!exists(trial.destination.path))
        try trial.serveAgain()
        let result = try trial.complete()
        #expect(result.entries_read_before > 0)
    }

    @Test func aTableThatIsDeletedEndsARunAndItsSuccessorIsReadAnew() throws {
        var trial = try Trial("raft", faults: "delete-table-after=16")
        let outcome = try trial.sandbox.sealift(trial.words)
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("does not exist (any more)"), "\(outcome.errors)")
        #expect(!exists(trial.destination.path))
        try trial.serveAgain()
        let gone = try trial.sandbox.sealift(trial.words)
        #expect(gone.code == 2 && gone.errors.contains("A source is never created"), "\(gone.errors)")
        let items = "\(trial.sandbox.path)/items.jsonl"
        let port = trial.server.endpoint.split(separator: ":").last.map(String.init) ?? ""
        try trial.server.stop()
        trial.server = try PracticeServer(
            trial.sandbox, ["-path", trial.database, "-import", items], address: "127.0.0.1:\(port)")
        let result = try trial.complete()
        #expect(result.entries_read_before == 0)
    }
}
