import BarrierTestKit
import Foundation
import TestSupport
import Testing

extension Sandbox {
    fileprivate static let fixtures = "\(packageRoot)/Tests/Fixtures"
    fileprivate static let openBao = "\(fixtures)/raft-openbao-native/snapshot.snap"
    fileprivate static let vault = "\(fixtures)/raft-vault-native/snapshot.snap"

    fileprivate func put(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = "\(path)/\(name)"
        try Scratch.write(bytes, to: file)
        return file
    }

    /// A file from an archive to another store, or the other way.
    fileprivate func configuration(archive: String, to destination: Store) throws -> String {
        try write(
            "from.hcl",
            "storage_source \"raft_snapshot\" {\n  path = \"\(archive)\"\n}\n"
                + destination.block("storage_destination") + "cluster_addr = \"https://10.0.0.11:8201\"\n")
    }

    fileprivate func configuration(from source: Store, toArchive archive: String) throws -> String {
        try write(
            "to.hcl",
            source.block("storage_source") + "storage_destination \"raft_snapshot\" {\n  path = \"\(archive)\"\n}\n")
    }
}

/// The entries of an archive that is too large to be kept in memory.
private func largeEntries() -> [(key: [UInt8], value: [UInt8])] {
    var random = SeededRandom(3)
    let piece = random.bytes(1 << 16)
    let values = (0..<34).map { number in [UInt8](repeating: UInt8(number), count: 7) + (0..<16).flatMap { _ in piece }
    }
    return [(Array("core/keyring".utf8), [1]), (Array("core/seal-config".utf8), [2])]
        + values.enumerated().map { (Array("logical/\(100 + $0.offset)".utf8), $0.element) }
}

/// `snapshot verify`.
@Suite struct SnapshotVerifyTests {
    /// What people keep as snapshots, and what each is named.
    private static let files: [(make: String, kind: String, says: String)] = [
        (": > f", "empty", "redirect"),
        ("echo '{\"errors\":[\"permission denied\"]}' > f", "json_answer", "permission denied"),
        ("echo '<html><body>Sign in</body></html>' > f", "html_page", "login page"),
        ("echo '<a href=\"https://10.0.0.2:8200/v1/x\">Temporary Redirect</a>.' > f", "redirect", "standby"),
        ("head -c 500000 $A > f", "cut_off", "state.bin"),
        ("head -c 1026000 $A > f", "cut_off", "SHA256SUMS.sealed"),
        ("gzip -c $A > f", "gzip_of_gzip", "gunzip"),
        ("gunzip -c $A > f", "plain_tar", "gzip -c"),
        ("base64 $A > f", "base64", "base64 -d"),
        ("openssl enc -aes-256-cbc -pbkdf2 -pass pass:x -in $A -out f 2>/dev/null", "encrypted", "openssl"),
        ("head -c 200000 /dev/zero > f", "zeros", "zero bytes"),
        ("tar -xzf $D -C . && cp data/vault.db f", "bolt_file", "copy of vault.db"),
        ("tar -xzf $D -C . && cp data/raft/raft.db f", "bolt_file", "copy of raft.db"),
        ("tar -xzf $D -C . && gzip -c data/vault.db > f", "bolt_file", "bbolt"),
        ("xz -0 -c $A > f", "other_compression", "unxz"),
        ("head -c 5000 $A | iconv -f latin1 -t utf8 > f", "converted_text", "PowerShell"),
        ("mkdir x && tar -xzf $A -C x && tar -czf f -C x .", "foreign_member", "tar -czf"),
        (
            "mkdir x && tar -xzf $A -C x && rm x/SHA256SUMS && tar -czf f -C x meta.json state.bin", "missing_member",
            "SHA256SUMS"
        ),
        ("cp $A f && chmod 600 f && printf X | dd of=f bs=1 seek=600000 conv=notrunc 2>/dev/null", "damaged", "gzip"),
        ("head -c 4096 /dev/urandom | sed '1s/^/zz/' > f", "unknown", "1f 8b"),
    ]

