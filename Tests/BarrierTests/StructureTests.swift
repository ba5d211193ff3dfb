import Foundation
import Storage
import Telemetry
import TestSupport
import Testing

@testable import Barrier

/// Sound stores are told to be sound, and what is missing is missed.
@Suite struct StructureTests {
    // MARK: Sound stores

    @Test func theWorkedExampleHasItsTerms() throws {
        func bytes(_ text: String) throws -> [UInt8] { Array(try #require(Data(base64Encoded: text))) }
        let keyring =
            "AAAAAQIacnFpVWe7Iff1zFzC6Cincras/sTUsXRuZs3TqISmvvv0ljjCItS4QJak0yzSfEtsXuAMvFRvaP1qY+6LOoljA2RihckJkXBvPKm8"
            + "kC4hLx8VvHpJx5xz0Lon+PP227A6RPmyoqPyuGGWQrC0huq6MwkrB9/kU6Kp3BHGhiHo0uz6PHvB/U5kSgTPcVZpPKnqRI964+XgTl2/m3Oi"
            + "kqf4kUzpCTu4/nmwJPusH1J9NBs+sBRYwrFp8W0sUi5WS8m13BghPQ2tOwSMH/FpT6yK1AF9ZUEFD8lR9xFfSW5hJpKaaCSAZFaW+s72lFsU"
            + "RoYQlzduIFZfkBSaKx3oAC/n/W+vEBKaLF0DWjWHKtQUJ9U5gaS8GI9E0sCua3LLKF1mDuCxyefcsqBZmLBgSa0Krj60M1NdJKtPpPXKxVVr"
            + "ol7hOIPCgl++a0iEvnlNrFv6bzqGnUNYJcNiz+uB+Dr16/vhVK4AGsOsKzZciqsjGX2UD4RuIxXS7gggrLQ0BflaV17Wj/KJ4qhUoLfnxU/g"
            + "m6Qovqv7xyPMv1Z/R4hdAQ4imFF8VQrpTylkd/zj"
        let master =
            "AAAAAgJXNmY/IPSQ6ogEE2XWBy0wyMFuMTHsYIWVEtTJ5DXHOTkArzw+HNV3P1gD3ykkhSUsz+m22SblOyGti+30NvZ35QSQuQitoZoTOp6Y"
            + "IRwZrGTZb56ILI2PN3UvB9fD6OFJf7HYgz4ad4v41R7xFwL/jQ7uXwS9jiy97sJFN6cZ1ss4wV7zP4IeGyOCJrLU"
        let stored =
            "CkzbwTliXZPgcR+Dz8BCHwo83Qkj7SwRT2LvlRu/OaESHjc9ReL1abJJYYNqoMG83rv8WNpjcxGWjBTRN7VsTAkVOjVS+yk5SVFPxvGbKgA="
        let configuration =
            #"{"type":"shamir","secret_shares":5,"secret_threshold":3,"pgp_keys":null,"nonce":"","backup":false,"stored_shares":1}"#
        let found = report([
            Entry("core/hsm/barrier-unseal-keys", try bytes(stored)), Entry("core/keyring", try bytes(keyring)),
            Entry("core/master", try bytes(master)),
            Entry(
                "core/shamir-kek",
                try bytes("AAAAAQJjm7rgCyjIduL5hA7ludw6gFxKfQ9udnbhAWpD9QpOHCncw0fC5Y7LT+o6UfT4R5hKMU8RmZcksjxKBX0=")),
            Entry(
                "logical/8c1b7c2e-0000-4000-8000-000000000001/foo",
                try bytes("AAAAAgIdWEj6Un40I3j2gxwT8m32QLAVIHqDRLUMSFvf0/I2LGsrdUfO")),
            Entry("sys/policy/p", try bytes("AAAAAQFatxCuRy0ACiw0eWu3XO3WIadq3m14zn0pDGRj9mA1+gQ=")),
            Entry("core/seal-config", Array(configuration.utf8)),
        ])
        #expect(found.terms.terms.map { [Int($0.term), $0.entries] } == [[1, 3], [2, 2]])
        #expect(found.terms.ofVersion1 == 1 && found.activeTerm == 2 && found.inClear == 2)
        #expect(found.suspicions.isEmpty && found.signs.isEmpty && found.sealFaults.isEmpty, "\(found.lines)")
        #expect(found.seal?.rootKey == .stored && found.seal?.threshold == 3)
        // It is no whole store.
        #expect(found.missing == ["core/mounts", "core/auth", "core/cluster/local/info", "core/wrapping/jwtkey"])
        #expect(!found.isSound)
    }

    @Test(arguments: ["etcd-vault", "s3-vault", "mysql-vault", "postgresql-vault", "postgresql-openbao"])
    func storesOfRealServersAreSound(_ name: String) throws {
        let entries = try exported(name)
        #expect(entries.count > 650)
        let found = report(entries)
        #expect(found.isSound && found.suspicious == 0 && found.missing.isEmpty, "\(found.lines)")
        #expect(found.terms.terms.map(\.term) == [1, 2] && found.activeTerm == 2)
        #expect(found.seal?.summary == "shamir, 3 of 5 key shares unseal it" && found.seal?.rootKey == .stored)
        #expect(found.places.map(\.entries).reduce(0, +) == entries.count)
        let isOpenBao = name == "postgresql-openbao"
        #expect(found.remarks.contains { $0.contains("wrote the store last") } == isOpenBao)
        #expect(found.remarks.contains { $0.contains("an entry for each mount") } == isOpenBao)
        #expect(found.layout.sortedReleases == [isOpenBao ? "2.0.0" : "1.14.9"])
    }

    /// Nested namespaces with key shares of their own, and one that uses the keyring of the namespace above it.
    @Test func namespacesOfARealServerAreSound() throws {
        let found = report(try exported("namespaces-openbao"))
        #expect(found.entries == 92 && found.isSound, "\(found.lines)")
        #expect(found.sealedNamespaces.map(\.activeTerm) == [1, 5] && found.openNamespaces == 2)
        #expect(found.terms.terms.map(\.term) == [1, 2] && found.activeTerm == 2)
        #expect(found.openTerms.terms.map(\.term) == [1, 2, 5])
        #expect(found.remarks.contains { $0.contains("4 OpenBao namespaces") })
    }

    /// A million envelopes as a server writes them, and none that looks damaged.
    @Test(arguments: 0..<4)
    func randomEnvelopesAreNoDamage(_ seed: Int) {
        let chunk = 8 << 20
        var random = SeededRandom(fuzz: seed)
        var tally = StructureTally()
        let count = 250_000
        var left = count
        let key = Array("logical/x/y".utf8)
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk + 1024, alignment: 8)
        defer { bytes.deallocate() }
        while left > 0 {
            for place in stride(from: 0, to: bytes.count, by: 8) {
                bytes.storeBytes(of: random.next(), toByteOffset: place, as: UInt64.self)
            }
            var place = 0
            while place < chunk, left > 0 {
                let size = 33 + random.below(180)
                for (index, byte) in header(1 + UInt32(random.below(3)), 2).enumerated() { bytes[place + index] = byte }
                let value = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[place..<(place + size)])
                key.withUnsafeBytes { tally.count(key: $0, value: value) }
                place += size
                left -= 1
            }
        }
        let found = tally.finish()
        #expect(found.entries == count && found.suspicious == 0 && found.signs.isEmpty, "\(found.lines)")
        #expect(found.terms.terms.map(\.term) == [1, 2, 3])
    }

