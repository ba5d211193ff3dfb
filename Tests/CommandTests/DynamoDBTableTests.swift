import Foundation
import TestSupport
import Testing

/// `operator migrate` from and to DynamoDB tables.
@Suite struct DynamoDBTableTests {
    private static let fixture = "\(Sandbox.packageRoot)/Tests/Fixtures/dynamodb-vault"
    private static let hidden = ["_hidden", "team/_underscore/x"]

    /// The lines of a manifest without its header.
    private func manifest(_ path: String) throws -> [String] {
        lines(of: try text(of: path)).filter { !$0.hasPrefix("#") }
    }

    /// A real server's table, in the practice table or in moto.
    private func realTable(_ service: String, _ sandbox: Sandbox) throws -> (store: Store, server: PracticeServer?) {
        if service == "practice" {
            let server = try PracticeServer(sandbox, ["-import", "\(Self.fixture)/items.jsonl.gz"])
            return (server.store(), server)
        }
        let endpoint = try PythonServer.moto.get().url
        try runProgram(
            "/usr/bin/env",
            ["python3", pythonProgram("load_items.py"), endpoint, "real", "\(Self.fixture)/items.jsonl.gz"])
        return (.dynamodb("real", endpoint: endpoint, ["region": "us-east-1"]), nil)
    }

    @Test(arguments: ["practice", "moto"])
    func aRealVaultsTableIsCopiedWhole(_ service: String) throws {
        let sandbox = try Sandbox()
        let (source, server) = try realTable(service, sandbox)
        let raft = Store.raft("\(sandbox.path)/raft")
        let outcome = try sandbox.migrate(try sandbox.configuration(source, raft))
        try #require(outcome.code == 0, "\(outcome.errors)")
        #expect(try manifest("\(raft.path).sealift/manifest.txt") == manifest("\(Self.fixture)/manifest.txt"))
        // What the incumbent made of the same table lacks two secrets, which are named.
        let incumbent = Set(try manifest("\(Self.fixture)/manifest-incumbent.txt").map { $0.dropFirst(66) })
        let lost = try manifest("\(Self.fixture)/manifest.txt").map { $0.dropFirst(66) }
            .filter { !incumbent.contains($0) }
        #expect(lost.count == 2 && zip(lost, Self.hidden).allSatisfy { $0.hasSuffix($1) })
        #expect(try lines(of: text(of: "\(raft.path).sealift/unlisted.txt")) == lost.map(String.init))
        for key in lost { #expect(outcome.output.contains(key)) }
        #expect(outcome.output.contains("2: entry that listing hides (a name begins with _)"))
        #expect(!exists("\(raft.path).sealift/journal.lmdb"))
        // The table is as it was: comparing it again finds no marker and the same entries.
        let check = try sandbox.sealift(["check", "-config", "\(sandbox.path)/migrate.hcl"])
        #expect(check.code == 0, "\(check.errors)")
        let again = try sandbox.migrate("\(sandbox.path)/migrate.hcl", ["-reset"])
        #expect(again.code == 0)
        try server?.stop()
    }

    @Test func everythingListingCannotSeeIsCopiedAndNamed() throws {
        let sandbox = try Sandbox()
        var items = TableItems()
        for entry in SampleEntry.initialised { items.add(entry.key, entry.value) }
        let listed = ["plain", "a/b/c", "a/b-", "a_/x_"]
        let hidden = ["_top", "a/_leaf", "_dir/x", "a/b/_d/e/f", "deep/1/2/3/4/_5/6"]
        let unmarked = ["gone/x", "gone/deeper/y", "a/lost/z"]
        for key in listed + hidden { items.add(key) }
        for key in unmarked { items.add(key, marked: false) }
        items.add("plain", "odd/", #"{"B":"AQ=="}"#)
        let server = try PracticeServer(sandbox, ["-import", try sandbox.write("items.jsonl", items.text)])
        let raft = Store.raft("\(sandbox.path)/raft")
        let outcome = try sandbox.migrate(try sandbox.configuration(server.store(), raft))
        try #require(outcome.code == 0, "\(outcome.errors)")
        let copied = try manifest("\(raft.path).sealift/manifest.txt").map { String($0.dropFirst(66)) }
        let wanted = ["core/keyring", "core/seal-config"] + listed + hidden + unmarked
        #expect(Set(copied) == Set(wanted) && copied.count == wanted.count)
        #expect(
            Set(try lines(of: text(of: "\(raft.path).sealift/unlisted.txt"))) == Set(hidden + unmarked))
        #expect(outcome.output.contains("\(hidden.count): entry that listing hides"))
        #expect(outcome.output.contains("\(unmarked.count): entry that listing does not reach"))
        #expect(outcome.output.contains("1: directory marker with a value"))

        let other = Store.raft("\(sandbox.path)/listed")
        let second = try sandbox.migrate(
            try sandbox.configuration(server.store(), other, name: "listed.hcl"), ["-listed-only"])
        try #require(second.code == 0, "\(second.errors)")
        let kept = try manifest("\(other.path).sealift/manifest.txt").map { String($0.dropFirst(66)) }
        #expect(Set(kept) == Set(["core/keyring", "core/seal-config"] + listed) && kept.count == 6)
        #expect(second.output.contains("8: not visible to listing (-listed-only)"))
        #expect(
            try sandbox.sealift(["check", "-config", "\(sandbox.path)/listed.hcl"]).code == 3,
            "what was left out is missing at the destination")
        #expect(try sandbox.sealift(["check", "-listed-only", "-config", "\(sandbox.path)/listed.hcl"]).code == 0)
    }

