import Foundation
import TestSupport
import Testing

/// Manifests that tell no names, written and held against stores by the program.
@Suite struct KeyedManifestTests {
    /// Keys with bytes that need escapes elsewhere, values that are equal, empty, or another's name.
    private static let entries =
        SampleEntry.initialised + [
            SampleEntry("sys/a"), SampleEntry("sys/b é\\", []), SampleEntry("logical/x/y z", Array("sys/a".utf8)),
        ]

    private func secret(_ sandbox: Sandbox, _ text: String, _ name: String = "secret", mode: Int = 0o600) throws
        -> String
    {
        let path = try sandbox.write(name, text)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    /// With and without a line feed at the end; two of them, of which one counts; bytes that are no text.
    @Test(arguments: ["", "\n", "\n\n", "\u{0}\u{7f}é\n"])
    func pythonMakesTheSameManifest(_ end: String) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.makeFileStore("store", Self.entries)
        let secret = try secret(sandbox, "0123456789abcdef0123456789abcdef\(end)")
        let file = try sandbox.configuration(of: store)
        let outcome = try sandbox.sealift(["checksum", "-config", file, "-key-file", secret])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let expected = try sandbox.shell("python3 '\(pythonProgram("keyed_manifest.py"))' '\(store.path)' '\(secret)'")
        #expect(outcome.output == expected)
        let manifest = try sandbox.write("keyed.txt", outcome.output)
        let digest = try sandbox.shell("grep -v '^#' '\(manifest)' | sha256sum").prefix(64)
        #expect(outcome.output.hasSuffix("# keyspace digest: \(digest)\n"))
        // As the help says it.
        let code = try sandbox.shell(
            """
            HEX=$(od -An -v -tx1 '\(secret)' | tr -d ' \\n' | sed 's/0a$//')
            printf name:%s sys/a | openssl dgst -sha256 -mac HMAC -macopt hexkey:$HEX
            """)
        #expect(outcome.output.contains("  \(code.split(separator: " ").last ?? "?")"))
        for name in Self.entries.map(\.key) + ["sys", store.path] { #expect(!outcome.output.contains(name), "\(name)") }

        let json = try sandbox.sealift(["checksum", "-config", file, "-key-file", secret, "-format=json"]).events()
        let lines = json.dropLast().map { "\($0["hmac"] ?? "")  \($0["hashed_key"] ?? "")" }
        #expect(lines == outcome.outputLines.filter { !$0.hasPrefix("#") } && json.last?["keyed"] as? Bool == true)
    }

    /// What is done to an entry file, and how it is named; a hash stands for a key that the store has no more.
    private static let offences: [(sign: String, key: String?, command: String)] = [
        ("*", "sys/a", "printf '{\"Value\":\"AAEE\"}\\n' > STORE/sys/_a"), ("-", nil, "rm STORE/sys/_a"),
        ("+", "sys/c", "cp STORE/sys/_a STORE/sys/_c"), ("!", "sys/a", "printf '{\"Value\":\"AA' > STORE/sys/_a"),
    ]

    @Test(arguments: offences)
    func findsWhatWasDone(_ sign: String, _ key: String?, _ command: String) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.makeFileStore("store", Self.entries)
        let file = try sandbox.configuration(of: store)
        let hashed = String(try hash("sys/a", sandbox))
        let key = key ?? hashed
        let flags = ["-config", file, "-key-file", "\(sandbox.path)/secret"]
        let manifest = "\(sandbox.path)/keyed.txt"
        #expect(try sandbox.sealift(["checksum", "-output", manifest] + flags).code == 0)
        let check = ["check", "-manifest", manifest] + flags
        let clean = try sandbox.sealift(check)
        #expect(clean.code == 0 && clean.output.hasPrefix("Manifest and store hold the same 5 entries.\n"))
        try sandbox.shell(command.replacing("STORE", with: store.path))

        let lists = ["combined", "missing", "extra", "differ"]
        let found = try sandbox.sealift(check + lists.flatMap { ["-\($0)", "\(sandbox.path)/\($0)"] })
        #expect(found.code == 3 && found.outputLines.first == "\(sign) \(key)", "\(found.output)\(found.errors)")
        let listed = try lists.dropFirst().map { try lines(of: text(of: "\(sandbox.path)/\($0)")) }
        #expect(listed == ["-", "+", "*"].map { $0 == sign ? [key] : [] })
        let combined = try lines(of: text(of: "\(sandbox.path)/combined"))
        #expect(
            combined.count == (sign == "+" ? 6 : 5) && combined.filter { !$0.hasPrefix("= ") } == ["\(sign) \(key)"])

