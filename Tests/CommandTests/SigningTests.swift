import Foundation
import TestSupport
import Testing

/// Evidence that is signed, verified by the system's openssl with the commands that the program prints.
@Suite struct SigningTests {
    private static let evidence = ["manifest.txt", "report.json"]

    /// A migration's file, and the keys to sign with.
    private func prepared(_ sandbox: Sandbox, _ kind: String = "raft") throws -> (file: String, words: [String]) {
        let entries = SampleEntry.initialised + [SampleEntry("sys/a"), SampleEntry("sys/b é", [7])]
        let source = try sandbox.makeFileStore("src", entries)
        let destination: Store = kind == "raft" ? .raft("\(sandbox.path)/dst") : .file("\(sandbox.path)/dst")
        let file = try sandbox.configuration(source, destination)
        try sandbox.shell(
            "cd '\(sandbox.path)' && umask 077 && openssl genpkey -algorithm ed25519 -out key.pem "
                + "&& openssl rand -hex 32 > secret")
        let key = "\(sandbox.path)/key.pem"
        return (file, ["-config", file, "-sign-key", key, "-state-dir", "\(sandbox.path)/my state"])
    }

    /// The commands in a result that verify signatures.
    private func commands(_ output: String) -> [String] {
        lines(of: output).map { $0.trimmingCharacters(in: .whitespaces) }.filter { $0.hasPrefix("openssl pkey") }
    }

    private func run(_ commands: [String], _ sandbox: Sandbox) throws -> [Int32] {
        try commands.map { try sandbox.startShell("cd '\(sandbox.path)' && \($0)").outcome().code }
    }