    @Test func aTableInUseIsRefusedUnlessAllowed() throws {
        let sandbox = try Sandbox()
        var items = TableItems()
        for entry in SampleEntry.initialised { items.add(entry.key, entry.value) }
        let expires = Int(Date().timeIntervalSince1970 + 3600)
        items.add(
            "core", "_lock", #"{"B":"bm9kZS0x"}"#,
            #", "Identity":{"B":"aWRlbnRpdHktMQ=="},"Expires":{"N":"\#(expires)000000000"}"#)
        let server = try PracticeServer(sandbox, ["-import", try sandbox.write("items.jsonl", items.text)])
        let configuration = try sandbox.configuration(server.store(), .raft("\(sandbox.path)/raft"))
        let refused = try sandbox.migrate(configuration)
        #expect(refused.code == 2)
        #expect(
            refused.errors.contains("node identity-1 holds the lock of the active node until 20"), "\(refused.errors)")
        #expect(!exists("\(sandbox.path)/raft"))
        #expect(try sandbox.migrate(configuration, ["-source-in-use=yes"]).code == 1)
        let allowed = try sandbox.migrate(configuration, ["-source-in-use=allow"])
        #expect(allowed.code == 0 && allowed.output.contains("identity-1"), "\(allowed.errors)")
        let into = try sandbox.configuration(
            try sandbox.makeFileStore("src", SampleEntry.initialised), server.store(), name: "into.hcl")
        let taken = try sandbox.migrate(into)
        #expect(taken.code == 2 && taken.errors.contains("is in use"), "\(taken.errors)")
    }

    @Test func signaturesAreVerifiedAndSecretsStayOutOfSight() throws {
        let sandbox = try Sandbox()
        let secret = "a-secret-of-the-practice-table"
        sandbox.environment["AWS_SECRET_ACCESS_KEY"] = secret
        let server = try PracticeServer(
            sandbox, ["-access-key", "AKIAPRACTICE", "-import", "\(Self.fixture)/items.jsonl.gz"])
        let raft = Store.raft("\(sandbox.path)/raft")
        for (secretKey, isRight) in [("another", false), (secret, true)] {
            let keys = ["access_key": "AKIAPRACTICE", "secret_key": secretKey]
            let source = server.store("vault-dynamodb-backend", keys)
            let outcome = try sandbox.migrate(try sandbox.configuration(source, raft), ["-log-level=trace"])
            #expect(outcome.code == (isRight ? 0 : 2), "\(outcome.errors)")
            #expect(outcome.errors.contains("InvalidSignatureException") != isRight, "\(outcome.errors)")
            #expect(!(outcome.output + outcome.errors).contains(secretKey))
        }
        let report = try text(of: "\(raft.path).sealift/report.json")
        #expect(!report.contains(secret) && !report.contains("AKIAPRACTICE"))
    }

    @Test func ratesAreKeptTo() throws {
        let sandbox = try Sandbox()
        let server = try PracticeServer(sandbox, ["-import", "\(Self.fixture)/items.jsonl.gz"])
        let source = server.store("vault-dynamodb-backend", ["max_rcu": "100"])
        let outcome = try sandbox.migrate(
            try sandbox.configuration(source, .raft("\(sandbox.path)/raft")), ["-format=json"])
        try #require(outcome.code == 0, "\(outcome.errors)")
        struct Result: Decodable {
            struct Service: Decodable {
                var read_units: Double
                var seconds_held_back: Double
            }
            var source_service: Service
        }
        let last = try #require(outcome.outputLines.last)
        let service = try JSONDecoder().decode(Result.self, from: Data(last.utf8)).source_service
        #expect(service.read_units > 150 && service.seconds_held_back > 0)
    }

    @Test func oneTableUnderTwoSpellingsIsOneStore() throws {
        let sandbox = try Sandbox()
        let server = try PracticeServer(sandbox, ["-import", "\(Self.fixture)/items.jsonl.gz"])
        let other = server.endpoint.replacing("127.0.0.1", with: "localhost")
        let configuration = try sandbox.configuration(
            server.store(), .dynamodb("vault-dynamodb-backend", endpoint: other, [:]))
        let outcome = try sandbox.migrate(configuration)
        #expect(outcome.code == 2 && outcome.errors.contains("are the same store"), "\(outcome.errors)")
        #expect(try server.counts().writeUnits == 0)
    }

