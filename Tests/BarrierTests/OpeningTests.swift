import BarrierTestKit
import Digest
import InMemoryBackend
import Storage
import TestSupport
import Testing

@testable import Barrier

/// The way from shares to the verdict about each entry, on a store whose values were made by the original routines.
@Suite struct OpeningTests {
    private func opened(_ store: InMemoryBackend) throws -> OpenedBarrier {
        try OpenedBarrier(store, WorkedStore.shares(0, 2, 4))
    }

    private func failure(_ store: InMemoryBackend, _ shares: KeyShares? = nil) throws -> ProofFailure {
        let shares = try shares ?? WorkedStore.shares(0, 2, 4)
        return try #require(throws: ProofFailure.self) { _ = try OpenedBarrier(store, shares) }
    }

    private func tally(_ store: InMemoryBackend, _ barrier: OpenedBarrier) throws -> ProofTally {
        var tally = ProofTally()
        let authenticator = try EntryAuthenticator(barrier)
        for entry in try entries(of: store) {
            try entry.key.bytes.withUnsafeBytes { key in
                tally.count(try entry.value.withUnsafeBytes { try authenticator.proof(of: $0, under: key) }, key)
            }
        }
        return tally
    }

    @Test func everyEntryIsAuthenticated() throws {
        let store = try WorkedStore.make()
        let barrier = try opened(store)
        let tally = try tally(store, barrier)
        #expect(barrier.form == .storedRootKey && barrier.terms == [1, 2] && barrier.activeTerm == 2)
        #expect(barrier.contradictions.isEmpty && !barrier.hasStaleStoredKey)
        #expect(tally.terms == [1: 3, 2: 2])
        // One was written by the first releases, which did not bind names.
        #expect(tally.unboundNames == 1 && ProofTally().adding(tally).adding(tally).unboundNames == 2)
        // The root key's entry has no term; the configuration is in clear.
        #expect(tally.counts[.authenticated] == 6 && tally.counts[.plain] == 1 && tally.isProven)
        #expect(tally.folders.map { String(decoding: $0.prefix, as: UTF8.self) } == ["core/", "logical/", "sys/"])
    }

    @Test func theActiveTermsValuesAreWhatTheyShouldBe() throws {
        let store = try WorkedStore.make()
        let barrier = try opened(store)
        let value = try #require(try store.get(WorkedStore.secret))
        #expect(try barrier.plaintext(value, under: WorkedStore.secret) == Array(#"{"a":"b"}"#.utf8))
        #expect(try barrier.plaintext(value, under: "logical/other") == nil)
        let old = try #require(try store.get("sys/policy/p"))
        for name in [StorageKey("sys/policy/p"), "anywhere"] {
            #expect(try barrier.plaintext(old, under: name) == Array("hello".utf8))
        }
    }

    /// Every bit of a value and every byte of its name count.
    @Test func oneBitIsEnough() throws {
        let store = try WorkedStore.make()
        let barrier = try opened(store)
        let value = try #require(try store.get(WorkedStore.secret))
        for place in value.indices {
            for bit in 0..<8 {
                var changed = value
                changed[place] ^= 1 << UInt8(bit)
                let found = try verdict(barrier, WorkedStore.secret, changed)
                #expect(found.isBad, "byte \(place), bit \(bit): \(found)")
            }
        }
        for place in WorkedStore.secret.bytes.indices {
            var name = WorkedStore.secret.bytes
            name[place] ^= 1
            #expect(try verdict(barrier, StorageKey(name), value).isBad)
        }
        for count in 0..<value.count {
            #expect(try verdict(barrier, WorkedStore.secret, Array(value.prefix(count))).isBad)
        }
    }

