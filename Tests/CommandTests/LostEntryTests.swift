import Foundation
import Testing

/// Entries that a crash took, folders that are no server's, logs that are missing: nothing is lost without a word.
@Suite struct LostEntryTests {
    private static let names = ["core/_mounts", "core/_auth", "_master", "logical/u/_secret", "logical/u/__x"]
    private static let keys = ["core/auth", "core/mounts", "logical/u/_x", "logical/u/secret", "master"]

    /// A store in which a crash left files without content.
    private func damagedStore(_ sandbox: Sandbox, _ names: [String] = names) throws -> Store {
        let entries = SampleEntry.initialised + [SampleEntry("sys/a"), SampleEntry("logical/u/there")]
        let store = try sandbox.makeFileStore("src", entries)
        for name in names { try sandbox.write("src/\(name)", "") }
        // A write that was cut off before its first byte took effect for nobody.
        try sandbox.write("src/sys/_a.temp", "")
        return store
    }

    @Test(arguments: ["file", "sqlite", "raft"], [[], ["-dry-run"]])
    func lostEntriesAreAnObstacleThatNamesEveryOne(_ kind: String, _ flags: [String]) throws {
        let sandbox = try Sandbox()
        let source = try damagedStore(sandbox)
        let destination = sandbox.store(kind, "dst")
        let file = try sandbox.configuration(source, destination)
        let before = try snapshot(source.path, times: false)
        let outcome = try sandbox.migrate(file, flags)
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("5 entries of the source"), "\(outcome.errors)")
        #expect(outcome.errors.contains("-allow-lost-entries"))
        for (key, name) in zip(
            Self.keys, ["core/_auth", "core/_mounts", "logical/u/__x", "logical/u/_secret", "_master"])
        {
            let line = "  \(key)  (\(source.path)/\(name))"
            #expect(outcome.messages.filter { $0 == line }.count == 1, "\(line) in \(outcome.errors)")
        }
        #expect(!outcome.output.contains("Success") && !outcome.output.contains("would go through"))
        #expect(try snapshot(source.path, times: false) == before)
        #expect(kind != "raft" || !exists(destination.path))
        #expect(flags.isEmpty || !exists(destination.path))
    }

    @Test(arguments: ["file", "sqlite", "raft"])
    func withTheFlagTheyAreNamedInResultAndReport(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try damagedStore(sandbox)
        let destination = sandbox.store(kind, "dst")
        let file = try sandbox.configuration(source, destination)
        let state = "\(sandbox.path)/state"
        let rehearsal = try sandbox.migrate(file, ["-dry-run", "-allow-lost-entries"])
        #expect(rehearsal.code == 0, "\(rehearsal.errors)")
        #expect(rehearsal.output.contains("  core/mounts  (\(source.path)/core/_mounts)"))
        let outcome = try sandbox.migrate(file, ["-allow-lost-entries", "-state-dir", state])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let report = try text(of: "\(state)/report.json")
        for key in Self.keys {
            #expect(outcome.output.contains("  \(key)  (\(source.path)/"), "\(outcome.output)")
            #expect(report.contains("\"\(key)  (\(source.path)/"), "\(report)")
            #expect(try text(of: "\(state)/lost.txt").contains("\(key)  (\(source.path)/"))
        }
        #expect(!outcome.output.contains("a.temp)"))

        // Both sides hold the same, but for what is lost.
        let check = try sandbox.sealift(["check", "-config", file])
        #expect(check.code == 3)
        #expect(check.outputLines.prefix(5).sorted() == Self.keys.map { "! \($0)" })
        for key in Self.keys { #expect(check.errors.contains("the entry \(key) is lost"), "\(check.errors)") }
        let allowed = try sandbox.sealift(["check", "-config", file, "-allow-lost-entries"])
        #expect(allowed.code == 0, "\(allowed.output)")
        #expect(allowed.errors.contains("  core/mounts  (\(source.path)/core/_mounts)"))
    }

    @Test(arguments: [[], ["-digest-only"], ["-format=json"]])
    func noDigestIsGivenOfAStoreThatLostEntries(_ flags: [String]) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.configuration(of: try damagedStore(sandbox))
        let outcome = try sandbox.sealift(["checksum", "-config", store] + flags)
        #expect(outcome.code == 2)
        for key in Self.keys { #expect(outcome.messages.contains { $0.hasPrefix("  \(key)  (") }, "\(outcome.errors)") }
        #expect(!outcome.output.contains("digest"))
        let allowed = try sandbox.sealift(["checksum", "-config", store, "-allow-lost-entries"] + flags)
        #expect(allowed.code == 0, "\(allowed.errors)")
        #expect(allowed.output.contains("digest") && allowed.errors.contains("  core/mounts  ("))
        let usage = try sandbox.sealift(["inspect", "du", "-config", store])
        #expect(usage.code == 0 && usage.errors.contains("  core/mounts  ("))
        let one = try sandbox.sealift(["inspect", "stat", "-config", store, "core/mounts"])
        #expect(one.code == 2 && one.errors.contains("the entry core/mounts is lost"), "\(one.errors)")
        let none = try sandbox.sealift(["inspect", "stat", "-config", store, "core/none"])
        #expect(none.code == 2 && none.errors.contains("has no entry core/none"), "\(none.errors)")
    }

    @Test(arguments: ["core/_keyring", "core/_seal-config"])
    func aLostKeyringIsNoWrongPath(_ name: String) throws {
        let sandbox = try Sandbox()
        let file = try sandbox.configuration(try damagedStore(sandbox, [name]), .raft("\(sandbox.path)/raft"))
        for flags in [[], ["-allow-lost-entries"], ["-dry-run"]] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 2)
            #expect(outcome.errors.contains("has lost \(name.replacing("_", with: ""))"), "\(outcome.errors)")
            #expect(!outcome.errors.contains("Check its path"))
        }
        #expect(try sandbox.migrate(file, ["-allow-any-data"]).code == 2)
        #expect(try sandbox.migrate(file, ["-allow-any-data", "-allow-lost-entries"]).code == 0)
    }

    /// What is lost before -start, or is the marker or the lock, is none of the run's concern.
    @Test func whatWouldNotBeCopiedIsNotMissed() throws {
        let sandbox = try Sandbox()
        let source = try damagedStore(sandbox, ["core/_migration", "core/_lock"])
        let outcome = try sandbox.migrate(try sandbox.configuration(source, .file("\(sandbox.path)/dst")))
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(!outcome.output.contains("Lost"))
        try sandbox.write("src/core/_mounts", "")
        let later = try sandbox.migrate(
            try sandbox.configuration(source, .file("\(sandbox.path)/later")), ["-start=logical/"])
        #expect(later.code == 0, "\(later.errors)")
    }

    /// Content that is cut off or is none is an error already, which names the file.
    @Test(arguments: [#"printf '{"Value":"AAE'"#, "printf '{}x{'", "head -c 300 /dev/zero", "printf x"])
    func damagedEntriesAreErrors(_ command: String) throws {
        let sandbox = try Sandbox()
        let source = try damagedStore(sandbox, [])
        let isJSON = command.contains("{}")
        try sandbox.shell("\(command) > '\(source.path)/core/_mounts'")
        let outcome = try sandbox.migrate(try sandbox.configuration(source, .raft("\(sandbox.path)/raft")))
        // A server reads the first JSON value and nothing behind it.
        #expect(outcome.code == (isJSON ? 0 : 2))
        #expect(isJSON || outcome.errors.contains("\(source.path)/core/_mounts"), "\(outcome.errors)")
    }

    @Test func foldersThatNoServerWritesAreNamed() throws {
        let sandbox = try Sandbox()
        let entries = [".snapshot/core/keyring", "vault-backup/sys/b", "sys/a", "logical/u/a"].map { SampleEntry($0) }
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + entries)
        try makeFolder("\(source.path)/lost+found")
        let file = try sandbox.configuration(source, .sqlite("\(sandbox.path)/dst.db"))
        for flags in [["-dry-run"], []] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 0, "\(outcome.errors)")
            let rows = outcome.outputLines
            let first = try #require(rows.firstIndex { $0.contains("top-level folders that no server writes") })
            let named = rows[(first + 1)...(first + 2)].map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(named == [".snapshot/  1", "vault-backup/  1"])
            #expect(!rows[first + 3].contains("lost+found"))
        }
    }

    /// Root may read every folder, unless the right to do so is taken away.
    @Test(arguments: [("lost+found", true), ("sys/lost+found", false), ("closed", false)])
    func onlyTheFileSystemsOwnFolderMayBeClosed(_ name: String, _ isPassedOver: Bool) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        try makeFolder("\(source.path)/\(name)")
        try sandbox.shell("chmod 0 '\(source.path)/\(name)'")
        defer { _ = try? sandbox.shell("chmod 700 '\(source.path)/\(name)'") }
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/raft"))
        let rights = "-dac_override,-dac_read_search"
        let words = [Sandbox.program, "operator", "migrate", "-config", file]
        let outcome = try sandbox.start(
            program: geteuid() == 0
                ? ["/usr/bin/setpriv", "--inh-caps=\(rights)", "--bounding-set=\(rights)"] + words : words
        ).outcome()
        #expect(outcome.code == (isPassedOver ? 0 : 2), "\(outcome.errors)")
        let place = "\(source.path)/\(name)"
        #expect(isPassedOver ? outcome.output.contains(place) : outcome.errors.contains(place), "\(outcome.errors)")
    }

    @Test(arguments: ["rm LOG", ": > LOG", "truncate -s 8192 LOG", "rm LOG; mkdir RAFT/wal"])
    func aRaftDirectoryWithoutItsWholeLogNeedsAWord(_ command: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.unpack(.raftOpenBao)
        let raft = "\(source.path)/raft"
        try sandbox.shell(command.replacing("LOG", with: "'\(raft)/raft.db'").replacing("RAFT", with: "'\(raft)'"))
        let file = try sandbox.configuration(source, .sqlite("\(sandbox.path)/dst.db"))
        for flags in [[], ["-dry-run"]] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 2)
            #expect(outcome.errors.contains("-allow-missing-log"), "\(outcome.errors)")
            #expect(!exists("\(sandbox.path)/dst.db"))
        }
        // A run whose result was lost says it again, and needs the flag again.
        let words = ["operator", "migrate", "-config", file]
        let lost = try sandbox.startShell("exec \"$0\" \"$@\" >/dev/full", words + ["-allow-missing-log"]).outcome()
        #expect(lost.code == 2, "\(lost.errors)")
        let without = try sandbox.sealift(words)
        #expect(without.code == 2 && without.errors.contains("-allow-missing-log"), "\(without.errors)")
        let outcome = try sandbox.migrate(file, ["-allow-missing-log"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("writes that the data lacks") || outcome.output.contains("is missing"))
    }
}