    @Test func opensslVerifiesAMigrationsEvidence() throws {
        let sandbox = try Sandbox()
        let (file, words) = try prepared(sandbox)
        let secret = ["-key-file", "\(sandbox.path)/secret"]
        let outcome = try sandbox.sealift(["operator", "migrate"] + words + secret)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let commands = commands(outcome.output)
        #expect(commands.count == 4)
        #expect(try run(commands, sandbox) == [0, 0, 0, 0])
        let state = "\(sandbox.path)/my state"
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: "\(state)/report.json")))
                as? [String: Any])
        for (name, member) in [
            ("manifest.txt", "manifest"), ("manifest-keyed.txt", "keyed_manifest"), ("report.json", "report"),
        ] {
            let signature = "\(state)/\(name).sig"
            #expect(report[member] as? String == "\(state)/\(name)")
            #expect(report["\(member)_signature"] as? String == signature)
            let attributes = try FileManager.default.attributesOfItem(atPath: signature)
            #expect(attributes[.size] as? Int == 64 && attributes[.posixPermissions] as? Int == 0o600)
            // One bit of the file, one of the signature.
            for path in ["\(state)/\(name)", signature] {
                let good = try Scratch.bytes(path)
                var bad = good
                bad[bad.count / 2] ^= 1
                try Scratch.write(bad, to: path)
                #expect(try run(commands, sandbox).filter { $0 != 0 }.count == 1, "\(path)")
                try Scratch.write(good, to: path)
            }
        }
        #expect(try run(commands, sandbox) == [0, 0, 0, 0])
        let check = ["check", "-config", file, "-manifest", "\(state)/manifest-keyed.txt"] + secret
        #expect(try sandbox.sealift(check).code == 0)

        // A run without the key leaves nothing of the older evidence.
        try sandbox.shell("rm -r '\(sandbox.path)/dst'")
        let unsigned = try sandbox.sealift(
            ["operator", "migrate", "-format=json"] + words.filter { !$0.contains("key") })
        #expect(unsigned.code == 0, "\(unsigned.errors)")
        let result = try #require(try unsigned.events().last)
        #expect(result["manifest_signature"] is NSNull && result["report_signature"] is NSNull)
        #expect(result["keyed_manifest"] is NSNull && result["keyed_manifest_signature"] is NSNull)
        #expect(!Scratch.names(in: state).contains { $0.hasSuffix(".sig") || $0.contains("keyed") })
    }

    /// Names that are no text for a shell; a store that is not in key order.
    @Test func opensslVerifiesAManifestOfAStore() throws {
        let sandbox = try Sandbox()
        let (file, _) = try prepared(sandbox)
        let output = "\(sandbox.path)/it's a $(manifest)"
        for words in [[], ["-key-file", "\(sandbox.path)/secret"], ["-digest-only"]] {
            let command =
                [
                    "checksum", "-config", file, "-side=source", "-output", output, "-sign-key",
                    "\(sandbox.path)/key.pem",
                ] + words
            let outcome = try sandbox.sealift(command)
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(try run(commands(outcome.output), sandbox) == [0, 0])
            // What goes to a file is what goes to standard output.
            let printed = try sandbox.sealift(["checksum", "-config", file, "-side=source"] + words)
            let written = try text(of: output)
            #expect(words.contains("-digest-only") ? written.hasSuffix(printed.output) : written == printed.output)
            let json = try #require(try sandbox.sealift(command + ["-format=json"]).events().last)
            #expect(json["signature"] as? String == "\(output).sig" && json["manifest"] as? String == output)
            #expect(try text(of: output) == written)
        }
        // Cut off by a damaged entry, and without a key: what is left has no signature.
        let again = ["checksum", "-config", file, "-side=source", "-output", output]
        #expect(try sandbox.sealift(again).code == 0 && !exists("\(output).sig"))
        #expect(try sandbox.sealift(again + ["-sign-key", "\(sandbox.path)/key.pem"]).code == 0)
        try sandbox.shell("printf '{\"Value\":' > '\(sandbox.path)/src/sys/_a'")
        let cut = try sandbox.sealift(again + ["-sign-key", "\(sandbox.path)/key.pem"])
        #expect(cut.code == 2 && exists(output) && !exists("\(output).sig"), "\(cut.output)")
        // What is no signature is somebody's.
        let foreign = String(repeating: "mine ", count: 20)
        try foreign.write(toFile: "\(output).sig", atomically: false, encoding: .utf8)
        let refused = try sandbox.sealift(again)
        #expect(refused.code == 2 && refused.errors.contains("and is none. Move it away"), "\(refused.errors)")
        #expect(try text(of: "\(output).sig") == foreign)
    }

    /// How to make a file that is no key to sign with, and what is said of it.
    private static let wrongKeys: [(command: String, says: String)] = [
        ("openssl genrsa -out bad 2048", "of another kind, RSA, not Ed25519"),
        ("openssl ecparam -genkey -name prime256v1 -out bad", "of another kind, EC, not Ed25519"),
        ("openssl genpkey -algorithm x25519 -out bad", "of another kind, X25519, not Ed25519"),
        (
            "openssl genpkey -algorithm ed25519 -aes256 -pass pass:x -out bad",
            "protected by a pass phrase, which nobody can be asked for"
        ),
        ("openssl genrsa -traditional -aes128 -passout pass:x -out bad 2048", "protected by a pass phrase"),
        ("openssl pkey -in key.pem -pubout -out bad", "is a public key, which only verifies"),
        ("openssl pkey -in key.pem -outform DER -out bad", "is no private key in PEM"),
        ("head -c 60 key.pem > bad", "is no private key in PEM"), (": > bad", "is empty"),
        ("mkdir bad", "is no regular file"), ("mkfifo bad", "is no regular file"), (":", "no such file"),
        ("cp key.pem bad && chmod 640 bad", "can be read by others than its owner. Make it private: chmod 600"),
        ("cp key.pem bad && chmod 604 bad", "can be read by others"),
    ]

    @Test(arguments: wrongKeys)
    func aWrongKeyCostsNothing(_ command: String, _ says: String) throws {
        let sandbox = try Sandbox()
        let (file, _) = try prepared(sandbox)
        try sandbox.shell("cd '\(sandbox.path)' && umask 077 && \(command) 2>/dev/null")
        func state() throws -> [String: String] {
            try snapshot(sandbox.path).filter { !$0.key.hasPrefix("home") && !$0.key.isEmpty }
        }
        let before = try state()
        let bad = "\(sandbox.path)/bad"
        for words in [
            ["operator", "migrate", "-config", file], ["operator", "migrate", "-config", file, "-dry-run"],
            ["checksum", "-config", file, "-side=source", "-output", "\(sandbox.path)/m"],
        ] {
            let outcome = try sandbox.sealift(words + ["-sign-key", bad])
            #expect(outcome.code == 1 && outcome.errors.contains(says), "\(words): \(outcome.errors)")
            #expect(outcome.errors.contains(bad) && !outcome.errors.contains("BEGIN") && outcome.output.isEmpty)
        }
        #expect(try state() == before)
    }

    @Test func flagsThatDoNotGoTogetherAreRefused() throws {
        let sandbox = try Sandbox()
        let (file, _) = try prepared(sandbox)
        let key = "\(sandbox.path)/key.pem"
        let checksum = ["checksum", "-config", file, "-side=source"]
        for (words, says) in [
            (checksum + ["-sign-key", key], "with -output"), (checksum + ["-sign-key="], "-sign-key names no file"),
            (checksum + ["-sign-key", key, "-output=-"], "with -output"), (checksum + ["-output="], "names no file"),
            (checksum + ["-output", key, "-sign-key", key], "would overwrite the file of -sign-key"),
            (checksum + ["-output", file], "would overwrite the configuration file"),
            (checksum + ["-output", "\(sandbox.path)/src/x"], "would overwrite the file store"),
            (checksum + ["-output", "/dev/null", "-sign-key", key], "is no regular file"),
        ] {
            let outcome = try sandbox.sealift(words)
            #expect(outcome.code == 1 && outcome.errors.contains(says), "\(words): \(outcome.errors)")
        }
    }

    /// The destination is proven and stays; the same command ends what is left to do.
    @Test(arguments: ["raft", "file"])
    func evidenceThatCannotBeFinishedIsAnError(_ kind: String) throws {
        let sandbox = try Sandbox()
        let (file, words) = try prepared(sandbox, kind)
        let state = "\(sandbox.path)/my state"
        let denied = try sandbox.sealift(
            ["operator", "migrate"] + words, adding: try Steps.variables(["STEPS_DENY": "report.json"]))
        #expect(denied.code == 2, "\(denied.output)")
        #expect(denied.errors.contains("The destination is proven and complete. Run the same command again"))
        #expect(exists("\(state)/proven") && !exists("\(state)/report.json.sig"))
        // Meanwhile the manifest is changed: what is signed must be what was proven.
        let manifest = try text(of: "\(state)/manifest.txt")
        try sandbox.shell("sed -i 's/  sys.a$/  sys\\/aa/' '\(state)/manifest.txt'")
        let changed = try sandbox.sealift(["operator", "migrate"] + words)
        #expect(changed.code == 2 && changed.errors.contains("manifest.txt was changed"), "\(changed.errors)")
        let other =
            "# entries: 0\n# keyspace digest: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
        try other.write(toFile: "\(state)/manifest.txt", atomically: false, encoding: .utf8)
        let replaced = try sandbox.sealift(["operator", "migrate"] + words)
        #expect(replaced.code == 2 && replaced.errors.contains("not the manifest of what was proven"))
        try manifest.write(toFile: "\(state)/manifest.txt", atomically: false, encoding: .utf8)
        let again = try sandbox.sealift(["operator", "migrate"] + words)
        #expect(again.code == 0, "\(again.errors)")
        #expect(try run(commands(again.output), sandbox) == [0, 0, 0])
        #expect(try sandbox.sealift(["check", "-config", file]).code == 0 && !exists("\(state)/proven"))
    }

    /// A warm pass proves nothing for good: only its report is signed. A finished job can be signed when it is run again.
    @Test func onlyWhatIsFinalIsSignedAsAWhole() throws {
        let sandbox = try Sandbox()
        let (_, words) = try prepared(sandbox, "file")
        let command = ["operator", "migrate"] + words + ["-key-file", "\(sandbox.path)/secret"]
        let warm = try sandbox.sealift(command + ["-mode=warm"])
        #expect(warm.code == 4, "\(warm.errors)")
        #expect(try run(commands(warm.output), sandbox) == [0, 0])
        let state = "\(sandbox.path)/my state"
        #expect(Scratch.names(in: state).filter { $0.hasSuffix(".sig") || $0.contains("keyed") } == ["report.json.sig"])
        let final = try sandbox.sealift(command + ["-mode=final"])
        #expect(final.code == 0, "\(final.errors)")
        #expect(try run(commands(final.output), sandbox) == [0, 0, 0, 0])

        try sandbox.shell("rm '\(state)'/*.sig")
        let again = try sandbox.sealift(command)
        #expect(again.code == 0, "\(again.errors)")
        #expect(try run(commands(again.output), sandbox) == [0, 0, 0, 0])
    }

    /// A failed run's report is signed as well.
    @Test func theReportOfAFailureIsSigned() throws {
        let sandbox = try Sandbox()
        let (_, words) = try prepared(sandbox)
        try sandbox.shell("printf '{\"Value\":' > '\(sandbox.path)/src/sys/_a'")
        #expect(try sandbox.sealift(["operator", "migrate"] + words).code == 2)
        let state = "\(sandbox.path)/my state"
        #expect(try text(of: "\(state)/report.json").contains("\"result\": \"failed\""))
        try sandbox.shell(
            """
            cd '\(state)' && openssl pkey -in ../key.pem -pubout -out ../public.pem && openssl pkeyutl -verify -rawin \
            -pubin -inkey ../public.pem -sigfile report.json.sig -in report.json && ! test -e manifest.txt.sig
            """)
    }

    /// Wherever a run is killed, a signature that stands there is that of the file beside it, and the same command comes to the
    /// end. Older evidence of another run stands there before.
    @Test func noSignatureOutlivesItsFile() throws {
        let sandbox = try Sandbox()
        let (_, words) = try prepared(sandbox)
        let command = ["operator", "migrate"] + words + ["-key-file", "\(sandbox.path)/secret"]
        #expect(try sandbox.sealift(command).code == 0)
        try sandbox.shell(
            "cd '\(sandbox.path)' && openssl pkey -in key.pem -pubout -out public.pem && mv 'my state' old")
        _ = try sandbox.makeFileStore("src", [SampleEntry("sys/new")])
        let verify =
            """
            cd '\(sandbox.path)/my state' 2>/dev/null || exit 0; for f in *.sig; do test -e "$f" || continue
            openssl pkeyutl -verify -rawin -pubin -inkey ../public.pem -sigfile $f -in ${f%.sig} || exit 1; done
            """
        var (isDone, kills) = (false, 0)
        for step in Swift.stride(from: 1, through: Steps.maximum, by: Effort.stride(2)) where !isDone {
            try sandbox.shell("cd '\(sandbox.path)' && rm -rf dst dst.* 'my state' && cp -a old 'my state'")
            let outcome = try sandbox.sealift(command, adding: try Steps.variables(["STEPS_KILL": "\(step)"]))
            isDone = outcome.code == 0
            kills += isDone ? 0 : 1
            #expect(isDone || outcome.code == -SIGKILL, "\(outcome.errors)")
            #expect(try sandbox.startShell(verify).outcome().code == 0, "step \(step)")
            guard !isDone else { continue }
            let again = try sandbox.sealift(command)
            #expect(again.code == 0, "step \(step): \(again.errors)")
            #expect(try run(commands(again.output), sandbox) == [0, 0, 0, 0], "step \(step)")
        }
        #expect(isDone && kills > 10, "\(kills) kills")
    }
}