    @Test(arguments: files.indices)
    func whatIsNoSnapshotIsNamed(_ number: Int) throws {
        let (make, kind, says) = Self.files[number]
        let sandbox = try Sandbox()
        let script = make.replacing("$A", with: "'\(Sandbox.openBao)'").replacing(
            "$D", with: "'\(Sandbox.fixtures)/raft-openbao-native/data.tar.gz'")
        try sandbox.shell("cd '\(sandbox.path)' && \(script)")
        let outcome = try sandbox.sealift(["snapshot", "verify", "\(sandbox.path)/f"])
        #expect(outcome.code == 2)
        #expect(outcome.output.contains("/f: wrong (\(kind)): "), "\(outcome.output)")
        #expect(outcome.output.contains(says), "\(outcome.output)")
        #expect(outcome.outputLines.count == 1)
    }

    @Test func etcdsAndConsulsSnapshotsAndEmptyOnesAreNamed() throws {
        let sandbox = try Sandbox()
        var consul = try ArchiveBuilder(ArchiveBuilder.vector)
        let meta = String(decoding: consul.members[0].content, as: UTF8.self)
        consul.members[0].content = Array(meta.replacing("bolt-snapshot", with: "2-10-1607000000000").utf8)
        for (archive, kind) in [
            (consul.archive(), "consul_snapshot"), (try ArchiveBuilder([]).archive(), "no_entries"),
            (try ArchiveBuilder(ArchiveBuilder.vector).archive(), "not_initialised"),
        ] {
            let outcome = try sandbox.sealift(["snapshot", "verify", try sandbox.put("f", archive)])
            #expect(outcome.code == 2 && outcome.output.contains("wrong (\(kind))"), "\(outcome.output)")
        }
    }

