import Foundation
import Testing

/// Flags, environment variables, help and unknown words, as far as only the whole program shows them.
@Suite struct CommandLineTests {
    /// Flags behind `operator migrate`; CONFIG stands for a good file that migrates four entries.
    private static let accepted: [[String]] = [
        ["-config", "CONFIG"], ["-config=CONFIG"], ["--config", "CONFIG"], ["--config=CONFIG"],
        ["-config=nowhere.hcl", "-config=CONFIG"], ["-config", "CONFIG", "-max-parallel", "1"],
        ["-max-parallel=64", "-config=CONFIG"], ["-config=CONFIG", "-reset=false"],
        ["-config=CONFIG", "-reset=F", "--dry-run=0"], ["-config=CONFIG", "-log-level=ERROR"],
        ["-config=CONFIG", "-start="], ["-config=CONFIG", "--", "-reset"], ["-config=CONFIG", "-format=table"],
        ["-config=CONFIG", "word", "-reset"],
    ]

    @Test(arguments: accepted)
    func migrates(_ flags: [String]) throws {
        let sandbox = try Sandbox()
        let file = try sample(sandbox)
        let words = flags.map { $0.replacing("CONFIG", with: file) }
        let outcome = try sandbox.sealift(["operator", "migrate"] + words)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(exists("\(sandbox.path)/dst/core/_keyring"))
        let misplaced = "Command flags must be provided before positional arguments. The following arguments will not "
        #expect(outcome.errors.contains(misplaced) == (flags.last == "-reset" && !flags.contains("--")))
    }

    private static let refused: [(flags: [String], code: Int32, says: String)] = [
        (["-config"], 1, "flag needs an argument: -config"),
        (["-config="], 1, "Must specify exactly one config path using -config"),
        (["-max-parallel=", "-config=CONFIG"], 1, "must be between 1 and 9223372036854775807"),
        (["-max-parallel=0x10", "-config=CONFIG"], 1, "strconv.ParseInt: parsing \"0x10\": invalid syntax"),
        (["-reset=maybe"], 1, "invalid boolean value \"maybe\" for -reset: strconv.ParseBool: parsing \"maybe\""),
        (["-confg=CONFIG"], 1, "flag provided but not defined: -confg\nDid you mean -config?"),
        (["-log-level=", "-config=CONFIG"], 1, " is an unknown log level. Valid log levels are: [trace debug info"),
        (["-config=CONFIG", "-format=yaml"], 1, "Invalid output format: yaml"),
        (["-config=CONFIG", "-chown=no-such-user-here"], 1, "no such user or group"),
    ]

    @Test(arguments: refused)
    func refuses(_ flags: [String], _ code: Int32, _ says: String) throws {
        let sandbox = try Sandbox()
        let file = try sample(sandbox)
        let words = flags.map { $0.replacing("CONFIG", with: file) }
        let outcome = try sandbox.sealift(["operator", "migrate"] + words)
        #expect(outcome.code == code)
        #expect(outcome.errors.contains(says), "\(outcome.errors)")
        #expect(outcome.output == "")
        #expect(!exists("\(sandbox.path)/dst"))
    }

    private static let variables: [(variables: [String: String], flags: [String], code: Int32, errors: String)] = [
        (["VAULT_LOG_LEVEL": ""], [], 1, "is an unknown log level"),
        (["VAULT_LOG_LEVEL": "loud"], [], 1, "loud is an unknown log level"),
        (["VAULT_LOG_LEVEL": "loud"], ["-log-level=info"], 0, ""),
        (["VAULT_LOG_LEVEL": "loud", "BAO_LOG_LEVEL": "warn"], [], 0, ""),
        (["VAULT_LOG_LEVEL": "warn", "BAO_LOG_LEVEL": ""], [], 1, "is an unknown log level"),
        (["VAULT_LOG_LEVEL": "debug"], [], 0, "[DEBUG] copied key: path=core/keyring"),
        (["VAULT_LOG_LEVEL": "debug", "VAULT_LOG_FORMAT": "json"], [], 0, "\"@message\":\"copied key\""),
        (["VAULT_LOG_LEVEL": "debug", "VAULT_LOG_FORMAT": "json", "BAO_LOG_FORMAT": "x"], [], 0, "[DEBUG] copied key"),
        (["SEALIFT_PRACTICE": "maybe"], [], 1, "in environment variable SEALIFT_PRACTICE"),
        (["VAULT_RAFT_PATH": "/nowhere", "AWS_S3_BUCKET": "b"], [], 0, ""),
    ]

    @Test(arguments: variables)
    func obeys(_ variables: [String: String], _ flags: [String], _ code: Int32, _ errors: String) throws {
        let sandbox = try Sandbox()
        let words = ["operator", "migrate", "-config", try sample(sandbox)] + flags
        let outcome = try sandbox.sealift(words, adding: variables)
        #expect(outcome.code == code)
        #expect(errors.isEmpty || outcome.errors.contains(errors), "\(outcome.errors)")
    }

    @Test(arguments: [
        ["VAULT_MIGRATE_CONFIG_PATH": "GOOD"], ["BAO_MIGRATE_CONFIG_PATH": "GOOD"],
        ["BAO_MIGRATE_CONFIG_PATH": "GOOD", "VAULT_MIGRATE_CONFIG_PATH": "/nowhere"],
    ])
    func takesTheFileFromTheEnvironment(_ variables: [String: String]) throws {
        let sandbox = try Sandbox()
        let file = try sample(sandbox)
        let filled = variables.mapValues { $0 == "GOOD" ? file : $0 }
        #expect(try sandbox.sealift(["operator", "migrate"], adding: filled).code == 0)
    }

    /// Both blocks obey them, as in the stock command, which then copies a store onto itself.
    @Test(arguments: ["VAULT_RAFT_PATH", "BAO_RAFT_PATH"])
    func aVariableThatMakesBothSidesOneIsNoticed(_ name: String) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftMigrated)
        let file = try sandbox.configuration(.raft("/one"), .raft("/other"))
        let before = try snapshot(store.path)
        let variables = [name: store.path, "VAULT_RAFT_NODE_ID": "n"]
        let outcome = try sandbox.sealift(["operator", "migrate", "-config", file], adding: variables)
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("source and destination are the same store"), "\(outcome.errors)")
        #expect(try snapshot(store.path) == before)
    }

    private func sample(_ sandbox: Sandbox) throws -> String {
        let source = try sandbox.makeFileStore(
            "src", SampleEntry.initialised + [SampleEntry("sys/a"), SampleEntry("sys/b")])
        return try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
    }
}