        let events = try sandbox.sealift(check + ["-format=json"]).events()
        let difference = try #require(events.first { $0["event"] as? String == "difference" })
        #expect(difference[sign == "-" ? "hashed_key" : "key"] as? String == key)
        #expect(events.last?["keyed"] as? Bool == true && events.last?["event"] as? String == "result")
    }

    /// By python, which shares nothing with the program. Makes the secret.
    private func hash(_ key: String, _ sandbox: Sandbox) throws -> Substring {
        let secret = try secret(sandbox, "0123456789abcdef0123456789abcdef")
        return try sandbox.shell(
            """
            python3 -c "import hmac, sys
            print(hmac.new(open(sys.argv[1], 'rb').read(), b'name:' + sys.argv[2].encode(), 'sha256').hexdigest())" \
            '\(secret)' '\(key)'
            """
        ).prefix(64)
    }

    @Test func whatDoesNotGoTogetherIsRefused() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.makeFileStore("store", Self.entries)
        let file = try sandbox.configuration(of: store)
        let key = try secret(sandbox, "0123456789abcdef0123456789abcdef")
        let other = try secret(sandbox, "0123456789abcdef0123456789abcdeF", "other")
        let (plain, keyed) = ("\(sandbox.path)/plain.txt", "\(sandbox.path)/keyed.txt")
        #expect(try sandbox.sealift(["checksum", "-config", file, "-output", plain]).code == 0)
        #expect(try sandbox.sealift(["checksum", "-config", file, "-output", keyed, "-key-file", key]).code == 0)
        let check = ["check", "-config", file]
        for (words, code, says) in [
            (["-manifest", keyed], 2, "is a keyed manifest. Name the file with its secret"),
            (["-manifest", plain, "-key-file", key], 2, "is no keyed manifest"),
            (["-manifest", keyed, "-key-file", other], 2, "was written with another secret"),
            (["-key-file", key], 1, "-key-file goes with -manifest"),
            (["-manifest", keyed, "-key-file="], 1, "-key-file names no file"),
            (["-manifest", keyed, "-key-file", key, "-prefix", "sys/"], 1, "-exclude do not go with -key-file"),
            (["-manifest", keyed, "-key-file", key, "-start", "a"], 1, "-exclude do not go with -key-file"),
            (["-manifest", keyed, "-key-file", key, "-extra", key], 1, "would overwrite the file of -key-file"),
        ] as [([String], Int32, String)] {
            let outcome = try sandbox.sealift(check + words)
            #expect(outcome.code == code && outcome.errors.contains(says), "\(words): \(outcome.errors)")
            #expect(outcome.output.isEmpty)
        }
    }

    @Test(arguments: [
        ("", 0o600, "fewer than 32 bytes"), ("0123456789abcdef0123456789abcde\n", 0o600, "fewer than 32 bytes"),
        (String(repeating: "x", count: 4097), 0o600, "more than 4096 bytes"),
        ("CANARY6789abcdef0123456789abcdef", 0o640, "can be read by others than its owner"),
        ("CANARY6789abcdef0123456789abcdef", 0o602, "can be read by others than its owner"),
    ])
    func aWrongSecretCostsNothing(_ text: String, _ mode: Int, _ says: String) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.makeFileStore("store", Self.entries)
        let key = try secret(sandbox, text, mode: mode)
        let file = try sandbox.configuration(store, .raft("\(sandbox.path)/dst"))
        for words in [["operator", "migrate"], ["checksum", "-side=source"], ["check", "-manifest", file]] {
            let outcome = try sandbox.sealift(words + ["-config", file, "-key-file", key])
            #expect(outcome.code == 1 && outcome.errors.contains(says), "\(words): \(outcome.errors)")
            #expect(
                !outcome.errors.contains("CANARY") && outcome.output.isEmpty && !exists("\(sandbox.path)/dst.sealift"))
        }
    }

    /// Of many entries in little memory: what is sorted lies in a file.
    @Test func manyEntriesNeedNoMoreMemory() throws {
        let sandbox = try Sandbox()
        let store = Store.sqlite("\(sandbox.path)/store")
        try sandbox.sql(
            store.path,
            """
            CREATE TABLE vault_kv_store (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
            INSERT INTO vault_kv_store SELECT CAST(printf('logical/%08d/%s', i, hex(zeroblob(600))) AS BLOB), zeroblob(i % 50)
            FROM n
            """)
        let file = try sandbox.configuration(of: store)
        let flags = ["-config", file, "-key-file", try secret(sandbox, "0123456789abcdef0123456789abcdef")]
        let manifest = "\(sandbox.path)/keyed.txt"
        #expect(try sandbox.sealift(["checksum", "-output", manifest] + flags).code == 0)
        try sandbox.sql(
            store.path, "UPDATE vault_kv_store SET value = x'01' WHERE CAST(key AS TEXT) LIKE 'logical/00100000/%'")
        // The keys alone are 240 MB; what is mapped of a file does not count.
        let limited = try sandbox.startShell(
            "ulimit -d 200000; TMPDIR=\"$HOME\" exec \"$0\" \"$@\"", ["check", "-manifest", manifest] + flags
        ).outcome()
        #expect(
            limited.code == 3 && limited.output.contains("\n  = same                    199,999\n"), "\(limited.errors)"
        )
        #expect(limited.outputLines.first?.hasPrefix("* logical/00100000/") == true)
        #expect(!Scratch.names(in: "\(sandbox.path)/home").contains { $0.hasPrefix("sealift-") })
    }
}
