import Barrier
import BarrierTestKit
import FileBackend
import Foundation
import Storage
import TestSupport
import Testing

/// `prove`: what is authenticated, what is named, and what is refused.
@Suite struct ProveTests {
    @Test(arguments: Fixture.allCases)
    func everyEntryOfARealStoreIsAuthenticated(_ fixture: Fixture) throws {
        let shared = try SharedStore(fixture)
        let before = try snapshot(shared.store.path)
        let outcome = try shared.prove()
        #expect(outcome.code == 0, "\(outcome.errors)")
        // The configuration of the seal is in clear, and what a server locks the initialisation with.
        let count = try fixture.provableEntries()
        #expect(
            outcome.outputLines.first
                == "Proven: \(count) of \(count) entries authenticated. Each is as a server wrote it.")
        #expect(outcome.output.contains("  Failed          0\n"))
        #expect(outcome.output.contains(#/Key terms +1: \d+, 2: \d+ \(active\)/#))
        #expect(try snapshot(shared.store.path) == before)
        let json = try shared.prove(["-format=json"])
        let line = try #require(json.outputLines.last)
        let result = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        let proof = result?["proof"] as? [String: Any]
        #expect(json.code == 0 && result?["event"] as? String == "result" && result?["proven"] as? Bool == true)
        #expect(proof?["authenticated"] as? Int == count && proof?["failed"] as? Int == 0)
        #expect(proof?["plain"] as? Int == (result?["entries"] as? Int ?? 0) - count)
    }

    /// The table of the third kind of store, as a service gives it.
    /// Of a server's own archives the sealed checksums open; of one that was changed and summed up anew they tell it.
    @Test(arguments: [Fixture.raftOpenBao, .raftVault])
    func theSealedSumsOfAnArchiveAreChecked(_ fixture: Fixture) throws {
        let shared = try SharedStore(fixture)
        let fixtures = "\(Sandbox.packageRoot)/Tests/Fixtures"
        let own = "\(fixtures)/\(fixture.rawValue)/snapshot.snap"
        let other = "\(fixtures)/\(fixture == .raftVault ? "raft-openbao-native" : "raft-vault-native")/snapshot.snap"
        let program = "\(Sandbox.packageRoot)/Tests/pythonprograms/repack_archive.py"
        try shared.sandbox.shell("python3 '\(program)' '\(own)' '\(other)' '\(shared.sandbox.path)'")
        for (archive, code, words) in [
            (own, Int32(0), "genuine"), ("\(shared.sandbox.path)/bare.snap", 0, "absent"),
            ("\(shared.sandbox.path)/changed.snap", 3, "of another archive"),
            ("\(shared.sandbox.path)/foreign.snap", 3, "not of this seal"),
        ] {
            let file = try shared.sandbox.write(
                "archive.hcl", "storage \"raft_snapshot\" {\n  path = \"\(archive)\"\n}\n")
            let outcome = try shared.run(["prove", "-config", file])
            #expect(outcome.code == code && outcome.output.contains("Seal sums       \(words)"), "\(outcome.output)")
            let json = try shared.run(["prove", "-config", file, "-format=json"])
            #expect(try json.events().last?["seal_sums"] as? String == words)
        }
    }

    @Test func everyItemOfATableIsAuthenticated() throws {
        let sandbox = try Sandbox()
        let items = "\(Sandbox.packageRoot)/Tests/Fixtures/dynamodb-vault/items.jsonl.gz"
        let shares = try SharedStore.texts("dynamodb-vault")
        let file = try sandbox.write("shares.txt", shares.joined(separator: "\n"))
        let server = try sandbox.write(
            "server.hcl", "storage \"dynamodb_export\" {\n  path = \"\(items)\"\n}\n")
        let outcome = try sandbox.startShell(
            "exec \"$0\" \"$@\" 5< '\(file)'", ["prove", "-config", server, "-shares-fd", "5"]
        ).outcome()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.hasPrefix("Proven: 830 of 830 entries authenticated."), "\(outcome.output)")
    }

    @Test func wrongAndTooFewSharesAreToldInWords() throws {
        let shared = try SharedStore(.fileOpenBao)
        let other = try SharedStore.texts("raft-vault-native")
        let texts = shared.texts
        let cases: [(shares: [String], words: String)] = [
            (Array(texts.prefix(2)), "asks for 3, and 2 were given"), (other, "do not open the store"),
            (Array(texts.prefix(2)) + [other[0]], "do not open the store"), ([], "No key share was given"),
            (Array(texts.prefix(2)) + [texts[0]], "the same as 1"), (["hello"], "Line 1"),
            (
                Array(texts.prefix(2)) + [Data([UInt8](repeating: 1, count: 32) + [0]).base64EncodedString()],
                "last byte is 0"
            ),
        ]
        for (shares, words) in cases {
            let outcome = try shared.prove(shares: shared.shares(shares))
            #expect(outcome.code == 2 && outcome.output.isEmpty, "\(outcome.output)")
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
            for share in shares { #expect(!outcome.errors.contains(share)) }
        }
        let all = try shared.prove(shares: shared.shares(texts.reversed()))
        #expect(all.code == 0, "\(all.errors)")
        try shared.sandbox.shell("rm '\(shared.sandbox.path)/others.txt'")
        #expect(try shared.leaks() == [])
    }

    @Test func mistakesOfTheCommandLineAreNoProof() throws {
        let shared = try SharedStore(.fileOpenBao)
        let base = ["prove", "-config", shared.configuration]
        let cases: [(words: [String], says: String)] = [
            ([], "no terminal to ask for key shares"), (["-shares-fd", "9"], "nothing is open there"),
            (["-shares-fd", "1"], "number of an open descriptor"),
            (["-shares-fd", shared.texts[0]], "number of an open"),
            (["-shares-fd", "0", "-for=openbao-2.7"], "-for goes with -mounts"),
            (["-shares-fd", "0", "-mounts", "-for=bao"], "openbao-2.6, openbao-2.7, vault-1.14"),
            (["-shares-fd", "0", "-failed", shared.configuration], "would overwrite the configuration file"),
            (["-shares-fd", "0", "-side=left"], "-side takes source or destination"),
        ]
        for (words, says) in cases {
            // A session of its own has no terminal.
            let outcome = try shared.sandbox.startShell(
                "exec 9<&-; exec setsid -w \"$0\" \"$@\" < /dev/null", base + words
            )
            .outcome()
            #expect(outcome.code == 1 && outcome.errors.contains(says), "\(words): \(outcome.code) \(outcome.errors)")
            #expect(!outcome.errors.contains(shared.texts[0]))
        }
    }

    @Test func storesThatNoSharesOpenSaySo() throws {
        let sandbox = try Sandbox()
        let seals = [
            (#"{"type":"awskms","secret_shares":1,"secret_threshold":1}"#, "Recovery keys decrypt nothing"),
            ("no JSON", "cannot be understood"),
        ]
        for (index, (seal, words)) in seals.enumerated() {
            let store = try sandbox.makeFileStore(
                "store-\(index)", [SampleEntry("core/keyring"), SampleEntry("core/seal-config", Array(seal.utf8))])
            let file = try sandbox.configuration(of: store)
            // Nobody is asked for shares that would be of no use.
            let outcome = try sandbox.sealift(["prove", "-config", file])
            #expect(outcome.code == 2 && outcome.errors.contains(words), "\(outcome.errors)")
        }
    }

    /// Damage of each kind in seeded places: exactly that is named.
    @Test func exactlyWhatIsDamagedIsNamed() throws {
        let shared = try SharedStore(.fileOpenBao)
        let store = try shared.opened()
        var random = SeededRandom(1515)
        let special: [StorageKey] = [.keyring, .storedRootKey, .sealConfiguration]
        let all = try entries(of: store).filter { !special.contains($0.key) && $0.value.count < 5000 }
        var places = Array(all.indices)
        places.shuffle(using: &random)
        var expected: [String: String] = [:]
        func damage(_ verdict: String, _ change: (Entry) throws -> [UInt8]) throws {
            let entry = all[places.removeLast()]
            try store.put(entry.key, change(entry))
            expected["\(entry.key)"] = verdict
        }
        for _ in 0..<12 {
            try damage("failed") { entry in
                var value = entry.value
                // Behind the term and the version.
                value[5 + random.below(value.count - 5)] ^= 1 << UInt8(random.below(8))
                return value
            }
        }
        for _ in 0..<3 {
            let (one, other) = (all[places.removeLast()], all[places.removeLast()])
            try store.put(one.key, other.value)
            try store.put(other.key, one.value)
            (expected["\(one.key)"], expected["\(other.key)"]) = ("failed", "failed")
        }
        for _ in 0..<3 { try damage("no_envelope") { Array($0.value.prefix(32)) } }
        for _ in 0..<3 { try damage("failed") { Array($0.value.dropLast()) } }
        for _ in 0..<2 { try damage("unknown_term") { [0, 0, 0, 9] + $0.value.dropFirst(4) } }
        for _ in 0..<2 { try damage("no_envelope") { Array(Data($0.value).base64EncodedString().utf8) } }
        // Under a name that it was not written under, and what no server wrote.
        let moved = all[places.removeLast()]
        try store.put("logical/elsewhere", moved.value)
        try store.put("logical/foreign", random.bytes(60).map { $0 | 4 })
        (expected["logical/elsewhere"], expected["logical/foreign"]) = ("failed", "no_envelope")
        store.close()

        let list = "\(shared.sandbox.path)/failed.txt"
        let outcome = try shared.prove(["-format=json", "-failed", list])
        #expect(outcome.code == 3, "\(outcome.errors)")
        var found: [String: String] = [:]
        for line in outcome.outputLines {
            let event = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            guard event?["event"] as? String == "unproven", let key = event?["key"] as? String else { continue }
            found[key] = event?["verdict"] as? String
        }
        #expect(found == expected)
        #expect(Set(lines(of: try text(of: list))) == Set(expected.keys))
        let table = try shared.prove()
        #expect(table.code == 3 && table.output.contains("! logical/elsewhere: failed"))
        #expect(table.output.contains("\nNot proven: "))
        #expect(try shared.leaks() == [])
    }

    /// Without its keyring, or with that of another store, nothing can be proven, and that is said.
    @Test func aKeyringThatDoesNotFitIsNamed() throws {
        let shared = try SharedStore(.fileOpenBao)
        let store = try shared.opened()
        let keyring = try #require(try store.get(.keyring))
        try store.put(.keyring, Array(keyring.dropLast()) + [keyring[keyring.count - 1] ^ 1])
        let other = try shared.prove()
        #expect(other.code == 2 && other.errors.contains("The key shares are right"), "\(other.errors)")
        try store.delete(.keyring)
        let none = try shared.prove()
        #expect(none.code == 2 && none.errors.contains("has no core/keyring"), "\(none.errors)")
    }

    @Test func mountsAreListedAndNothingElseOfTheirTables() throws {
        let shared = try SharedStore(.fileOpenBao)
        let store = try shared.opened()
        let barrier = try shared.barrier()
        let key: StorageKey = "core/local-mounts"
        let table = #"{"entries":[{"path":"cloud/","type":"aws","uuid":"u-1","description":"hush hush secret words"}]}"#
        try store.put(key, try barrier.seal(Array(table.utf8), under: key))
        let stray: StorageKey = "logical/u-2/x"
        try store.put(stray, try barrier.seal([1], under: stray))
        let outcome = try shared.prove(["-mounts", "-for=openbao-2.7"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains(#/kv1\/ +kv +9ecdbd20-\S+ +271 entries, 696.0 KiB\n/#), "\(outcome.output)")
        #expect(outcome.output.contains(#/cloud\/ +aws +u-1 +no entries  NOT SERVED by openbao-2.7: no plugin aws/#))
        #expect(outcome.output.contains("Entries of no mount:\n    logical/u-2/  1 entry"))
        #expect(outcome.output.contains("openbao-2.7 has no plugin for 1 mount"))
        #expect(!outcome.output.contains("hush"))
        let json = try shared.prove(["-mounts", "-for=vault-1.14", "-format=json"])
        #expect(json.output.contains(#""path":"cloud/","type":"aws","uuid":"u-1""#))
        #expect(!json.output.contains(#""served":false"#) && json.output.contains(#""event":"entries_of_no_mount""#))
        #expect(try shared.leaks([Array("hush hush secret words".utf8)]) == [])
    }

    /// At a terminal: what is typed is not shown, and works.
    @Test func sharesAreAskedForWithoutEcho() throws {
        let shared = try SharedStore(.fileOpenBao)
        let outcome = try shared.sandbox.shell(
            "python3 '\(pythonProgram("type_shares.py"))' '\(shared.sharesFile)' '\(Sandbox.program)' prove -config "
                + "'\(shared.configuration)'")
        #expect(outcome.contains("Key share 1 of 3 (nothing is shown): "), "\(outcome)")
        #expect(outcome.contains("Key share 3 of 3") && outcome.contains("Proven: 821 of 821"), "\(outcome)")
        for text in shared.texts { #expect(!outcome.contains(text)) }
        #expect(outcome.contains("exit code 0") && outcome.contains("echo before and after"))
        let interrupted = try shared.sandbox.shell(
            "python3 '\(pythonProgram("type_shares.py"))' interrupt '\(Sandbox.program)' prove -config "
                + "'\(shared.configuration)'")
        #expect(
            interrupted.contains("exit code 130") && interrupted.contains("echo before and after"), "\(interrupted)")
    }

    /// The search for secrets finds them wherever a run may leave them, what it prints among it.
    @Test func aSecretThatIsPrintedIsFound() throws {
        let shared = try SharedStore(.fileOpenBao)
        #expect(try shared.leaks() == [])
        for stream in ["", " >&2"] {
            try shared.sandbox.shell("cat '\(shared.sharesFile)'\(stream)")
        }
        let found = try shared.leaks()
        for name in ["output-", "errors-"] {
            #expect(found.contains { $0.contains("/home/\(name)") && $0.contains("base64") }, "\(found)")
        }
    }

    /// A table that is authentic and cannot be read may have any mount.
    @Test func mountsThatCannotBeReadAreNotSaidToBeServed() throws {
        let shared = try SharedStore(.fileOpenBao)
        let whole = try shared.prove(["-mounts", "-for=vault-1.14"])
        #expect(whole.output.contains("vault-1.14 has a plugin for every mount.\n"), "\(whole.output)")
        let key: StorageKey = "core/local-mounts"
        let store = try shared.opened()
        try store.put(key, try shared.barrier().seal(Array("L compressed".utf8), under: key))
        store.close()
        let outcome = try shared.prove(["-mounts", "-for=vault-1.14"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("has a plugin for every mount that could be read; what was not"))
        #expect(!outcome.output.contains("every mount.") && outcome.output.contains("Not read:\n    core/local-mounts"))
    }

    /// A process with shares leaves no core file, and waits for its shares as long as it takes.
    @Test func noCoreFileIsWritten() throws {
        let shared = try SharedStore(.fileOpenBao)
        let pipe = "\(shared.sandbox.path)/pipe"
        let started = try shared.sandbox.startShell(
            "mkfifo '\(pipe)'; cd '\(shared.sandbox.path)'; ulimit -c unlimited; exec \"$0\" \"$@\" 5<> '\(pipe)'",
            ["prove", "-config", shared.configuration, "-shares-fd", "5"])
        // The system writes none for a process with this limit, which is what it has once it waits for shares.
        try waitUntil("no core file may be written") {
            try #require(!started.program.ends(within: 10), "it does not wait for its shares")
            return try started.program.limits().contains(#/Max core file size +0 +0 /#)
        }
        started.program.send(SIGKILL)
        _ = try started.program.wait()
    }

    @Test func anInterruptEndsTheWaitForShares() throws {
        let shared = try SharedStore(.fileOpenBao)
        let pipe = "\(shared.sandbox.path)/pipe"
        let started = try shared.sandbox.startShell(
            "mkfifo '\(pipe)'; exec \"$0\" \"$@\" 5<> '\(pipe)'",
            ["prove", "-config", shared.configuration, "-shares-fd", "5"])
        #expect(!started.program.ends(within: 500))
        started.program.send(SIGINT)
        let outcome = try started.outcome()
        #expect(outcome.code == 130 && outcome.errors.contains("Interrupted."), "\(outcome.errors)")
    }
}