    @Test func manyFilesGetALineEach() throws {
        let sandbox = try Sandbox()
        let files = [Sandbox.openBao, "\(sandbox.path)/none", Sandbox.vault]
        let outcome = try sandbox.sealift(["snapshot", "verify"] + files)
        #expect(outcome.code == 2)
        #expect(outcome.outputLines.count == 3)
        for (line, expected) in zip(
            outcome.outputLines,
            [
                "ok: 836 entries, 992.8 KiB; index 750, term 3; shamir, 3 of 5 key shares unseal it; core/raft/tls "
                    + "is there; seal sums "
                    + "present (not checked)", "unreadable: open", "ok: 837 entries",
            ])
        { #expect(line.contains(expected), "\(line)") }
        let good = try sandbox.sealift(["snapshot", "verify", "-format=json", Sandbox.openBao, Sandbox.vault])
        #expect(good.code == 0)
        let objects = try good.outputLines.map {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
        #expect(objects.map { $0?["verdict"] as? String } == ["ok", "ok"])
        let first = try #require(objects.first ?? nil)
        #expect(first["index"] as? Int == 750 && first["sealed_sums"] as? String == "present")
        #expect((first["seal"] as? [String: Any])?["threshold"] as? Int == 3)
        #expect((first["servers"] as? [[String: Any]])?.first?["address"] as? String == "127.0.0.1:8211")
    }

    /// What an archive holds, in key order.
    private func entries(of archive: String, _ sandbox: Sandbox) throws -> [([UInt8], [UInt8])] {
        let database = "\(sandbox.path)/entries.db"
        let outcome = try sandbox.migrate(try sandbox.configuration(archive: archive, to: .sqlite(database)))
        #expect(outcome.code == 0, "\(outcome.errors)")
        let rows = try sandbox.shell(
            "sqlite3 '\(database)' 'SELECT hex(key), hex(value) FROM vault_kv_store ORDER BY key'")
        return rows.split(separator: "\n").map { row in
            let columns = row.split(separator: "|", omittingEmptySubsequences: false)
            return (bytes(hexadecimal: String(columns[0])), bytes(hexadecimal: String(columns[1])))
        }
    }

    @Test func anArchiveIsHeldAgainstAnOlderOne() throws {
        let sandbox = try Sandbox()
        func verify(_ words: String...) throws -> Outcome { try sandbox.sealift(["snapshot", "verify"] + words) }
        let entries = try entries(of: Sandbox.openBao, sandbox)
        // Without some of the last, which are below sys/: what every store has is still there.
        func archive(_ name: String, _ count: Int) throws -> String {
            try sandbox.put(name, ArchiveBuilder(Array(entries.prefix(count))).archive())
        }
        let (old, new) = (try archive("old", entries.count), try archive("new", entries.count - 10))
        #expect(try verify("-baseline", old, new).code == 0)
        let fewer = try verify("-baseline", old, "-most-lost=1%", new)
        #expect(fewer.code == 3 && fewer.output.contains("10 fewer"), "\(fewer.output)")
        #expect(try verify("-baseline", new, "-most-lost=0%", old).code == 0)
        // A file of lines that it has printed itself.
        let lines = try sandbox.write("last.json", try verify("-format=json", old).output)
        #expect(try verify("-baseline", lines, "-most-lost=1%", new).code == 3)
        #expect(try verify("-baseline", lines, new).code == 0)
        let older = try verify("-baseline", Sandbox.vault, "-most-lost=50%", Sandbox.openBao)
        #expect(older.code == 3 && older.output.contains("at index 750"), "\(older.output)")
        for (words, code) in [
            (["-most-lost=5%", new], Int32(1)), (["-baseline", old, "-most-lost=x", new], 1), ([], 1),
            (["-baseline", try sandbox.write("other.json", "{}"), new], 1),
            (["-baseline", "\(sandbox.path)/none", new], 2),
        ] {
            let outcome = try sandbox.sealift(["snapshot", "verify"] + words)
            #expect(outcome.code == code, "\(words): \(outcome.errors)")
        }
    }

    @Test func whatARestoreNeedsIsSaid() throws {
        let sandbox = try Sandbox()
        let blob: [UInt8] = [0x0a, 2, 1, 2, 0x2a, 14, 0x08, 1, 0x1a, 10] + Array("arn:key/17".utf8)
        let seal = "{\"type\":\"awskms\",\"secret_shares\":1,\"secret_threshold\":1}"
        let entries: [(String, [UInt8])] = [
            ("core/hsm/barrier-unseal-keys", blob), ("core/keyring", [1]), ("core/seal-config", Array(seal.utf8)),
        ]
        let file = try sandbox.put("f", ArchiveBuilder(entries.map { (Array($0.0.utf8), $0.1) }).archive())
        let outcome = try sandbox.sealift(["inspect", "snapshot", file])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(
            outcome.output.contains("awskms, key arn:key/17: the server unseals itself (mechanism 1)"),
            "\(outcome.output)")
        #expect(outcome.output.contains("core/raft/tls is missing"))
        #expect(outcome.output.contains("make a directory of it"))
        let real = try sandbox.sealift(["inspect", "snapshot", Sandbox.vault])
        #expect(real.code == 0)
        for text in ["index 888, term 3", "node1 at 127.0.0.1:8241, voter", "5 shares and threshold 3"] {
            #expect(real.output.contains(text), "\(real.output)")
        }
        #expect(try sandbox.sealift(["inspect", "snapshot", "\(sandbox.path)/none"]).code == 2)
        #expect(try sandbox.sealift(["inspect", "snapshot"]).code == 1)
    }
}

/// `snapshot diff`.
@Suite struct SnapshotDiffTests {
    private func archive(_ sandbox: Sandbox, _ name: String, _ entries: [(String, [UInt8])]) throws -> String {
        try sandbox.put(name, ArchiveBuilder(entries.map { (Array($0.0.utf8), $0.1) }).archive())
    }

    @Test func changesAreShownByKeyAndByPrefix() throws {
        let sandbox = try Sandbox()
        let old = try archive(
            sandbox, "old",
            [("core/keyring", [1]), ("core/lock", [1]), ("logical/u/a", [1]), ("logical/u/b", [1]), ("sys/x", [1])])
        let new = try archive(
            sandbox, "new",
            [("core/keyring", [1]), ("core/lock", [9]), ("logical/u/b", [2]), ("logical/v/\u{1}", [1]), ("sys/x", [1])])
        let outcome = try sandbox.sealift(["snapshot", "diff", old, new])
        #expect(outcome.code == 3)
        #expect(
            outcome.output == """
                - logical/u/a
                * logical/u/b
                + logical/v/\\x01
                The snapshots differ: 1 added, 1 gone, 1 changed, 2 the same.
                  log index 5 -> 5
                  +0 -1 *1  logical/u/
                  +1 -0 *0  logical/v/

                """)
        let json = try sandbox.sealift(["snapshot", "diff", "-summary", "-format=json", old, new])
        #expect(json.code == 3 && json.outputLines.count == 3 && !json.output.contains("logical/u/a"))
        let same = try sandbox.sealift(["snapshot", "diff", old, old])
        #expect(same.code == 0 && same.output.hasPrefix("Both snapshots hold the same 4 entries."))
        #expect(try sandbox.sealift(["snapshot", "diff", old]).code == 1)
        #expect(try sandbox.sealift(["snapshot", "diff", old, "\(sandbox.path)/none"]).code == 2)
        let cut = try sandbox.put("cut", Array(try Scratch.bytes(new).dropLast(20)))
        let damaged = try sandbox.sealift(["snapshot", "diff", old, cut])
        #expect(damaged.code == 2 && damaged.errors.contains("cut off"), "\(damaged.errors)")
    }
}

/// `operator migrate` from archives and into them.
@Suite struct SnapshotMigrationTests {
    @Test func anArchiveGoesAnywhereAndBack() throws {
        let sandbox = try Sandbox()
        for destination in [Store.raft("\(sandbox.path)/raft"), .sqlite("\(sandbox.path)/store")] {
            let configuration = try sandbox.configuration(archive: Sandbox.openBao, to: destination)
            let outcome = try sandbox.migrate(configuration)
            try #require(outcome.code == 0, "\(outcome.errors)")
            #expect(outcome.output.contains("835 of 835 entries read back and equal"))
            #expect(outcome.output.contains("log index 750, term 3, of a cluster of 1 server: node1 at 127.0.0.1:8211"))
            #expect(outcome.output.contains("1: seal sums of the snapshot (present; not checked"))
            #expect(try sandbox.sealift(["check", "-config", configuration]).code == 0)
            let archive = "\(sandbox.path)/\(destination.path.split(separator: "/").last ?? "").snap"
            let back = try sandbox.migrate(try sandbox.configuration(from: destination, toArchive: archive))
            try #require(back.code == 0, "\(back.errors)")
            #expect(back.output.contains("-key-shares=5 -key-threshold=3"))
            #expect(back.output.contains("restart every node after the restore"))
            #expect(back.output.contains("restore -force \(archive)"))
            #expect(!back.output.contains("The server's configuration"))
            #expect(try sandbox.sealift(["snapshot", "diff", Sandbox.openBao, archive]).code == 0)
            #expect(try sandbox.sealift(["snapshot", "verify", archive]).output.contains("ok: 835 entries"))
        }
        let source = try sandbox.write(
            "source.hcl", "storage \"raft_snapshot\" {\n  path = \"\(Sandbox.openBao)\"\n}\n")
        #expect(
            try sandbox.sealift(["inspect", "ls", "-config", source]).outputLines == [
                "auth/", "core/", "logical/", "sys/",
            ])
        #expect(try sandbox.sealift(["inspect", "stat", "-config", source, "core/keyring"]).code == 0)
        #expect(try sandbox.sealift(["checksum", "-config", source]).code == 0)
    }

