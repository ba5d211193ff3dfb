import Foundation
import TestSupport
import Testing

/// `check -structure`: what shows of a store without any secret.
@Suite struct StructureTests {
    private func check(_ sandbox: Sandbox, _ file: String, _ flags: [String] = []) throws -> Outcome {
        try sandbox.sealift(["check", "-structure", "-config", file] + flags)
    }

    @Test(arguments: Fixture.allCases)
    func storesOfRealServersAreSound(_ fixture: Fixture) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(fixture)
        let before = try snapshot(store.path)
        let file = try sandbox.configuration(of: store)
        let outcome = try check(sandbox, file)
        #expect(outcome.code == 0, "\(outcome.output)\(outcome.errors)")
        let count = try fixture.manifestLines().count
        #expect(outcome.outputLines.dropFirst().first == "Nothing suspicious: \(count) entries.")
        #expect(outcome.output.contains("  Seal          shamir, 3 of 5 key shares unseal it\n"))
        #expect(outcome.output.contains("; active is 2\n"))
        let events = try check(sandbox, file, ["-format=json"]).events().filter { $0["event"] as? String != "progress" }
        #expect(events.map { $0["event"] as? String } == ["structure", "structure_result"])
        #expect(events[0]["suspicious"] as? Int == 0 && events[0]["entries"] as? Int == count)
        let terms = (events[0]["key_terms"] as? [String: Any])?["terms"] as? [[String: Any]]
        #expect(terms?.map { $0["term"] as? Int } == [1, 2] && events[1]["sound"] as? Bool == true)
        #expect(try snapshot(store.path) == before)
    }

    @Test func bothSidesOfAMigrationAreLookedAt() throws {
        let sandbox = try Sandbox()
        let database = Store.sqlite("\(sandbox.path)/store.db")
        let file = try sandbox.configuration(try sandbox.unpack(.raftVault), database)
        #expect(try sandbox.migrate(file).code == 0)
        let outcome = try check(sandbox, file)
        #expect(outcome.code == 0, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.output.contains("Source: raft ") && outcome.output.contains("\nDestination: sqlite "))
        #expect(outcome.outputLines.last?.hasPrefix("Both hold as many entries and bytes") == true)
        try sandbox.sql(database.path, "DELETE FROM vault_kv_store WHERE key = CAST('sys/policy/default' AS BLOB)")
        let less = try check(sandbox, file)
        #expect(
            less.code == 3 && less.output.contains("do not hold as much below:\n  sys/  source 256"), "\(less.output)")
        let event = try #require(try check(sandbox, file, ["-format=json"]).events().last)
        let differences = event["different_counts"] as? [[String: Any]]
        #expect(differences?.count == 1 && differences?.first?["prefix"] as? String == "sys/")
        #expect(try check(sandbox, file, ["-side=destination"]).code == 0)
    }

    /// A table's segments are read side by side.
    @Test func aTableIsLookedAt() throws {
        let sandbox = try Sandbox()
        let items = "\(Sandbox.packageRoot)/Tests/Fixtures/dynamodb-vault/items.jsonl.gz"
        let server = try PracticeServer(sandbox, ["-import", items])
        let outcome = try check(sandbox, try sandbox.configuration(of: server.store()))
        #expect(outcome.code == 0, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.output.contains("Nothing suspicious: 831 entries."))
        // What the seal needs is picked up on the way.
        #expect(try server.counts().requests["GetItem"] == nil)
        try server.stop()
    }

    /// What is done to entries of a real store, and how they are named.
    private static let damage: [(kind: String, key: String, sql: String)] = [
        ("base64", "sys/policy/default", "CAST('AAAAAQIacnFpVWe7Iff1zFzC6Cincras/sTUsXRuZs3TqISmvvv0ljjC' AS BLOB)"),
        ("empty", "core/audit", "x''"), ("truncated", "core/cluster/local/info", "substr(value, 1, 30)"),
        ("wrong term", "core/wrapping/jwtkey", "x'00000009' || substr(value, 5)"),
        ("hexadecimal", "core/auth", "CAST(hex(value) AS BLOB)"),
        ("wrong length", "core/shamir-kek", "CAST(value || x'00' AS BLOB)"),
        ("text", "core/mounts", "CAST('<html><head><title>503 Service Unavailable</title></head>' AS BLOB)"),
    ]

    @Test(arguments: damage)
    func damagedEntriesAreNamed(_ kind: String, _ key: String, _ value: String) throws {
        let sandbox = try Sandbox()
        let database = Store.sqlite("\(sandbox.path)/store.db")
        let source = try sandbox.unpack(.fileOpenBao)
        #expect(try sandbox.migrate(try sandbox.configuration(source, database)).code == 0)
        try sandbox.sql(
            database.path,
            "UPDATE vault_kv_store SET value = CAST(\(value) AS BLOB) WHERE key = CAST('\(key)' AS BLOB)")
        let file = try sandbox.configuration(of: database)
        let outcome = try check(sandbox, file)
        #expect(outcome.code == 3, "\(outcome.output)\(outcome.errors)")
        #expect(
            outcome.output.contains("Found: 1 suspicious entry.")
                && outcome.outputLines.contains { $0.hasSuffix("  \(key)") })
        let event = try #require(
            try check(sandbox, file, ["-format=json"]).events().first { $0["event"] as? String == "structure" })
        let found = try #require(event["suspicions"] as? [[String: Any]])
        #expect(found.count == 1 && found[0]["kind"] as? String == kind && found[0]["first"] as? [String] == [key])
    }

    @Test func whatCannotBeReadIsTold() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.fileOpenBao)
        let file = try sandbox.configuration(of: store)
        try sandbox.shell("cd '\(store.path)/core' && printf '{\"Value\":\"AA' > _audit")
        let unreadable = try check(sandbox, file)
        #expect(unreadable.code == 3 && unreadable.output.contains("  Unreadable    1 entry"), "\(unreadable.output)")
        #expect(unreadable.errors.contains("core/_audit"), "\(unreadable.errors)")
        try sandbox.shell("cd '\(store.path)/core' && : > _audit")
        let lost = try check(sandbox, file)
        #expect(lost.code == 3 && lost.errors.contains("1 entry of the store"), "\(lost.errors)")
        let allowed = try check(sandbox, file, ["-allow-lost-entries"])
        #expect(allowed.code == 0 && allowed.errors.contains("They were taken for absent"), "\(allowed.errors)")
    }

    @Test func aStoreWithoutItsKeyringIsFound() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.fileOpenBao)
        try sandbox.shell("rm '\(store.path)/core/_keyring'")
        let outcome = try check(sandbox, try sandbox.configuration(of: store))
        #expect(outcome.code == 3 && outcome.output.contains("core/keyring is missing"), "\(outcome.output)")
    }

    @Test func anEmptyStoreProvesNothing() throws {
        let sandbox = try Sandbox()
        try makeFolder("\(sandbox.path)/empty")
        let outcome = try check(sandbox, try sandbox.configuration(of: .file("\(sandbox.path)/empty")))
        #expect(
            outcome.code == 2 && outcome.output.isEmpty && outcome.errors.contains("holds no entry"),
            "\(outcome.errors)")
    }

    @Test(arguments: [
        ["-manifest", "x"], ["-start=a"], ["-prefix=sys/"], ["-sample=5%"], ["-combined=-"], ["-resume", "x"],
        ["-extra", "x"],
        ["-listed-only"],
    ])
    func flagsOfComparisonsDoNotGo(_ words: [String]) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let outcome = try check(sandbox, try sandbox.configuration(of: store), words)
        #expect(outcome.code == 1 && outcome.errors.contains("does not go with -structure"), "\(outcome.errors)")
        #expect(!exists("\(sandbox.path)/x"))
    }

    /// A report of it is none that a repair goes by.
    @Test func nothingIsRepairedFromIt() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        #expect(try sandbox.migrate(file).code == 0)
        let found = try sandbox.write("found.json", try check(sandbox, file, ["-format=json"]).output)
        let outcome = try sandbox.sealift(["repair", "-config", file, "-from", found])
        #expect(outcome.code != 0 && outcome.errors.contains("sealift check -format=json"), "\(outcome.errors)")
    }
}