    @Test func aStoreGoesThroughATableAndBack() throws {
        let sandbox = try Sandbox()
        let server = try PracticeServer(sandbox, [])
        let source = try sandbox.makeLargeFileStore("src", count: 3000, seed: 5)
        let digest = try sandbox.digest(of: source)
        let table = server.store("made", ["create_table": "on-demand"])
        let missing = try sandbox.migrate(try sandbox.configuration(source, server.store("made"), name: "missing.hcl"))
        #expect(missing.code == 2 && missing.errors.contains("create_table"), "\(missing.errors)")
        let rehearsal = try sandbox.migrate(try sandbox.configuration(source, table), ["-dry-run"])
        #expect(rehearsal.code == 0, "\(rehearsal.errors)")
        #expect(try server.counts().writeUnits == 0)
        let there = try sandbox.migrate("\(sandbox.path)/migrate.hcl")
        try #require(there.code == 0, "\(there.errors)")
        #expect(there.output.contains(digest))
        #expect(try sandbox.digest(of: table) == digest)
        let again = try sandbox.migrate("\(sandbox.path)/migrate.hcl")
        #expect(again.code == 0 && again.output.contains("Repeated"), "\(again.errors)")
        let other = try sandbox.migrate("\(sandbox.path)/migrate.hcl", ["-state-dir", "\(sandbox.path)/other-state"])
        #expect(other.code == 2 && other.errors.contains("is not empty"), "\(other.errors)")
        let back = Store.sqlite("\(sandbox.path)/back.db")
        let outcome = try sandbox.migrate(try sandbox.configuration(table, back, name: "back.hcl"))
        try #require(outcome.code == 0, "\(outcome.errors)")
        #expect(try sandbox.digest(of: back) == digest)
        let list = try sandbox.sealift(
            ["inspect", "ls", "-config", try sandbox.configuration(of: table), "core/"])
        #expect(list.output.contains("keyring") && list.output.contains("seal-config"))
    }

    @Test func whatATableCannotHoldIsListedBeforeTheFirstWrite() throws {
        let sandbox = try Sandbox()
        let server = try PracticeServer(sandbox, [])
        let limit = 409_600 - 12 + 1 - "big/just".utf8.count
        let source = try sandbox.makeSQLiteStore(
            "src.db",
            SampleEntry.initialised + [
                SampleEntry("big/just", [UInt8](repeating: 1, count: limit)),
                SampleEntry("big/over", [UInt8](repeating: 1, count: limit + 1)), SampleEntry("a//b"),
                SampleEntry("a/b"),
                SampleEntry(String(repeating: "n", count: 1025)),
                SampleEntry(String(repeating: "s", count: 1024) + "/x"),
                SampleEntry(String(repeating: "d/", count: 1030) + "x"), SampleEntry("core/_lock"),
            ])
        let configuration = try sandbox.configuration(
            source, server.store("made", ["create_table": "on-demand"]))
        let refused = try sandbox.migrate(configuration)
        #expect(refused.code == 2)
        for part in [
            "6 entries cannot be kept", "big/over: key and value", "a//b: the key would be kept under another name",
            "last segment of the key has 1025 bytes", "directory of the key has 2059 bytes",
            "name of a directory of the key has 1024 bytes",
            "core/_lock: the key is the place",
        ] {
            #expect(refused.errors.contains(part), "\(part): \(refused.errors)")
        }
        #expect(try server.counts().writeUnits == 0)
        try sandbox.sql(
            source.path,
            "DELETE FROM vault_kv_store WHERE length(key) > 1000 OR key IN (x'612f2f62', x'6269672f6f766572', "
                + "x'636f72652f5f6c6f636b')")
        let done = try sandbox.migrate(configuration)
        #expect(done.code == 0, "\(done.errors)")
    }

    @Test func thePlanShowsItsArithmetic() throws {
        let sandbox = try Sandbox()
        let server = try PracticeServer(
            sandbox,
            [
                "-import", "\(Self.fixture)/items.jsonl.gz", "-read-capacity", "100", "-write-capacity", "50",
            ])
        let configuration = try sandbox.configuration(
            server.store("vault-dynamodb-backend", ["max_read_share": "0.5"]),
            server.store("copy", ["create_table": "provisioned", "write_capacity": "40", "max_wcu": "20"]))
        let outcome = try sandbox.sealift(["plan", "-config", configuration])
        #expect(outcome.code == 0, "\(outcome.errors)")
        for part in ["bytes / 4096 bytes a unit, strongly consistent", "a share of 0.5", "units / 50.0 units a second"]
        {
            #expect(outcome.output.contains(part), "\(part): \(outcome.output)")
        }
        #expect(outcome.output.contains("units / 20.0 units a second"), "\(outcome.output)")
        #expect(try server.counts().requests["Scan"] == nil)
        let json = try sandbox.sealift(["plan", "-format=json", "-config", configuration])
        #expect(json.code == 0 && json.output.contains(#""units_per_second":50.0"#), "\(json.output)")
    }
}
