import Barrier
import BarrierTestKit
import FileBackend
import Foundation
import Storage
import TestSupport
import Testing

/// `-upgrade-legacy-seal` where something stands in its way, and what other commands make of its result.
@Suite struct LegacySealTests {
    /// A store that was made fit, and the file of the migration.
    private func upgraded(_ kind: String = "sqlite") throws -> (shared: SharedStore, to: Store, file: String) {
        let shared = try SharedStore.legacy()
        let to = shared.destination(kind)
        let file = try shared.sandbox.configuration(shared.store, to)
        let done = try shared.run(
            [
                "operator", "migrate", "-config", file, "-upgrade-legacy-seal", "-state-dir",
                "\(shared.sandbox.path)/state",
            ])
        try #require(done.code == 0, "\(done.errors)")
        return (shared, to, file)
    }

    private func expectFit(_ shared: SharedStore, _ file: String) throws {
        let proved = try shared.run(["prove", "-config", file])
        #expect(proved.code == 0 && proved.output.hasPrefix("Proven: "), "\(proved.errors)")
        #expect(!proved.output.contains("before Vault 1.3"), "\(proved.output)")
    }

    /// The next name in key order is that of an entry of which nothing else is left: no scan comes to it.
    @Test(arguments: ["raft", "sqlite", "file"])
    func aLostEntryBesideItDoesNotKeepItFromBeingWritten(_ kind: String) throws {
        let shared = try SharedStore.legacy()
        try shared.sandbox.shell(
            "mkdir -p '\(shared.store.path)/core/hsm'; : > '\(shared.store.path)/core/hsm/_barrier-unseal-keys-old'")
        let file = try shared.sandbox.configuration(shared.store, shared.destination(kind))
        let outcome = try shared.run(
            ["operator", "migrate", "-config", file, "-upgrade-legacy-seal", "-allow-lost-entries", "-prove"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        try expectFit(shared, file)
    }

    @Test(arguments: [
        ["-exclude=core/hsm/", "-force"], ["-include=logical/", "-force"], ["-start=core/keyring"],
        ["-exclude=core/seal-config", "-force"],
    ])
    func whatItWritesMustNotBeLeftOut(_ flags: [String]) throws {
        let shared = try SharedStore.legacy()
        let to = shared.destination("sqlite")
        let file = try shared.sandbox.configuration(shared.store, to)
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-upgrade-legacy-seal"] + flags)
        #expect(outcome.code == 1 && outcome.errors.contains("-upgrade-legacy-seal writes core/"), "\(outcome.errors)")
        #expect(!exists(to.path))
    }

    @Test(arguments: ["file", "sqlite", "raft"])
    func warmPassesAndTheFinalOneMakeItFit(_ kind: String) throws {
        let shared = try SharedStore.legacy()
        let to = shared.destination(kind)
        let file = try shared.sandbox.configuration(shared.store, to)
        let words = ["operator", "migrate", "-config", file, "-upgrade-legacy-seal"]
        for _ in 0..<2 {
            let warm = try shared.run(words + ["-mode=warm"])
            #expect(warm.code == 4, "\(warm.errors)")
        }
        let barrier = try shared.barrier()
        let store = try shared.opened()
        try store.put("logical/late", try barrier.seal([1, 2, 3], under: "logical/late"))
        try store.delete("sys/policy/response-wrapping")
        store.close()
        let final = try shared.run(words + ["-mode=final", "-prove"])
        #expect(final.code == 0, "\(final.errors)")
        #expect(final.output.contains("820 of 820 entries authenticated"), "\(final.output)")
        #expect(final.output.contains("added core/hsm/barrier-unseal-keys; changed core/seal-config"))
        try expectFit(shared, file)
        let check = try shared.sandbox.sealift(["check", "-config", file])
        let told = check.outputLines.filter { $0.hasPrefix("+ ") || $0.hasPrefix("- ") || $0.hasPrefix("* ") }
        #expect(told == ["+ core/hsm/barrier-unseal-keys", "* core/seal-config"], "\(check.output)")
        #expect(try shared.leaks() == [])
    }

    /// The old server may unseal nothing with the new seal, so that the reason is told, not another one.
    @Test func aRollbackSaysWhyItCannotBe() throws {
        let (shared, to, _) = try upgraded()
        let (old, new) = (try snapshot(shared.store.path), try shared.sandbox.digest(of: to))
        for flags in [[], ["-run"], ["-run", "-force"]] {
            let outcome = try shared.sandbox.sealift(
                ["operator", "rollback", "-report", "\(shared.sandbox.path)/state/report.json"] + flags)
            #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome.output)")
            #expect(outcome.errors.contains("made the new store fit for today's servers"), "\(outcome.errors)")
            #expect(outcome.errors.contains("migrate from the new store into an empty one"))
        }
        #expect(try snapshot(shared.store.path) == old && shared.sandbox.digest(of: to) == new)
    }

    @Test(arguments: [[], ["-remove-extra"], ["-include=core/seal-config"], ["-remove-extra", "-exclude=logical/"]])
    func aRepairDoesNotTakeItBack(_ flags: [String]) throws {
        let (shared, to, file) = try upgraded()
        let before = try shared.sandbox.digest(of: to)
        let outcome = try shared.sandbox.sealift(["repair", "-config", file] + flags)
        #expect(outcome.code == 2 && outcome.errors.contains("was made fit for today's servers"), "\(outcome.errors)")
        #expect(outcome.errors.contains("-exclude core/seal-config"), "\(outcome.errors)")
        #expect(try shared.sandbox.digest(of: to) == before)
    }

    /// What the refusal advises puts right everything else.
    @Test func theRestOfItIsRepaired() throws {
        let (shared, to, file) = try upgraded()
        let before = try shared.sandbox.digest(of: to)
        try shared.sandbox.sql(
            to.path, "DELETE FROM vault_kv_store WHERE CAST(key AS TEXT) = 'sys/policy/response-wrapping'")
        let outcome = try shared.sandbox.sealift([
            "repair", "-config", file, "-exclude", "core/hsm/barrier-unseal-keys", "-exclude", "core/seal-config",
        ])
        #expect(outcome.code == 0 && outcome.output.contains("1 added, 0 changed, 0 removed"), "\(outcome.errors)")
        #expect(try shared.sandbox.digest(of: to) == before)
        try expectFit(shared, file)
    }

    /// A store that was made fit and has lost the entry is not one of before: no server takes the shares for its root key.
    @Test func theLossOfTheEntryIsToldAndMended() throws {
        let (shared, to, _) = try upgraded("file")
        try shared.sandbox.shell("rm '\(to.path)/core/hsm/_barrier-unseal-keys'")
        let server = try shared.sandbox.configuration(of: to, name: "lost.hcl")
        let proved = try shared.run(["prove", "-config", server])
        #expect(proved.code == 3, "\(proved.output)")
        #expect(proved.output.contains("core/hsm/barrier-unseal-keys is missing, although"), "\(proved.output)")
        let again = Store.sqlite("\(shared.sandbox.path)/again")
        let file = try shared.sandbox.configuration(to, again, name: "again.hcl")
        let outcome = try shared.run(["operator", "migrate", "-config", file, "-upgrade-legacy-seal", "-prove"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        try expectFit(shared, file)
    }
}