    @Test(arguments: [64 << 10, 1 << 20])
    func largeRandomValuesAreNoDamage(_ size: Int) {
        var store = SoundStore(seed: 7, secrets: 0)
        for number in 0..<((16 << 20) / size) { store.add("logical/a/\(number)", store.envelope(2, size + number * 3)) }
        let found = report(store.entries)
        #expect(found.isSound, "\(found.lines)")
    }

    // MARK: Whatever the order

    @Test func theOrderDoesNotMatter() {
        var store = SoundStore(seed: 5, secrets: 600)
        store.add("core/mounts/1", store.envelope(1, 10))
        for number in 0..<60 {
            store.add("logical/bad/\(number)", [])
            store.add("logical/high/\(number)", store.envelope(9 + UInt32(number), 10))
            store.add("namespaces/n\(number % 7)/sys/x\(number)", store.envelope(1, 10))
        }
        for name in ["b", "a"] {
            store.add("namespaces/\(name)/core/keyring", store.envelope(1, 100))
            store.add("namespaces/\(name)/core/root-key", store.envelope(7, 100))
            store.add("namespaces/\(name)/core/mounts", store.envelope(7, 100))
        }
        let inOrder = report(store.entries.sorted())
        var random = SeededRandom(6)
        for parts in [1, 2, 5] {
            var tallies = (0..<parts).map { _ in StructureTally() }
            for entry in store.entries.shuffled(using: &random) { tallies[random.below(parts)].count([entry]) }
            var whole = StructureTally()
            for tally in tallies { whole.merge(tally) }
            let found = whole.finish()
            let isSame = JSONText.object(found.members).text == JSONText.object(inOrder.members).text
            #expect(isSame)
            #expect(found.lines == inOrder.lines)
        }
        #expect(inOrder.sealedNamespaces.map(\.id) == ["a", "b"])
    }

