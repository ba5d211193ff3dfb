import Barrier
import BarrierTestKit
import FileBackend
import Foundation
import Storage
import TestSupport
import Testing

/// Migrations with key shares: proof in the pass that reads back, and stores of before Vault 1.3 made fit.
@Suite struct ProvedMigrationTests {
    private func destination(_ kind: String, _ shared: SharedStore) -> Store { shared.destination(kind) }

    @Test(arguments: [
        (Fixture.fileOpenBao, "raft"), (.fileOpenBao, "sqlite"), (.fileOpenBao, "file"), (.raftVault, "raft"),
        (.raftVault, "sqlite"), (.raftOpenBao, "raft"),
    ])
    func everyEntryIsProvenOnTheWay(_ fixture: Fixture, _ kind: String) throws {
        let shared = try SharedStore(fixture)
        let to = destination(kind, shared)
        let file = try shared.sandbox.configuration(shared.store, to)
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-prove"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let count = try fixture.provableEntries()
        let plain = try fixture.manifestLines().count - count
        let row = "\(count) of \(count) entries authenticated; \(plain) not encrypted by the barrier"
        #expect(outcome.output.contains("  With shares   \(row)\n"), "\(outcome.output)")
        // A run of what is done proves again, and copies nothing.
        let again = try shared.run(["operator", "migrate", "-config", file, "-prove", "-format=json"])
        #expect(again.code == 0 && again.output.contains(#""repeated":true"#), "\(again.errors)")
        #expect(
            again.output.contains(#""share_proof":{"authenticated":\#(count),"plain":\#(plain),"failed":0"#),
            "\(again.output)")
        if fixture == .fileOpenBao { #expect(try shared.leaks() == []) }
    }

    @Test func theReportHasTheProof() throws {
        let shared = try SharedStore(.fileOpenBao)
        let to = destination("raft", shared)
        let file = try shared.sandbox.configuration(shared.store, to)
        let dry = try shared.run(["operator", "migrate", "-config", file, "-prove", "-dry-run"])
        #expect(dry.code == 0 && dry.output.contains("821 of 821 entries authenticated at the source"), "\(dry.output)")
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-prove", "-format=json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let report = "\(to.path).sealift/report.json"
        let page = try text(of: "\(to.path).sealift/report.html")
        #expect(page.contains("821 of 821") && page.contains("under its own name"))
        #expect(try text(of: report).contains(#""authenticated": 821"#))
    }

    @Test(arguments: [["-prove"], ["-upgrade-legacy-seal"], ["-prove", "-upgrade-legacy-seal"]])
    func wrongSharesAreRefusedBeforeAnythingIsWritten(_ flags: [String]) throws {
        let shared = try SharedStore(.fileOpenBao)
        let source = try snapshot(shared.store.path)
        let to = destination("raft", shared)
        let file = try shared.sandbox.configuration(shared.store, to)
        for shares in [Array(shared.texts.prefix(2)), try SharedStore.texts("raft-vault-native")] {
            let others = try shared.shares(shares)
            let outcome = try shared.run(["operator", "migrate", "-config", file] + flags, shares: others)
            #expect(outcome.code == 2 && outcome.errors.hasPrefix("Error migrating: "), "\(outcome.errors)")
            #expect(!exists(to.path) && !exists("\(to.path).sealift") && !exists("\(shared.sandbox.path)/home/state"))
            #expect(try snapshot(shared.store.path) == source)
        }
        let odd = try shared.sandbox.migrate(file, ["-shares-fd", "0"])
        #expect(odd.code == 1 && odd.errors.contains("goes with -prove"))
        let warm = try shared.run(["operator", "migrate", "-config", file, "-prove", "-mode=warm"])
        #expect(warm.code == 1 && warm.errors.contains("goes with the final pass"))
    }

    /// A source that is damaged already is copied as it is, and not released as proven.
    @Test func damageOfTheSourceIsNamedAndNotReleased() throws {
        let shared = try SharedStore(.fileOpenBao)
        let store = try shared.opened()
        let key: StorageKey = "core/wrapping/jwtkey"
        var value = try #require(try store.get(key))
        value[value.count - 1] ^= 1
        try store.put(key, value)
        store.close()
        let to = destination("raft", shared)
        let file = try shared.sandbox.configuration(shared.store, to)
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-prove"])
        #expect(outcome.code == 3 && outcome.errors.contains("1 of 821 entries"), "\(outcome.errors)")
        #expect(outcome.errors.contains("core/wrapping/jwtkey: failed") && !exists(to.path))
        let report = try text(of: "\(to.path).sealift/report.json")
        #expect(report.contains(#""key": "core/wrapping/jwtkey""#) && report.contains(#""result": "failed""#))
        // Looked at before, it is told before.
        let other = try shared.sandbox.configuration(shared.store, destination("sqlite", shared), name: "dry.hcl")
        let dry = try shared.run(["operator", "migrate", "-config", other, "-prove", "-dry-run"])
        #expect(dry.code == 3 && dry.errors.contains("core/wrapping/jwtkey: failed"), "\(dry.errors)")
        #expect(dry.errors.contains("nothing was written") && !dry.output.contains("would go through"))
        // Without the proof it is moved as it is.
        let plain = try shared.sandbox.migrate(file)
        #expect(plain.code == 0, "\(plain.errors)")
    }

    /// Every entry is authentic, and a copy of a key is not the one in use: `prove` says so, and so does a migration.
    @Test func whatContradictsTheSharesIsNotProven() throws {
        let shared = try SharedStore(.fileOpenBao)
        let store = try shared.opened()
        try store.put(
            .shamirKey, try shared.barrier().seal([UInt8](repeating: 1, count: 32), under: .shamirKey))
        store.close()
        let words = "core/shamir-kek holds another key than the shares make up"
        let proved = try shared.prove()
        #expect(proved.code == 3 && proved.output.contains(words), "\(proved.output)")
        let to = destination("raft", shared)
        let file = try shared.sandbox.configuration(shared.store, to)
        for flags in [["-dry-run"], []] {
            let outcome = try shared.run(["operator", "migrate", "-config", file, "-prove"] + flags)
            #expect(outcome.code == 3 && outcome.errors.contains(words), "\(outcome.errors)")
            #expect(outcome.errors.contains("Nothing was written") && !exists(to.path))
        }
    }

    /// Entries of the barrier's first version prove their bytes and not their names.
    @Test func namesThatAreNotBoundAreCounted() throws {
        let sandbox = try Sandbox()
        let worked = try entries(of: WorkedStore.make()).map { SampleEntry("\($0.key)", $0.value) }
        let store = try sandbox.makeFileStore("worked", worked)
        let shares = try sandbox.write("shares.txt", WorkedStore.shares.prefix(3).joined(separator: "\n"))
        let file = try sandbox.configuration(store, .raft("\(sandbox.path)/raft"))
        func run(_ words: [String]) throws -> Outcome {
            try sandbox.startShell("exec \"$0\" \"$@\" 5< '\(shares)'", words + ["-shares-fd", "5"]).outcome()
        }
        let moved = try run(["operator", "migrate", "-config", file, "-prove"])
        #expect(moved.code == 0, "\(moved.errors)")
        #expect(
            moved.output.contains("6 of 6 entries authenticated; 1 of them in the barrier's version 1"),
            "\(moved.output)")
        #expect(try text(of: "\(sandbox.path)/raft.sealift/report.json").contains(#""names_not_bound": 1"#))
        #expect(try text(of: "\(sandbox.path)/raft.sealift/report.html").contains("proves the bytes and not the name"))
        let proved = try run(["prove", "-config", file])
        #expect(proved.code == 0 && proved.output.contains("Of 1 the name is not proven."), "\(proved.output)")
    }

