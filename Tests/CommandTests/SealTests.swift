import Foundation
import Testing

/// What the result says of the store's seal.
@Suite struct SealTests {
    private static let shamir = #"{"type":"shamir","secret_shares":5,"secret_threshold":3,"nonce":"","backup":false}"#
    /// A protobuf message with a sealed key and, in its field 5, the id of the key that sealed it.
    private static let blob: [UInt8] =
        [0x0a, 3, 1, 2, 3, 0x2a, 13, 0x1a, 11] + Array("alias/vault".utf8)

    /// Entries, the line of the result, words of the steps or remarks, and words that must not appear.
    private static let seals: [(name: String, entries: [SampleEntry], row: String, words: [String], wrong: String)] = [
        (
            "shamir",
            [
                SampleEntry("core/seal-config", Array(shamir.utf8)),
                SampleEntry(
                    "core/hsm/barrier-unseal-keys", [0x0a, 0x4c] + Array(repeating: 7, count: 76) + [0x2a, 0]),
            ], "shamir, 3 of 5 key shares unseal it",
            ["Unseal it with 3 of the 5 key shares", "Unseal each with the same key shares."], "seal stanza"
        ),
        (
            "legacy", [SampleEntry("core/seal-config", Array(shamir.utf8))], "shamir, 3 of 5 key shares unseal it",
            ["before Vault 1.3", "OpenBao 2.2 and later do not"], "seal stanza"
        ),
        (
            "awskms",
            [
                SampleEntry(
                    "core/seal-config", Array(#"{"type":"awskms","secret_shares":1,"secret_threshold":1}"#.utf8)),
                SampleEntry("core/hsm/barrier-unseal-keys", blob),
            ], "awskms, key alias/vault: the server unseals itself",
            [
                "Carry the stanza seal \"awskms\" (key alias/vault) over as it is", "they unseal themselves",
                "OpenBao 2.7 does not start without a plugin for it",
            ], "key shares"
        ),
        (
            "transit",
            [
                SampleEntry("core/seal-config", Array(#"{"type":"transit","stored_shares":1}"#.utf8)),
                SampleEntry("core/hsm/barrier-unseal-keys", [0xff, 0xff, 0x2a, 0x99]),
            ], "transit: the server unseals itself", ["Carry the stanza seal \"transit\" over"], "plugin"
        ),
        (
            "odd", [SampleEntry("core/seal-config", Array("no JSON".utf8))], "Keyspace",
            ["Unseal it with the same key shares (or the same auto-unseal key) as before."], "Seal  "
        ),
    ]

    @Test(arguments: seals.indices, [true, false])
    func theResultTellsHowToUnseal(_ index: Int, _ isDryRun: Bool) throws {
        let seal = Self.seals[index]
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("source", [SampleEntry("core/keyring")] + seal.entries)
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/raft"))
        let outcome = try sandbox.migrate(file, isDryRun ? ["-dry-run"] : [])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains(seal.row))
        for words in seal.words { #expect(outcome.output.contains(words), "\(words) in \(outcome.output)") }
        #expect(!outcome.output.contains(seal.wrong), "\(outcome.output)")
        for line in ["disable_mlock = true", "api_addr      = \"https://10.0.0.11:8200\"", "VAULT_RAFT_NODE_ID"] {
            #expect(outcome.output.contains(line))
        }
    }

    @Test func theReportAndTheEventHaveTheSeal() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("source", [SampleEntry("core/keyring")] + Self.seals[2].entries)
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/raft"))
        let outcome = try sandbox.migrate(file, ["-format=json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let wanted =
            #""seal":{"type":"awskms","shares":null,"threshold":null,"key_id":"alias/vault","legacy":false,"root_key":"stored","fault":null}"#
        #expect(outcome.output.contains(wanted), "\(outcome.output)")
        let report = try text(of: "\(sandbox.path)/raft.sealift/report.json")
        #expect(report.contains(#""type": "awskms""#) && report.contains(#""key_id": "alias/vault""#), "\(report)")
    }

    /// What is said of a store too old for its next server is said by every command that looks at it, and before anything is
    /// written.
    @Test(arguments: [
        ("core/keyring", "before Vault 1.3", "legacy"),
        ("barrier/init", "its keyring is still barrier/init", "before keyring"),
    ])
    func whatIsTooOldIsSaidEverywhere(_ keyring: String, _ words: String, _ rootKey: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore(
            "source", [SampleEntry("core/seal-config", Array(Self.shamir.utf8)), SampleEntry(keyring)])
        let raft = "\(sandbox.path)/raft"
        let file = try sandbox.configuration(source, .raft(raft))
        let plan = try sandbox.sealift(["plan", "-config", file])
        #expect(plan.code == 0 && plan.output.contains("\nRemark: ") && plan.output.contains(words), "\(plan.output)")
        let planned = try #require(try sandbox.sealift(["plan", "-config", file, "-format=json"]).events().first)
        #expect((planned["seal"] as? [String: Any])?["root_key"] as? String == rootKey)
        #expect((planned["remarks"] as? [String])?.first?.contains(words) == true)

        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.components(separatedBy: words).count == 2, "\(outcome.output)")
        // As the first of its log lines.
        #expect(outcome.errors.split(separator: "\n").first?.contains(words) == true, "\(outcome.errors)")
        let report = try text(of: "\(raft).sealift/report.json")
        #expect(report.contains("\"root_key\": \"\(rootKey)\""))
        let page = try text(of: "\(raft).sealift/report.html")
        #expect(page.contains("<dt>Root key</dt>"), "\(page)")

        let check = try sandbox.sealift(["check", "-config", file])
        #expect(check.code == 0 && check.output.components(separatedBy: words).count == 2, "\(check.output)")
        let json = try #require(try sandbox.sealift(["check", "-config", file, "-format=json"]).events().last)
        #expect((json["remarks"] as? [String])?.count == 1)
        let proven = try sandbox.sealift(["check", "-config", file, "-manifest", "\(raft).sealift/manifest.txt"])
        #expect(proven.code == 0 && proven.output.contains(words), "\(proven.output)\(proven.errors)")
        let structure = try sandbox.sealift(["check", "-structure", "-config", file, "-side=destination"])
        #expect(structure.output.contains(words), "\(structure.output)")
    }

    @Test func aSealThatServersRefuseIsNamed() throws {
        let sandbox = try Sandbox()
        let odd = #"{"type":"shamir","secret_shares":3,"secret_threshold":4}"#
        let source = try sandbox.makeFileStore(
            "source", [SampleEntry("core/keyring"), SampleEntry("core/seal-config", Array(odd.utf8))])
        let outcome = try sandbox.migrate(try sandbox.configuration(source, .raft("\(sandbox.path)/raft")))
        #expect(outcome.code == 0 && outcome.output.contains("it wants 4 of 3 key shares"), "\(outcome.output)")
        let page = try text(of: "\(sandbox.path)/raft.sealift/report.html")
        #expect(page.contains("<dt>Not valid</dt>"))
    }

    @Test(arguments: Fixture.allCases)
    func realStoresAreDescribed(_ fixture: Fixture) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(fixture)
        let outcome = try sandbox.migrate(try sandbox.configuration(store, .raft("\(sandbox.path)/to")), ["-dry-run"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let line = try #require(outcome.outputLines.first { $0.hasPrefix("  Seal ") })
        #expect(line.contains(#/shamir, \d of \d key shares unseal it/#))
        #expect(!outcome.output.contains("before Vault 1.3"))
    }
}