    @Test func memoryIsBounded() {
        var store = SoundStore(seed: 9, secrets: 0)
        for number in 0..<10_000 {
            store.add("logical/m\(number)/a", store.envelope(UInt32(4 + number), 1))
            store.add("x\(number)/a", [UInt8(truncatingIfNeeded: number)])
        }
        let count = store.entries.count
        let found = report(store.entries)
        #expect(found.places.count == PlaceCounts.mostPlaces + 1 && found.places.last?.prefix == "(others)")
        #expect(found.places.map(\.entries).reduce(0, +) == count)
        #expect(found.terms.terms.count == TermCounts.mostTerms && found.terms.entries == 10_010)
        let wrong = found.suspicions.first { $0.damage == .wrongTerm }
        #expect(wrong?.entries == 10_000 && wrong?.first.count == StructureTally.mostNamed)
        // The same ones of whichever come first.
        #expect(report(store.entries.reversed()).lines == found.lines)
        #expect(report(store.entries.sorted()).lines == found.lines)
    }

    @Test func placesAreThoseOfMounts() {
        let random = [UInt8](repeating: 1, count: 4)
        let keys = [
            "top", "core/a", "sys/b/c", "logical/u/x", "logical/u/y/z", "logical/odd", "auth/u/x", "audit/u/salt",
            "namespaces/n/core/a", "namespaces/n/logical/u/x", "namespaces/odd", "namespaces/n/odd", "wal/a",
        ]
        let found = report(keys.map { Entry(StorageKey($0), random) })
        #expect(
            found.places.map { "\($0.prefix) \($0.entries)" } == [
                " 1", "audit/u/ 1", "auth/u/ 1", "core/ 1", "logical/ 1", "logical/u/ 2", "namespaces/ 1",
                "namespaces/n/ 1",
                "namespaces/n/core/ 1", "namespaces/n/logical/u/ 1", "sys/ 1", "wal/ 1",
            ])
    }

    // MARK: What is missing or wrong

    private static let gaps: [(gone: [StorageKey], isSound: Bool, says: String)] = [
        ([], true, "Nothing suspicious"), (["core/keyring"], false, "core/keyring is missing"),
        (["core/seal-config"], false, "core/seal-config is missing"),
        (["core/hsm/barrier-unseal-keys"], false, "core/hsm/barrier-unseal-keys is missing"),
        (["core/audit"], true, "Nothing suspicious"),
        (["core/wrapping/jwtkey"], true, "core/wrapping/jwtkey is missing, which servers have had since long"),
        (["core/master", "core/auth"], false, "core/master or core/root-key, core/auth; servers write them"),
        (["sys/policy/default", "sys/policy/root", "core/mounts"], false, "core/mounts, sys/policy/…"),
    ]

    @Test(arguments: gaps)
    func whatIsMissingIsMissed(_ gap: (gone: [StorageKey], isSound: Bool, says: String)) {
        var store = SoundStore(seed: 3)
        for key in gap.gone { store.remove(key) }
        let found = report(store.entries)
        #expect(
            found.isSound == gap.isSound && found.lines.joined(separator: "\n").contains(gap.says), "\(found.lines)")
        #expect(found.suspicious == 0)
    }

    private static let configurations: [(text: String, says: String?)] = [
        (#"{"type":"shamir","secret_shares":1,"secret_threshold":1}"#, nil),
        (#"{"type":"","secret_shares":255,"secret_threshold":255,"stored_shares":1,"more":[1]}"#, nil),
        (#"{"type":"awskms","secret_shares":1,"secret_threshold":1,"stored_shares":1}"#, nil),
        (#"{"type":"shamir","secret_shares":0,"secret_threshold":0}"#, "it names 0 key shares"),
        (#"{"type":"shamir","secret_shares":256,"secret_threshold":3}"#, "it names 256 key shares"),
        (#"{"type":"shamir","secret_shares":3,"secret_threshold":4}"#, "it wants 4 of 3"),
        (#"{"type":"shamir","secret_shares":3,"secret_threshold":1}"#, "it wants 1 of 3"),
        (#"{"type":"shamir","secret_shares":3,"secret_threshold":2,"stored_shares":2}"#, "2 stored shares"),
        (#"{"type":"shamir","secret_shares":3,"secret_threshold":2,"pgp_keys":["a"]}"#, "1 PGP key for 3"),
        (#"{"type":"shamir","secret_shares":3,"secret_threshold":2"#, "no seal configuration that can be read"),
    ]

    @Test(arguments: configurations)
    func theSealIsJudged(_ text: String, _ says: String?) {
        var store = SoundStore(seed: 3)
        store.change("core/seal-config") { _ in Array(text.utf8) }
        let found = report(store.entries)
        #expect(found.isSound == (says == nil), "\(found.lines)")
        if let says { #expect(found.sealFaults.contains { $0.contains(says) }, "\(found.sealFaults)") }
    }

    @Test func aSealedKeyOfAnotherLengthIsAFault() {
        var store = SoundStore(seed: 3)
        store.change("core/hsm/barrier-unseal-keys") { [0x0a, 0x4d, 0] + $0.dropFirst(2) }
        #expect(report(store.entries).sealFaults.first?.contains("has 81 bytes; with a shamir seal it has 80") == true)
    }

    /// A keyring has a key for each term: 45 bytes and more would be an envelope, and no keyring.
    @Test func aKeyringThatIsCutOffIsAFault() {
        for (term, least) in [(UInt32(1), 33 + 70 + 114), (3, 33 + 70 + 3 * 114 + 2)] {
            var store = SoundStore(seed: 3, term: term)
            for count in [BarrierEnvelope.shortest, 45, least - 1] {
                let keyring = Array(store.envelope(1, 700).prefix(count))
                store.change("core/keyring") { _ in keyring }
                let found = report(store.entries)
                #expect(!found.isSound && found.sealFaults.contains { $0.contains("cut off") }, "\(found.lines)")
                #expect(found.sealFaults.first?.hasPrefix("core/keyring has \(count) bytes") == true)
            }
            let keyring = store.envelope(1, least - BarrierEnvelope.shortest)
            store.change("core/keyring") { _ in keyring }
            #expect(report(store.entries).isSound, "\(report(store.entries).lines)")
        }
        var store = SoundStore(seed: 3)
        store.add("namespaces/own/core/keyring", store.envelope(1, 100))
        #expect(report(store.entries).sealFaults.first?.hasPrefix("namespaces/own/core/keyring has 133 bytes") == true)
    }

    /// A slash and a mark behind it are one character of a text, and two of a key.
    @Test func namesAreComparedByteByByte() {
        var store = SoundStore(seed: 3)
        store.add("core/lock/\u{301}", Array("0b8c".utf8))
        store.add("core/upgrade/+2", store.envelope(1, 100))
        #expect(report(store.entries).isSound, "\(report(store.entries).lines)")
        store.remove("core/mounts")
        store.add("core/mounts/\u{301}x", store.envelope(1, 100))
        let found = report(store.entries)
        #expect(found.missing.isEmpty && found.remarks.contains { $0.contains("core/mounts/...") }, "\(found.remarks)")
    }

    /// For whoever has a line for each: the faults, without what is only worth knowing.
    @Test func faultsAreSentences() {
        var store = SoundStore(seed: 3)
        #expect(report(store.entries).faults.isEmpty)
        for key in ["core/keyring", "core/auth", "sys/policy/root", "sys/policy/default"] {
            store.remove(StorageKey(key))
        }
        store.add("logical/a", [])
        #expect(report(store.entries).faults.count == 2)
        store.add("core/keyring", store.envelope(1, 700))
        for number in 0..<3 { store.add("logical/b\(number)", [1, 2, 3]) }
        let faults = report(store.entries).faults
        #expect(faults.count == 3 && faults[0].hasPrefix("core/auth, sys/policy/… are missing"), "\(faults)")
        #expect(
            faults[1].hasPrefix("1 suspicious entry, no value at all") && faults[1].hasSuffix(": logical/a."),
            "\(faults)")
        #expect(faults[2].hasSuffix(": logical/b0, logical/b1, logical/b2."), "\(faults)")
    }

    @Test func termsAreThoseOfTheKeyring() {
        var store = SoundStore(seed: 3, term: 4)
        store.add("core/upgrade/3", store.envelope(3, 100))
        #expect(report(store.entries).isSound)
        store.add("core/upgrade/2", store.envelope(4, 100))
        store.add("logical/a/late", store.envelope(5, 10))
        store.add("logical/a/later", store.envelope(1_000_000, 10))
        store.change("core/keyring") { header(2) + $0.dropFirst(5) }
        let found = report(store.entries)
        let wanted: [StorageKey] = ["core/keyring", "core/upgrade/2", "logical/a/late", "logical/a/later"]
        #expect(found.suspicions == [.init(damage: .wrongTerm, entries: 4, first: wanted)], "\(found.lines)")
    }

    // MARK: Who can run on it

    private static let names: [(there: [String], gone: StorageKey?, says: String?)] = [
        ([], nil, nil), (["core/versions/1.14.9", "core/versions/1.9.0"], nil, nil),
        (
            ["core/versions/1.14.9", "core/versions/1.15.1"], nil,
            "Vault 1.15 or later has run on the store (core/versions/1.15.1)"
        ),
        (["core/versions/2.0.0"], nil, nil),
        (["core/seal-gen-info"], nil, "Vault 1.15 or later has run on the store (core/seal"),
        (["core/versions/1.13.2+ent.hsm"], nil, "Vault Enterprise has run on the store (core/versions/1.13.2+ent.hsm)"),
        (["core/root-key"], "core/master", "wrote the store last"), (["core/root-key"], nil, nil),
        (["core/mounts/a"], "core/mounts", "an entry for each mount"), (["core/mounts/a"], nil, nil),
        (["namespaces/a/core/mounts"], nil, "(namespaces/a/core/mounts)"),
        (["namespaces/a/sys/x"], nil, "1 OpenBao namespace:"),
        (["index/pages/a"], nil, "Vault Enterprise's replication"),
    ]

    @Test(arguments: names)
    func namesTellWhichServersCanRunOnIt(_ there: [String], _ gone: StorageKey?, _ says: String?) {
        var store = SoundStore(seed: 2, secrets: 5)
        if let gone { store.remove(gone) }
        for key in there {
            store.add(key, key == "core/seal-gen-info" ? Array("{}".utf8) : store.envelope(3, 40))
        }
        let found = report(store.entries)
        #expect(found.isSound, "\(found.lines)")
        #expect(found.remarks.contains { $0.contains(says ?? "") } == (says != nil), "\(found.remarks)")
        if says == nil { #expect(found.remarks.isEmpty, "\(found.remarks)") }
    }

    // MARK: Namespaces and wraps

    @Test func namespacesWithASealHaveTermsOfTheirOwn() {
        var store = SoundStore(seed: 3, term: 2)
        store.add("namespaces/open/sys/a", store.envelope(2, 10))
        store.add("namespaces/open/core/mounts/u", store.envelope(1, 10))
        #expect(report(store.entries).isSound)
        // Whose keyring an open namespace uses is not known once another one has its own.
        store.add("namespaces/own/core/seal-config", store.envelope(2, 120))
        store.add(
            "namespaces/own/core/hsm/barrier-unseal-keys", [0x0a, 0x4c] + [UInt8](repeating: 9, count: 76) + [0x2a, 0])
        store.add("namespaces/own/core/keyring", store.envelope(1, 400))
        store.add("namespaces/own/core/root-key", store.envelope(6, 120))
        store.add("namespaces/own/core/shamir-kek", store.envelope(1, 32))
        store.add("namespaces/own/sys/a", store.envelope(6, 10))
        store.add("namespaces/open/sys/b", store.envelope(6, 10))
        let sound = report(store.entries)
        #expect(
            sound.isSound && sound.openNamespaces == 1 && sound.sealedNamespaces.map(\.id) == ["own"], "\(sound.lines)")
        #expect(sound.remarks.contains { $0.contains("key shares of their own: own.") })
        store.add("namespaces/own/sys/c", store.envelope(7, 10))
        store.add("namespaces/open/sys/d", store.envelope(7, 10))
        store.add("sys/e", store.envelope(3, 10))
        let found = report(store.entries)
        #expect(found.suspicions.map(\.damage) == [.wrongTerm])
        #expect(found.suspicions.first?.first == ["namespaces/open/sys/d", "namespaces/own/sys/c", "sys/e"])
    }

    @Test func sealWrappedEntriesAreToldApart() {
        var store = SoundStore(seed: 3, secrets: 10)
        let inner = store.envelope(2, 40)
        func blob(_ ciphertext: [UInt8], isWrapped: Bool) -> [UInt8] {
            [0x0a, UInt8(ciphertext.count)] + ciphertext + (isWrapped ? [0x20, 1] : []) + [UInt8(ascii: "s")]
        }
        store.add("logical/w/a", blob(inner, isWrapped: false))
        store.add("logical/w/b", blob([UInt8](repeating: 0xaa, count: 90), isWrapped: true))
        store.add("logical/w/c", Array("multiwrapvalue:1".utf8) + [0, 0, 0, 3, 8, 1, 2] + [UInt8(ascii: "s")])
        let found = report(store.entries)
        #expect(found.isSound, "\(found.lines)")
        #expect(found.sealWrapped == SealWrapCounts(inClear: 1, bySeal: 1, bySeveral: 1))
        #expect(found.remarks.contains { $0.contains("Vault Enterprise") })
        store.add("logical/w/d", blob([1, 2, 3], isWrapped: false))
        #expect(report(store.entries).suspicions.map(\.first) == [["logical/w/d"]])
    }

    @Test func whatServersKeepInClearIsNotSuspicious() {
        var store = SoundStore(seed: 3)
        let objects = ["core/unseal-keys-backup", "core/recovery-keys-backup", "core/seal-gen-info"]
        for key in objects { store.add(key, Array(#"{"Nonce":"x","Keys":{"a":["b"]}}"#.utf8)) }
        store.add("core/migration", Array("{\"start\":\"2026-01-01T00:00:00Z\"}\n".utf8))
        store.add("core/recovery-config", Array(#"{"type":"shamir","secret_shares":5,"secret_threshold":3}"#.utf8))
        store.add("core/recovery-key", [0x0a, 3, 1, 2, 3])
        for key in ["core/lock", "core/lock/694d", "core/initialize-lock"] { store.add(key, Array("3c1e-77aa".utf8)) }
        for key in ["wal/logs/0/1", "index/pages/2", "raftchunking/3/0"] { store.add(key, Array("{}".utf8)) }
        let found = report(store.entries)
        #expect(found.isSound && found.inClear == 11 && found.ofOtherForm == 3, "\(found.lines)")
        for key in objects { store.change(StorageKey(key)) { Array($0.dropLast()) } }
        #expect(report(store.entries).suspicions.map(\.damage) == [.unreadable])
        #expect(report(store.entries).suspicious == 3)
    }
}