    /// Over the interface of a node; nothing there spares the reading back.
    @Test func everyEntryOfAClusterIsProven() throws {
        let shared = try SharedStore(.fileOpenBao)
        let node = try SingleNode(shared.sandbox, "cluster")
        let to = StorePlace(kind: "raft_cluster", name: node.address)
        let file = try shared.sandbox.write(
            "cluster.hcl", shared.store.block("storage_source") + to.block("storage_destination"))
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-prove"])
        #expect(outcome.code == 0 && outcome.output.contains("821 of 821 entries authenticated"), "\(outcome.errors)")
        let proved = try shared.run(["prove", "-config", file])
        #expect(proved.code == 0 && proved.output.hasPrefix("Proven: 821 of 821"), "\(proved.errors)")
        withExtendedLifetime(node) {}
    }

    private func legacy() throws -> SharedStore { try SharedStore.legacy() }

    @Test(arguments: ["raft", "sqlite", "file"])
    func aLegacyStoreIsMadeFit(_ kind: String) throws {
        let shared = try legacy()
        let source = try snapshot(shared.store.path, times: false)
        let proved = try shared.prove()
        #expect(proved.code == 0 && proved.output.contains("of before Vault 1.3"), "\(proved.errors)")
        let to = destination(kind, shared)
        let file = try shared.sandbox.configuration(shared.store, to)
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-upgrade-legacy-seal", "-prove"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(
            outcome.output.contains("  Seal made fit added core/hsm/barrier-unseal-keys; changed core/seal-config\n"),
            "\(outcome.output)")
        #expect(
            outcome.output.contains("820 of 820 entries authenticated")
                && !outcome.output.contains("OpenBao 2.2 and later"))
        #expect(outcome.output.contains(#/Remark +The destination is made fit .*operator rekey/#), "\(outcome.output)")
        #expect(try snapshot(shared.store.path, times: false) == source)
        // The two entries are all that the comparison tells apart.
        let check = try shared.sandbox.sealift(["check", "-config", file])
        #expect(check.code == 3, "\(check.errors)")
        let told = check.outputLines.filter { $0.hasPrefix("+ ") || $0.hasPrefix("- ") || $0.hasPrefix("* ") }
        #expect(told == ["+ core/hsm/barrier-unseal-keys", "* core/seal-config"])
        let destination = try shared.run(["prove", "-config", file])
        #expect(destination.code == 0 && !destination.output.contains("before Vault"), "\(destination.errors)")
        let again = try shared.run(["prove", "-config", file, "-side=source"])
        #expect(again.code == 0 && again.output.contains("of before Vault 1.3"), "\(again.errors)")
        #expect(try shared.leaks() == [])
    }

    /// Killed anywhere, run again, same result: what is made is the same each time.
    @Test(arguments: [8, 30, 80, 200] as [Int32])
    func aKilledUpgradeIsTakenUp(_ milliseconds: Int32) throws {
        let shared = try legacy()
        let to = destination("sqlite", shared)
        let file = try shared.sandbox.configuration(shared.store, to)
        let words = ["operator", "migrate", "-config", file, "-upgrade-legacy-seal", "-shares-fd", "5"]
        let started = try shared.sandbox.startShell("exec \"$0\" \"$@\" 5< '\(shared.sharesFile)'", words)
        if !started.program.ends(within: milliseconds) { started.program.send(SIGKILL) }
        _ = try started.program.wait()
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-upgrade-legacy-seal", "-prove"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let destination = try shared.run(["prove", "-config", file])
        #expect(destination.code == 0 && destination.output.contains("Proven: 820 of 820"), "\(destination.output)")
    }

    /// A table on both sides: entries come in no order, through a journal, and runs are killed.
    @Test func aLegacyTableIsMadeFit() throws {
        let shared = try legacy()
        let sandbox = shared.sandbox
        let server = try PracticeServer(sandbox, ["-path", "\(sandbox.path)/table.sqlite"])
        let made = ["create_table": "on-demand"]
        let table = server.store("legacy", made)
        let copied = try sandbox.migrate(
            sandbox.configuration(shared.store, table, name: "copy.hcl"),
            ["-exclude=logical/9ecdbd20-612c-33fd-5972-509192f10d81/big/"])
        #expect(copied.code == 0, "\(copied.errors)")
        let fit = server.store("fit", made)
        let file = try sandbox.configuration(server.store("legacy"), fit)
        let words = ["operator", "migrate", "-config", file, "-upgrade-legacy-seal", "-prove"]
        for milliseconds in [60, 150, 300] as [Int32] {
            let started = try sandbox.startShell(
                "exec \"$0\" \"$@\" 5< '\(shared.sharesFile)'", words + ["-shares-fd", "5"])
            if !started.program.ends(within: milliseconds) { started.program.send(SIGKILL) }
            _ = try started.program.wait()
        }
        let outcome = try shared.run(words)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("819 of 819 entries authenticated"), "\(outcome.output)")
        let check = try sandbox.sealift(["check", "-config", file])
        let told = check.outputLines.filter { $0.hasPrefix("+ ") || $0.hasPrefix("- ") || $0.hasPrefix("* ") }
        #expect(told == ["+ core/hsm/barrier-unseal-keys", "* core/seal-config"], "\(check.output)")
        // Into another kind of store, by way of the same journal.
        let directory = destination("raft", shared)
        let second = try sandbox.configuration(server.store("legacy"), directory, name: "second.hcl")
        let moved = try shared.run(["operator", "migrate", "-config", second, "-upgrade-legacy-seal", "-prove"])
        #expect(moved.code == 0, "\(moved.errors)")
        #expect(try sandbox.digest(of: directory) == sandbox.digest(of: fit))
        // A run that wants none of it does not go on with what others have read for it.
        let plain = Store.raft("\(sandbox.path)/plain")
        let third = try sandbox.configuration(server.store("legacy"), plain, name: "third.hcl")
        for milliseconds in [150, 250, 400] as [Int32] {
            let started = try sandbox.startShell(
                "exec \"$0\" \"$@\" 5< '\(shared.sharesFile)'",
                ["operator", "migrate", "-config", third, "-upgrade-legacy-seal", "-shares-fd", "5"])
            if !started.program.ends(within: milliseconds) { started.program.send(SIGKILL) }
            _ = try started.program.wait()
            if exists(plain.path) { try sandbox.shell("rm -r '\(plain.path)' '\(plain.path).sealift'") }
        }
        let without = try sandbox.migrate(third)
        #expect(without.code == 0, "\(without.errors)")
        #expect(try sandbox.digest(of: plain) == sandbox.digest(of: server.store("legacy")))
        #expect(try shared.leaks() == [])
    }

    /// What was the same is authenticated while it is compared, what was written when it is read back.
    @Test(arguments: ["file", "sqlite"], [0, 5, 400])
    func aFinalPassProvesWhatWarmOnesHaveCopied(_ kind: String, _ changes: Int) throws {
        let shared = try SharedStore(.fileOpenBao)
        let to = destination(kind, shared)
        let file = try shared.sandbox.configuration(shared.store, to)
        #expect(try shared.sandbox.migrate(file, ["-mode=warm"]).code == 4)
        let barrier = try shared.barrier()
        let store = try shared.opened()
        for number in 0..<changes {
            let key = StorageKey("logical/added/\(number)")
            try store.put(key, try barrier.seal([UInt8](repeating: 1, count: number), under: key, nonce: number))
        }
        try store.delete("sys/policy/response-wrapping")
        store.close()
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-mode=final", "-prove"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let count = changes == 400 ? "1,220" : "\(820 + changes)"
        #expect(outcome.output.contains("\(count) of \(count) entries authenticated"), "\(outcome.output)")
        let proved = try shared.run(["prove", "-config", file])
        #expect(proved.code == 0 && proved.output.contains("Proven: \(count) of"), "\(proved.output)")
    }

    /// Few of them are read back one by one, many with everything.
    @Test(arguments: [1, 400])
    func aFinalPassNamesWhatIsDamaged(_ changes: Int) throws {
        let shared = try SharedStore(.fileOpenBao)
        let file = try shared.sandbox.configuration(shared.store, destination("file", shared))
        #expect(try shared.sandbox.migrate(file, ["-mode=warm"]).code == 4)
        let store = try shared.opened()
        for number in 0..<changes {
            let value = [0, 0, 0, 1, 2] + [UInt8](repeating: 7, count: 40)
            try store.put(StorageKey("logical/added/\(number)"), value)
        }
        store.close()
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-mode=final", "-prove"])
        #expect(outcome.code == 3, "\(outcome.output)")
        #expect(outcome.errors.contains("\(changes) of "), "\(outcome.errors)")
        #expect(outcome.errors.contains("logical/added/0: failed"), "\(outcome.errors)")
    }

    @Test func aStoreThatNeedsNoUpgradeIsRefused() throws {
        let shared = try SharedStore(.fileOpenBao)
        let to = destination("raft", shared)
        let file = try shared.sandbox.configuration(shared.store, to)
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-upgrade-legacy-seal"])
        #expect(outcome.code == 2 && outcome.errors.contains("Leave out -upgrade-legacy-seal"), "\(outcome.errors)")
        #expect(!exists(to.path) && !exists("\(to.path).sealift"))
    }
}