    @Test func eachKindOfDamageHasItsVerdict() throws {
        let store = try WorkedStore.make()
        let barrier = try opened(store)
        let value = try #require(try store.get(WorkedStore.secret))
        let master = try #require(try store.get("core/master"))
        #expect(try verdict(barrier, WorkedStore.secret, master) == .failed)
        #expect(try verdict(barrier, "core/master", value) == .failed)
        #expect(try verdict(barrier, WorkedStore.secret, Array(value.prefix(32))) == .noEnvelope)
        #expect(try verdict(barrier, WorkedStore.secret, []) == .noEnvelope)
        #expect(try verdict(barrier, WorkedStore.secret, [0, 0, 0, 9] + value.dropFirst(4)) == .unknownTerm)
        #expect(try verdict(barrier, .keyring, value) == .failed)
        #expect(try verdict(barrier, .storedRootKey, value) == .noEnvelope)
        for name in [StorageKey.activeNodeLock, .migrationMarker, "core/seal-gen-info", "core/recovery-config"] {
            #expect(try verdict(barrier, name, value) == .plain)
        }
        let named = ProofTally.Named(key: "a\u{1}", verdict: .unknownTerm, term: 9)
        #expect(named.line == "a\\x01: no key for term 9")
    }

    /// Vault Enterprise's wrapping: a message, with the letter s behind it.
    @Test func whatIsWrappedIsOpenedOrCountedApart() throws {
        let store = try WorkedStore.make()
        let barrier = try opened(store)
        let value = try #require(try store.get(WorkedStore.secret))
        let plain = [0x0a, UInt8(value.count)] + value + Array("s".utf8)
        #expect(try verdict(barrier, WorkedStore.secret, plain) == .authenticated)
        #expect(try verdict(barrier, "logical/x", plain) == .failed)
        let wrapped = [0x0a, UInt8(value.count)] + value + [0x20, 1] + Array("s".utf8)
        #expect(try verdict(barrier, WorkedStore.secret, wrapped) == .notCheckable)
        #expect(try verdict(barrier, WorkedStore.secret, Array("multiwrapvalue:1rest".utf8)) == .notCheckable)
        #expect(try verdict(barrier, WorkedStore.secret, [0x0a, 1, 7] + Array("s".utf8)) == .noEnvelope)
        #expect(try verdict(barrier, "raftchunking/1/2", [1, 2, 3]) == .notCheckable)
        #expect(try verdict(barrier, "core/recovery-key", [1, 2, 3]) == .notCheckable)
    }

    @Test func wrongAndTooFewSharesAreToldApart() throws {
        let store = try WorkedStore.make()
        let few = try failure(store, WorkedStore.shares(0, 1))
        #expect(few.code == .shares && few.message.contains("asks for 3, and 2 were given"))
        var texts = Array(WorkedStore.shares.prefix(3))
        texts[1] = "00" + texts[1].dropFirst(2)
        let wrong = try failure(store, keyShares(texts))
        #expect(wrong.code == .shares && wrong.message.contains("do not open the store"))
    }

