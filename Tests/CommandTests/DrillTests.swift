import FileBackend
import Foundation
import Storage
import StorageTestKit
import TestSupport
import Testing

/// Drills without a server.
@Suite struct DrillTests {
    @Test func aDrillLeavesItsReportAndNothingElse() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let source = try snapshot(shared.store.path)
        let file = try drilling.file(shared.store.block("storage_source"))
        let outcome = try shared.run(["drill", "-config", file, "-prove"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.hasPrefix("The drill passed.\n") && outcome.output.contains("  Authenticated   "))
        let report = try drilling.report()
        #expect(report["result"] as? String == "passed" && report["failure"] is NSNull)
        #expect(
            Drilling.phases(report) == ["source", "shares", "restore", "content", "structure", "proof", "remove"])
        #expect(drilling.copies.isEmpty)
        #expect(try snapshot(shared.store.path) == source)
        let found = try FileManager.default.subpathsOfDirectory(atPath: drilling.folder).sorted()
        let id = try #require(report["drill"] as? String)
        #expect(found == ["history", "history/\(id).html", "history/\(id).json", "sealift-drills"])
        for name in [""] + found {
            var info = stat()
            #expect(stat("\(drilling.folder)/\(name)", &info) == 0)
            #expect(info.st_mode & 0o777 == (info.st_mode & S_IFMT == S_IFDIR ? 0o700 : 0o600), "\(name)")
        }
        let page = try text(of: "\(drilling.folder)/history/\(id).html")
        #expect(page.contains("The drill passed") && page.contains("authenticate every entry"))
        #expect(try shared.leaks() == [])
    }

    @Test func eventsTellOfEveryPhase() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let file = try drilling.file(shared.store.block("storage_source"))
        let outcome = try shared.sandbox.sealift(["drill", "-config", file, "-format=json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let events = try outcome.events()
        let phases = events.filter { $0["event"] as? String == "phase" }
        let told = phases.map { "\($0["phase"] as? String ?? "") \($0["state"] as? String ?? "")" }
        #expect(
            told == [
                "source begun", "source passed", "restore begun", "restore passed", "content passed", "structure begun",
                "structure passed", "remove begun", "remove passed",
            ])
        let result = try #require(events.last)
        #expect(result["event"] as? String == "result" && result["result"] as? String == "passed")
        let digest = try shared.sandbox.digest(of: shared.store)
        #expect(digest.count == 64 && (result["keyspace_digest"] as? String)?.count == 64)
    }

    /// Leases of namespaces as well; without that, the copy is the source.
    @Test(arguments: [true, false])
    func leasesAndAuditDevicesAreLeftOut(_ drops: Bool) throws {
        let sandbox = try Sandbox()
        let drilling = Drilling(sandbox: sandbox)
        let left = ["core/audit", "namespaces/ab/sys/expire/id/y", "sys/expire/id/x"]
        let kept = [
            "core/keyring", "core/seal-config", "namespaces/ab/sys/token", "namespaces/sys/expire", "sys/expired",
            "sys/expirex/y",
        ]
        let source = try sandbox.makeFileStore("src", (left + kept).map { SampleEntry($0) })
        let options = drops ? "" : "  drop_leases = false\n  drop_audit_devices = false"
        let file = try drilling.file(source.block("storage_source"), options + "\n  keep = true")
        let outcome = try sandbox.sealift(["drill", "-config", file])
        // The sample is no store of a server, which its structure shows; the copy is there all the same.
        #expect(outcome.code == 3 && outcome.errors.contains("in the phase \"structure\""), "\(outcome.errors)")
        let copy = try #require(try drilling.report()["kept_copy"] as? String)
        let listed = try sandbox.sealift([
            "checksum", "-config", try sandbox.configuration(of: .raft("\(copy)/raft"), name: "copy.hcl"),
        ])
        #expect(listed.code == 0, "\(listed.errors)")
        let keys = listed.outputLines.filter { !$0.hasPrefix("#") }.map { String($0.dropFirst(66)) }
        #expect(keys.filter { !$0.hasPrefix("core/raft") } == (drops ? kept : (left + kept).sorted()))
        // What is kept stays, whatever drills follow.
        #expect(try sandbox.sealift(["drill", "-config", file]).code == 3)
        #expect(drilling.copies.count == 2 && exists(copy))
    }

    enum Damage: String, CaseIterable {
        case missing, cutOff, flippedArchive, unreadable, envelope, ciphertext, keyring
    }

    /// The phase that can know it fails, and the report says which.
    @Test(arguments: Damage.allCases)
    func damageFailsThePhaseThatCanKnowIt(_ damage: Damage) throws {
        let shared = try SharedStore(.fileOpenBao)
        let sandbox = shared.sandbox
        let drilling = Drilling(sandbox: sandbox)
        var source = shared.store.block("storage_source")
        let archive = "\(sandbox.path)/saved.snap"
        try sandbox.shell("cp '\(Fixture.raftOpenBao.folder)/snapshot.snap' '\(archive)'")
        let packed = "storage_source \"raft_snapshot\" {\n  path = \"\(archive)\"\n}\n"
        func change(_ key: String, _ body: (inout [UInt8]) -> Void) throws {
            let store = try shared.opened()
            var value = try #require(try store.get(.init(key)))
            body(&value)
            try store.put(.init(key), value)
            store.close()
        }
        let expected: (phase: String, code: Int32)
        switch damage {
        case .missing:
            source = Store.file("\(sandbox.path)/nothing").block("storage_source")
            expected = ("source", 2)
        case .cutOff:
            try sandbox.shell("truncate -s 200000 '\(archive)'")
            source = packed
            expected = ("source", 2)
        case .flippedArchive:
            try sandbox.shell("printf X | dd of='\(archive)' bs=1 seek=500000 conv=notrunc status=none")
            source = packed
            expected = ("source", 2)
        case .unreadable:
            try sandbox.shell("printf '{\"Value\":' > '\(shared.store.path)/core/wrapping/_jwtkey'")
            expected = ("restore", 2)
        case .envelope:
            try change("core/wrapping/jwtkey") { $0.removeLast($0.count - 20) }
            expected = ("structure", 3)
        case .ciphertext:
            try change("core/wrapping/jwtkey") { $0[$0.count - 1] ^= 1 }
            expected = ("proof", 3)
        case .keyring:
            try change("core/keyring") { $0[$0.count - 1] ^= 1 }
            expected = ("shares", 2)
        }
        let file = try drilling.file(source)
        let needsShares = [.ciphertext, .keyring].contains(damage)
        let words = ["drill", "-config", file]
        let outcome = needsShares ? try shared.run(words + ["-prove"]) : try sandbox.sealift(words)
        let report = try drilling.report()
        #expect(outcome.code == expected.code, "\(outcome.errors)")
        #expect(report["failed_phase"] as? String == expected.phase, "\(outcome.errors)")
        #expect(report["result"] as? String == "failed" && (report["failure"] as? String)?.isEmpty == false)
        #expect(outcome.errors.contains("The drill failed, in the phase \"\(expected.phase)\": "), "\(outcome.errors)")
        #expect(drilling.copies.isEmpty)
        let id = try #require(report["drill"] as? String)
        #expect(try text(of: "\(drilling.folder)/history/\(id).html").contains("The drill failed"))
    }

    @Test func aFolderThatIsNotTheirsIsRefused() throws {
        let sandbox = try Sandbox()
        let drilling = Drilling(sandbox: sandbox)
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try drilling.file(source.block("storage_source"))
        for (name, content) in [("mine.txt", "mine"), ("sealift-drills", "something else")] {
            try sandbox.shell("rm -rf '\(drilling.folder)'; mkdir '\(drilling.folder)'")
            try sandbox.write("drills/\(name)", content)
            try makeFolder("\(drilling.folder)/scratch-1")
            let before = try snapshot(drilling.folder)
            let outcome = try sandbox.sealift(["drill", "-config", file])
            #expect(outcome.code == 2 && outcome.errors.contains("nothing in it is touched"), "\(outcome.errors)")
            #expect(try snapshot(drilling.folder) == before)
            let history = try sandbox.sealift(["drill", "history", "-config", file])
            #expect(history.code == 2 && history.errors.contains("not the drills' own folder"), "\(history.errors)")
        }
        // A link is none, wherever it leads.
        try sandbox.shell(
            "rm -rf '\(drilling.folder)'; mkdir '\(sandbox.path)/there'; ln -s there '\(drilling.folder)'")
        let linked = try sandbox.sealift(["drill", "-config", file])
        #expect(linked.code == 3, "\(linked.errors)")
        #expect(exists("\(sandbox.path)/there/sealift-drills"))
        // Nor may the source lie in it, or it in the source.
        for place in ["\(source.path)/drills", sandbox.path] {
            let odd = try sandbox.write(
                "odd.hcl", "\(source.block("storage_source"))drill {\n  folder = \"\(place)\"\n}\n")
            #expect(try sandbox.sealift(["drill", "-config", odd]).code == 2)
        }
    }

    /// Only a copy with its mark goes.
    @Test func whatLooksLikeACopyIsLeftAlone() throws {
        let shared = try SharedStore(.fileOpenBao)
        let sandbox = shared.sandbox
        let drilling = Drilling(sandbox: sandbox)
        let file = try drilling.file(shared.store.block("storage_source"))
        #expect(try sandbox.sealift(["drill", "-config", file]).code == 0)
        try sandbox.shell(
            """
            cd '\(drilling.folder)'; mkdir scratch-a scratch-b scratch-c scratch-d outside; echo x > scratch-a/file
            printf 'sealift drill scratch' > scratch-c/sealift-scratch
            printf 'sealift drill scratch folder 1\\n' > scratch-d/sealift-scratch
            echo x > outside/kept; ln -s ../outside scratch-d/link; mkdir -p scratch-d/raft/raft; echo x > scratch-d/raft/raft/f
            ln -s outside scratch-e
            """)
        let outcome = try sandbox.sealift(["drill", "-config", file])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(drilling.copies == ["scratch-a", "scratch-e"])
        #expect(exists("\(drilling.folder)/outside/kept"))
        let remarks = try #require(try drilling.report()["remarks"] as? [String])
        #expect(
            remarks.count { $0.contains("was left alone") } == 2
                && remarks.count { $0.contains("cut off was removed") } == 3)
    }

    @Test func oneDrillAtATime() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let file = try drilling.file(shared.store.block("storage_source"))
        #expect(try shared.sandbox.sealift(["drill", "-config", file]).code == 0)
        let outcome = try shared.sandbox.startShell(
            "exec flock -x '\(drilling.folder)/sealift-drills' \"$0\" \"$@\"", ["drill", "-config", file]
        ).outcome()
        #expect(outcome.code == 2 && outcome.errors.contains("another drill is under way"), "\(outcome.errors)")
        #expect(try drilling.reports().count == 1)
    }

    @Test func whatGotSlowerOrSmallerIsPointedOut() throws {
        let shared = try SharedStore(.fileOpenBao)
        let sandbox = shared.sandbox
        let drilling = Drilling(sandbox: sandbox)
        let file = try drilling.file(shared.store.block("storage_source"))
        let words = ["drill", "-config", file, "-strict"]
        #expect(try sandbox.sealift(words).code == 0)
        let first = try #require(try drilling.report()["drill"] as? String)
        let report = "\(drilling.folder)/history/\(first).json"
        // The first one is made a faster one, and a larger one.
        try sandbox.shell(
            "sed -i -E 's/(\"seconds\": )[0-9.e-]+/\\10.000001/; s/(\"entries\": )[0-9]+/\\19000/' '\(report)'")
        let second = try sandbox.sealift(words)
        #expect(second.code == 4, "\(second.errors)")
        #expect(second.output.hasPrefix("The drill passed, and something stands out.\n"))
        #expect(second.errors.contains("Warning: Slower than the last good drill (\(first))"), "\(second.errors)")
        #expect(
            second.errors.contains("Warning: Smaller than the last good drill (\(first)): 760 entries, and 9,000 then"))
        #expect((try drilling.report()["findings"] as? [String])?.count == 2)
        // Held against the second one, the third is as good, unless it is slow by chance; without -strict that is no failure.
        let third = try sandbox.sealift(["drill", "-config", file])
        #expect(third.code == 0 && !third.errors.contains("Smaller than"), "\(third.errors)")
        // What is of another source is not compared.
        let other = try drilling.file(
            "storage_source \"raft_snapshot\" {\n  path = \"\(Fixture.raftOpenBao.folder)/snapshot.snap\"\n}\n")
        let unlike = try sandbox.sealift(["drill", "-config", other, "-strict"])
        #expect(unlike.code == 0, "\(unlike.errors)")
    }

    @Test func theHistoryTellsOfEveryDrill() throws {
        let shared = try SharedStore(.fileOpenBao)
        let sandbox = shared.sandbox
        let drilling = Drilling(sandbox: sandbox)
        let file = try drilling.file(shared.store.block("storage_source"))
        let words = ["drill", "history", "-config", file]
        #expect(try sandbox.sealift(words).output == "There has been no drill.\n")
        #expect(!exists(drilling.folder))
        #expect(try sandbox.sealift(["drill", "-config", file]).code == 0)
        let bad = try drilling.file(Store.file("\(sandbox.path)/none").block("storage_source"), name: "bad.hcl")
        #expect(try sandbox.sealift(["drill", "-config", bad]).code == 2)
        try sandbox.write(
            "drills/history/29990101T000000-1.json",
            #"{"drill":"29990101T000000-1","started":"2999-01-01T00:00:00Z","result":"unfinished","source":{"kind":"file"}}"#
        )
        try sandbox.write("drills/history/odd.json", "{")
        let table = try sandbox.sealift(words)
        #expect(table.code == 0 && table.outputLines.count == 4, "\(table.output)")
        #expect(table.outputLines[0].hasPrefix("STARTED ") && table.outputLines[1].contains("  passed "))
        #expect(table.outputLines[2].contains("  failed (source)  ") && table.outputLines[3].contains("  unfinished "))
        #expect(table.errors.contains("history/odd.json is no report of a drill"))
        let events = try sandbox.sealift(words + ["-format=json"]).events()
        #expect(events.compactMap { $0["result"] as? String } == ["passed", "failed", "unfinished"])
        #expect(events[0]["entries"] as? Int == 760 && (events[0]["phases"] as? [String: Double])?["restore"] != nil)
    }

    @Test(arguments: [
        ("drill {\n  foldr = \"x\"\n}\n", "drill has no option \"foldr\". Did you mean \"folder\"?", ":5:3"),
        ("drill {\n}\n", "'folder' must be set", ":4:1"),
        ("drill \"x\" {\n  folder = \"x\"\n}\n", "drill takes no name: \"x\"", ":4:7"),
        (
            "drill {\n  folder = \"x\"\n}\ndrill {\n  folder = \"x\"\n}\n", "exactly one \"drill\" block is required",
            ":7:1"
        ),
        ("", "exactly one \"drill\" block is required\nAdd one: drill {", "drill.hcl: "),
        ("drill {\n  folder = \"x\"\n  slower = 0.5\n}\n", "slower must be 1 or more", ":6:12"),
        ("drill {\n  folder = \"x\"\n  smaller = 2\n}\n", "smaller", ":6:13"),
        ("drill {\n  folder = \"x\"\n  keep = 7\n}\n", "keep", ":6:10"),
        ("drill {\n  folder = \"x\"\n  cluster_addr = \"y\"\n}\n", "drill has no option \"cluster_addr\"", ":6:3"),
        (
            "drill {\n  folder = \"x\"\n}\nsever {}\n",
            "\"sever\" means nothing in this file. Did you mean \"server\"?", ":7:1"
        ),
        ("drill {\n  folder = \"x\"\n}\nserver {\n}\n", "'binary' must be set", ":7:1"),
        (
            "drill {\n  folder = \"x\"\n}\nserver {\n  binary = \"/no/such/program\"\n}\n",
            "binary /no/such/program: there is no program that may be run", ":8:12"
        ),
        (
            "drill {\n  folder = \"x\"\n}\nserver {\n  binary = \"/bin/true\"\n  network = \"none\"\n}\n",
            "cut_if_allowed",
            ":9:13"
        ),
        (
            "drill {\n  folder = \"x\"\n}\nserver {\n  binary = \"/bin/true\"\n  read = [\"a\", \"../b\"]\n}\n",
            "../b is no path of a server", ":9:10"
        ),
        (
            "drill {\n  folder = \"x\"\n}\nserver {\n  binary = \"/bin/true\"\n  port = 70000\n}\n", "must be a port",
            ":9:10"
        ),
        (
            "drill {\n  folder = \"x\"\n  drop_leases = false\n}\nserver {\n  binary = \"/bin/true\"\n  network = \"shared\"\n}\n",
            "say allow_live_leases = true", "(drop_leases = true)"
        ),
    ])
    func mistakesInTheFileAreNamed(_ text: String, _ message: String, _ place: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.write("drill.hcl", source.block("storage_source") + text)
        let outcome = try sandbox.startShell("cd '\(sandbox.path)'; exec \"$0\" \"$@\"", ["drill", "-config", file])
            .outcome()
        #expect(outcome.code == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains(message) && outcome.errors.contains(place), "\(outcome.errors)")
        #expect(!exists("\(sandbox.path)/x"))
    }

    /// A command that has one below it.
    @Test func theCommandRunsByItself() throws {
        let sandbox = try Sandbox()
        let alone = try sandbox.sealift(["drill"])
        #expect(alone.code == 1 && alone.errors.contains("Must specify exactly one config path"), "\(alone.errors)")
        let unknown = try sandbox.sealift(["drill", "histry"])
        #expect(unknown.code != 0 && unknown.errors.contains("Did you mean \"history\"?"), "\(unknown.errors)")
        let help = try sandbox.sealift(["drill", "-help"])
        #expect(
            help.code == 0 && help.output.hasPrefix("Usage: sealift drill [subcommand] [options]\n"), "\(help.output)")
        #expect(help.output.contains("Subcommands:\n    history ") && help.output.contains("  -strict\n"))
        #expect(
            try sandbox.sealift(["drill", "history", "-help"]).output.hasPrefix(
                "Usage: sealift drill history [options]\n"))
    }

    @Test func sharesAreNotAskedForInVain() throws {
        let shared = try SharedStore(.fileOpenBao)
        let drilling = Drilling(sandbox: shared.sandbox)
        let file = try drilling.file(shared.store.block("storage_source"))
        let outcome = try shared.run(["drill", "-config", file])
        #expect(outcome.code == 1 && outcome.errors.contains("-shares-fd goes with -prove, or with a server block"))
    }
}