    @Test func aLargeArchiveGoesThroughInOnePass() throws {
        let sandbox = try Sandbox()
        let archive = try sandbox.put("large.snap", ArchiveBuilder(largeEntries()).archive())
        let configuration = try sandbox.configuration(archive: archive, to: .raft("\(sandbox.path)/raft"))
        let outcome = try sandbox.migrate(configuration)
        try #require(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("36 of 36 entries read back and equal"))
        #expect(outcome.output.contains("1: snapshot without seal sums"))
        #expect(try sandbox.sealift(["check", "-config", configuration]).code == 0)
        let source = ["-config", configuration, "-side=source"]
        #expect(try sandbox.sealift(["inspect", "ls"] + source + ["logical/"]).outputLines.count == 34)
        #expect(try sandbox.sealift(["inspect", "stat"] + source + ["logical/120"]).output.contains("bytes   1048583"))
    }

    /// Only the archive's own sums tell, and only at its end.
    @Test func damageIsNeverPutInPlace() throws {
        let sandbox = try Sandbox()
        var builder = try ArchiveBuilder(largeEntries())
        builder.members[1].content[builder.members[1].content.count - 100] ^= 1
        let damaged = try sandbox.put("damaged.snap", builder.archive())
        for flags in [[], ["-include", "core/", "-include", "logical/100"]] {
            let raft = try sandbox.migrate(
                try sandbox.configuration(archive: damaged, to: .raft("\(sandbox.path)/raft")), flags)
            #expect(raft.code == 2 && raft.errors.contains("state.bin is not what SHA256SUMS says"), "\(raft.errors)")
            #expect(!exists("\(sandbox.path)/raft"))
        }
        // Of a file store every key is looked at before anything is written.
        let files = try sandbox.migrate(
            try sandbox.configuration(archive: damaged, to: .file("\(sandbox.path)/files")))
        #expect(files.code == 2 && !exists("\(sandbox.path)/files/core"))
        let table = Store.sqlite("\(sandbox.path)/table")
        #expect(try sandbox.migrate(try sandbox.configuration(archive: damaged, to: table)).code == 2)
        // No server starts on it.
        let marker = "SELECT count(*) FROM vault_kv_store WHERE key = CAST('core/migration' AS BLOB)"
        #expect(try sandbox.sql(table.path, marker) == "1\n")
        let small = try sandbox.put("small.snap", Array(try Scratch.bytes(Sandbox.openBao).dropLast(9)))
        let refused = try sandbox.migrate(
            try sandbox.configuration(archive: small, to: .sqlite("\(sandbox.path)/store")))
        #expect(refused.code != 0 && refused.errors.contains("cut off"), "\(refused.errors)")
        #expect(!exists("\(sandbox.path)/store"))
    }