    @Test func aKeyringOfAnotherStoreIsNamed() throws {
        let store = try WorkedStore.make()
        var keyring = try #require(try store.get(.keyring))
        keyring[40] ^= 1
        try store.put(.keyring, keyring)
        let other = try failure(store)
        #expect(
            other.code == .damaged && other.message.contains("core/keyring")
                && other.message.contains("shares are right"))
        try store.delete(.keyring)
        let none = try failure(store)
        #expect(none.code == .damaged && none.message.contains("no core/keyring"))
    }

    /// It is not taken for a store of before there was such an entry.
    @Test func aStoredRootKeyThatIsLostIsNamed() throws {
        let store = try WorkedStore.make()
        try store.delete(.storedRootKey)
        let lost = try failure(store)
        #expect(lost.code == .damaged && lost.message.contains("is missing, although"), "\(lost.message)")
        #expect(lost.message.contains("-upgrade-legacy-seal") && !lost.message.contains("wrong, or too few"))
        // A store of before that was made fit: the shares open it, and no server tries that.
        let old = try WorkedStore.make()
        try OpenedBarrier.makeLegacy(old, WorkedStore.shares(0, 1, 2), storedShares: false)
        let barrier = try opened(old)
        #expect(barrier.contradictions.count == 1 && barrier.contradictions[0].contains("is missing, although"))
        #expect(!ProofTally().isProven && barrier.form == .legacy)
        for entry in try SealUpgrade(old, barrier).entries { try old.put(entry.key, entry.value) }
        #expect(try opened(old).contradictions.isEmpty && opened(old).form == .storedRootKey)
    }

    /// A store whose entries cannot be read is not one that lacks them.
    @Test(arguments: [StorageKey.sealConfiguration, .storedRootKey, .keyring])
    func whatCannotBeReadIsNotMissing(_ key: StorageKey) throws {
        let store = UnreadableEntry(try WorkedStore.make(), key)
        let failure = #expect(throws: ProofFailure.self) { _ = try OpenedBarrier(store, WorkedStore.shares(0, 1, 2)) }
        #expect(failure?.code == .store && failure?.message.contains("the disk is gone") == true, "\(failure as Any)")
        guard key != .keyring else { return }
        let error = #expect(throws: StorageError.self) { _ = try SealReading.read(store) }
        #expect(error?.code == .io)
    }

    @Test func aStoredRootKeyThatIsNoneIsNamed() throws {
        let store = try WorkedStore.make()
        try store.put(.storedRootKey, [1, 2, 3])
        #expect(try failure(store).code == .damaged)
        var value = try #require(try WorkedStore.make().get(.storedRootKey))
        value[30] ^= 1
        try store.put(.storedRootKey, value)
        let failure = try failure(store)
        #expect(failure.code == .shares && failure.message.contains("core/hsm/barrier-unseal-keys is damaged"))
    }

    @Test func storesThatNoSharesOpenAreRefusedBefore() throws {
        let store = try WorkedStore.make()
        try store.put(.sealConfiguration, Array(#"{"type":"awskms","secret_shares":1,"secret_threshold":1}"#.utf8))
        let kms = #expect(throws: ProofFailure.self) { _ = try OpenedBarrier.seal(of: store) }
        #expect(kms?.code == .notShamir && kms?.message.contains("Recovery keys decrypt nothing") == true)
        for text in ["", "[]", #"{"type":"shamir","secret_shares":2,"secret_threshold":3}"#] {
            try store.put(.sealConfiguration, Array(text.utf8))
            #expect(throws: ProofFailure.self) { _ = try OpenedBarrier.seal(of: store) }
        }
        try store.delete(.sealConfiguration)
        #expect(throws: ProofFailure.self) { _ = try OpenedBarrier.seal(of: store) }
    }

    @Test func copiesOfOtherKeysAreContradictions() throws {
        let store = try WorkedStore.make()
        let barrier = try opened(store)
        let other = #"{"Term":2,"Version":1,"Value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#
        try store.put("core/master", try barrier.seal(Array(other.utf8), under: "core/master"))
        try store.put(.shamirKey, try barrier.seal([UInt8](repeating: 1, count: 32), under: .shamirKey))
        let found = try opened(store).contradictions
        #expect(
            found.count == 2 && found[0].contains("core/master") && found[1].contains("core/shamir-kek"), "\(found)")
    }

    /// Before there were keyrings: one key under `barrier/init`.
    @Test func theFirstReleasesAreRead() throws {
        let store = try WorkedStore.make()
        let root = try secretBytes(bytes(hexadecimal: WorkedStore.unsealKey))
        let key = [UInt8](repeating: 9, count: 32)
        let plain = #"{"Version":1,"Key":"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk="}"#
        let nonce = [UInt8](repeating: 5, count: 12)
        func sealed(_ text: String, _ key: SecretBytes, _ name: StorageKey) throws -> [UInt8] {
            let cipher = try AESGCM(key: key, isForSealing: true)
            let body = try Array(text.utf8).withUnsafeBytes {
                try cipher.seal($0, nonce: nonce, additional: name.bytes)
            }
            return [0, 0, 0, 1, 2] + nonce + body
        }
        let old = InMemoryBackend()
        try old.put(.sealConfiguration, try store.get(.sealConfiguration) ?? [])
        try old.put("barrier/init", try sealed(plain, root, "barrier/init"))
        try old.put("logical/x", try sealed("hello", secretBytes(key), "logical/x"))
        let barrier = try opened(old)
        #expect(barrier.form == .beforeKeyrings && barrier.terms == [1])
        #expect(try tally(old, barrier).counts[.authenticated] == 2)
        let refusal = #expect(throws: ProofFailure.self) { _ = try SealUpgrade(old, barrier) }
        #expect(refusal?.message.contains("barrier/init") == true)
    }

    @Test func aNamespaceWithASealOfItsOwnIsCountedApart() throws {
        let store = try WorkedStore.make()
        let barrier = try opened(store)
        func put(_ key: StorageKey) throws { try store.put(key, try barrier.seal([1, 2, 3], under: key)) }
        for id in ["a", "b"] { try put(StorageKey("core/namespaces/\(id)")) }
        try put("namespaces/a/logical/x")
        try put("namespaces/b/core/seal-config")
        try store.put("namespaces/b/core/keyring", [0, 0, 0, 1, 2] + [UInt8](repeating: 3, count: 40))
        try store.put("namespaces/b/core/hsm/barrier-unseal-keys", [0x0a, 0])
        try store.put("namespaces/b/logical/y", [0, 0, 0, 1, 2] + [UInt8](repeating: 4, count: 40))
        try store.put("namespaces/child/logical/z", [0, 0, 0, 2, 2] + [UInt8](repeating: 4, count: 40))
        let again = try opened(store)
        var found = try tally(store, again)
        #expect(found.counts[.notCheckable] == 4 && found.counts.bad == 0, "\(found.named.map(\.line))")
        // What the root's keyring must open is damaged if it does not.
        try store.put("namespaces/a/logical/x", [0, 0, 0, 1, 2] + [UInt8](repeating: 4, count: 40))
        found = try tally(store, again)
        #expect(found.named.map(\.key) == ["namespaces/a/logical/x"])
        // Without any such seal all of them are the root's.
        for key in [StorageKey("namespaces/b/core/keyring"), "namespaces/b/core/hsm/barrier-unseal-keys"] {
            try store.delete(key)
        }
        found = try tally(store, opened(store))
        #expect(
            found.named.map(\.key) == [
                "namespaces/a/logical/x", "namespaces/b/logical/y", "namespaces/child/logical/z",
            ])
    }

    @Test func hostileKeyringsNeverTrap() throws {
        var random = SeededRandom(fuzz: 16)
        let text =
            Array(
                #"{"MasterKey":"7y0U99DluoxipRUJwO91emlTGOW4cW8M2phc4oyJ03w=","Keys":[{"Term":2,"Version":1,"Value":"#
                    .utf8)
            + Array(
                #""7y0U99DluoxipRUJwO91emlTGOW4cW8M2phc4oyJ03w=","encryptions":17}],"RotationConfig":{"a":[1e5,null]}}"#
                    .utf8)
        #expect(try BarrierKeyring(secretBytes(text))?.activeTerm == 2)
        for count in 0..<text.count { #expect(try BarrierKeyring(secretBytes(Array(text.prefix(count)))) == nil) }
        for _ in 0..<Effort.rounds(3000) {
            let mutated = random.mutated(text)
            _ = try BarrierKeyring(secretBytes(mutated))
            _ = try BarrierKeyring.onlyKey(secretBytes(mutated))
            _ = try BarrierKeyring.storedKey(secretBytes(mutated))
            _ = SealUpgrade.withStoredShare(mutated)
        }
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        #expect(try BarrierKeyring(secretBytes(Array("{\"a\":".utf8) + deep)) == nil)
    }
}

/// A store that cannot give one of its entries.
private final class UnreadableEntry: StorageSource {
    private let inner: InMemoryBackend
    private let key: StorageKey

    init(_ inner: InMemoryBackend, _ key: StorageKey) {
        self.inner = inner
        self.key = key
    }

    var kind: String { inner.kind }
    var location: String { inner.location }
    var identity: StoreIdentity { inner.identity }
    var rules: EntryRules { inner.rules }
    var traits: SourceTraits { inner.traits }

    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? {
        guard key != self.key else { throw StorageError(.io, "the disk is gone", key: key) }
        return try inner.get(key)
    }

    func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] { try inner.list(prefix) }

    func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) { try inner.scan(request, deliver) }

    func close() {}
}
