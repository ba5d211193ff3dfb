import BarrierTestKit
import Digest
import InMemoryBackend
import Storage
import Testing

@testable import Barrier

/// What makes a store of before Vault 1.3 fit for today's servers.
@Suite struct UpgradeTests {
    private func legacy(storedShares: Bool = true) throws -> InMemoryBackend {
        let store = try WorkedStore.make()
        try OpenedBarrier.makeLegacy(store, WorkedStore.shares(0, 1, 2), storedShares: storedShares)
        return store
    }

    @Test func sharesStillOpenALegacyStore() throws {
        let store = try legacy()
        let barrier = try OpenedBarrier(store, WorkedStore.shares(1, 2, 3))
        #expect(barrier.form == .legacy && barrier.contradictions.isEmpty && barrier.terms == [1, 2])
        let wrong = try keyShares([WorkedStore.shares[0], WorkedStore.shares[1], String(repeating: "ab", count: 33)])
        let failure = #expect(throws: ProofFailure.self) { _ = try OpenedBarrier(store, wrong) }
        #expect(failure?.code == .shares)
    }

    @Test func itsEntriesAreTheSameEachTimeAndOpen() throws {
        let store = try legacy()
        let barrier = try OpenedBarrier(store, WorkedStore.shares(1, 2, 3))
        let upgrade = try SealUpgrade(store, barrier)
        #expect(upgrade.added == [.storedRootKey] && upgrade.changed == [.sealConfiguration] && upgrade.removed.isEmpty)
        let again = try SealUpgrade(store, OpenedBarrier(store, WorkedStore.shares(0, 3, 4)))
        #expect(upgrade.entries.map(\.value) == again.entries.map(\.value))
        let stored = try #require(upgrade.entries.first { $0.key == .storedRootKey }).value
        #expect(stored.count == 80 && stored.starts(with: [0x0a, 0x4c]) && stored.suffix(2) == [0x2a, 0])
        for entry in upgrade.entries { try store.put(entry.key, entry.value) }
        let upgraded = try OpenedBarrier(store, WorkedStore.shares(0, 1, 4))
        #expect(upgraded.form == .storedRootKey)
        #expect(try verdict(upgraded, .storedRootKey, stored) == .authenticated)
        let refusal = #expect(throws: ProofFailure.self) { _ = try SealUpgrade(store, upgraded) }
        #expect(refusal?.code == .notShamir)
    }

    @Test func onlyWhatMustChangeChanges() throws {
        let before = Array(
            #" {"type":"shamir", "a":[{"stored_shares":5}], "stored_shares" : 0 ,"z":"\"stored_shares\""} "#.utf8)
        let after = Array(
            #" {"type":"shamir", "a":[{"stored_shares":5}], "stored_shares" : 1 ,"z":"\"stored_shares\""} "#.utf8)
        #expect(SealUpgrade.withStoredShare(before) == after && SealUpgrade.withStoredShare(after) == after)
        #expect(SealUpgrade.withStoredShare(Array("{}".utf8)) == Array("{}".utf8))
        #expect(SealUpgrade.withStoredShare(Array("x".utf8)) == nil)
        let store = try legacy(storedShares: false)
        // As a server of today writes it.
        try store.put(.sealConfiguration, Array(#"{"type":"shamir","secret_shares":5,"secret_threshold":3}"#.utf8))
        let upgrade = try SealUpgrade(store, OpenedBarrier(store, WorkedStore.shares(0, 1, 2)))
        #expect(upgrade.changed.isEmpty && upgrade.entries.map(\.key) == [.storedRootKey])
    }

    /// A server that had been about to change its seal leaves both of these.
    @Test func staleEntriesGo() throws {
        let store = try legacy()
        let barrier = try OpenedBarrier(store, WorkedStore.shares(0, 1, 2))
        try store.put(.storedRootKey, try WorkedStore.make().get(.storedRootKey).map { $0.map { $0 ^ 1 } } ?? [])
        try store.put(.shamirKey, try barrier.seal([UInt8](repeating: 1, count: 32), under: .shamirKey))
        let stale = try OpenedBarrier(store, WorkedStore.shares(0, 1, 2))
        #expect(stale.form == .legacy && stale.hasStaleStoredKey)
        let upgrade = try SealUpgrade(store, stale)
        #expect(upgrade.added.isEmpty && upgrade.removed == [.shamirKey])
        #expect(upgrade.changed == [.storedRootKey, .sealConfiguration])
    }
}