    @Test func anArchiveThatWouldStopAClusterIsRefusedBeforeAnythingIsDone() throws {
        let sandbox = try Sandbox()
        let archive = "\(sandbox.path)/out.snap"
        for store in [try sandbox.unpack(.raftMigrated), try sandbox.unpack(.fileOpenBao)] {
            let outcome = try sandbox.migrate(try sandbox.configuration(from: store, toArchive: archive))
            #expect(outcome.code == 2)
            #expect(
                outcome.errors.contains("has no core/raft/tls")
                    && outcome.errors.contains("storage_destination \"raft\""))
        }
        let native = try sandbox.unpack(.raftOpenBao)
        let without = try sandbox.migrate(
            try sandbox.configuration(from: native, toArchive: archive), ["-exclude", "core/raft/", "-force"])
        #expect(without.code == 2 && without.errors.contains("core/raft/tls"), "\(without.errors)")
        #expect(!exists(archive) && !exists("\(archive).sealift-unfinished"))
        let dry = try sandbox.migrate(try sandbox.configuration(from: native, toArchive: archive), ["-dry-run"])
        #expect(dry.code == 0 && !exists(archive), "\(dry.errors)")
        try sandbox.write("out.snap", "mine")
        let taken = try sandbox.migrate(try sandbox.configuration(from: native, toArchive: archive))
        #expect(taken.code == 2 && taken.errors.contains("is there already"), "\(taken.errors)")
        #expect(try text(of: archive) == "mine")
    }

    /// What a large write that never became whole has left lies among a server's data, and comes along as in a server's own archive.
    @Test func piecesOfUnfinishedWritesComeAlong() throws {
        let sandbox = try Sandbox()
        let entries: [(String, [UInt8])] = [
            ("core/keyring", [1]), ("core/raft/tls", [1]), ("core/seal-config", [1]), ("raftchunking/17/0", [1]),
            ("raftchunking/17/1", [1]), ("raftchunkinh", [1]), ("sys/x", [1]),
        ]
        let archive = try sandbox.put("f", ArchiveBuilder(entries.map { (Array($0.0.utf8), $0.1) }).archive())
        let store = Store.sqlite("\(sandbox.path)/store")
        let outcome = try sandbox.migrate(try sandbox.configuration(archive: archive, to: store))
        try #require(outcome.code == 0, "\(outcome.errors)")
        let back = try sandbox.migrate(try sandbox.configuration(from: store, toArchive: "\(sandbox.path)/out"))
        #expect(back.code == 0 && back.output.contains("7 of 7 entries"), "\(back.errors)")
    }

    /// Killed before every single change to the disk: no half archive under its name, and the same command ends it.
    @Test(arguments: [false, true])
    func everyKillIsTakenUp(_ isPlain: Bool) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore(
            "src", SampleEntry.initialised + [SampleEntry("core/raft/tls"), SampleEntry("sys/a")])
        let archive = "\(sandbox.path)/out.snap"
        let words = ["operator", "migrate", "-config", try sandbox.configuration(from: source, toArchive: archive)]
        var settings = isPlain ? ["STEPS_PLAIN": "1"] : [:]
        var (isDone, kills) = (false, 0)
        for step in stride(from: 1, through: Steps.maximum, by: Effort.stride(2)) where !isDone {
            try sandbox.shell("rm -rf '\(archive)' '\(archive).sealift' '\(archive).sealift-unfinished'")
            settings["STEPS_KILL"] = "\(step)"
            let outcome = try sandbox.sealift(words, adding: try Steps.variables(settings))
            isDone = outcome.code == 0
            if !isDone {
                #expect(outcome.code == -SIGKILL, "step \(step): \(outcome.errors)")
                kills += 1
                let found = try sandbox.sealift(["inspect", "snapshot", archive])
                #expect(!exists(archive) || found.code == 0, "step \(step): \(found.output)")
                settings["STEPS_KILL"] = nil
                let again = try sandbox.sealift(words, adding: try Steps.variables(settings))
                #expect(again.code == 0, "step \(step): \(again.errors)")
            }
            // What these entries are is no store of a server, which `snapshot verify` would say.
            let whole = try sandbox.sealift(["inspect", "snapshot", "-format=json", archive])
            #expect(whole.code == 0 && whole.output.contains("\"entries\":4,"), "step \(step): \(whole.output)")
            #expect(!exists("\(archive).sealift-unfinished"), "step \(step)")
        }
        #expect(isDone && kills > 20 / Effort.stride(2), "\(kills) kills")
    }

    @Test func aRunThatIsDoneIsConfirmed() throws {
        let sandbox = try Sandbox()
        let configuration = try sandbox.configuration(
            from: try sandbox.unpack(.raftOpenBao), toArchive: "\(sandbox.path)/out.snap")
        #expect(try sandbox.migrate(configuration).code == 0)
        let again = try sandbox.migrate(configuration)
        #expect(again.code == 0 && again.output.contains("done before"), "\(again.errors)")
    }
}
