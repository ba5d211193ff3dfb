import Storage
import TestSupport
import Testing

@testable import Barrier

/// How a store keeps its root key, from names and the configuration.
@Suite struct SealReadingTests {
    private static let blob: StorageKey = "core/hsm/barrier-unseal-keys"
    private static let kek: StorageKey = "core/shamir-kek"

    /// Entries that are there, the configuration's number of stored shares, and what that means.
    private static let cases: [(there: [StorageKey], stored: Int?, rootKey: SealDescription.RootKey, says: String?)] = [
        ([.keyring, blob, kek], 1, .stored, nil), ([.keyring, blob, kek], nil, .stored, nil),
        ([.keyring, blob], 1, .stored, nil), ([.keyring], nil, .legacy, "invalid key size 0"),
        ([.keyring], 0, .legacy, "invalid key size 0"),
        // What came with a stored key stays behind a restore of an old entry.
        ([.keyring, kek], 0, .legacy, "invalid key size 0"),
        ([.keyring, kek], nil, .missing, "Take the entry from a backup"),
        ([.keyring], 1, .missing, "Take the entry from a backup"),
        ([.keyring, blob], 0, .perhapsStale, "passes over that entry"),
        ([.keyring, blob, kek], 0, .perhapsStale, "passes over that entry"),
        ([.firstKeyring], nil, .beforeKeyring, "barrier/init"),
        ([.firstKeyring, .keyring], 0, .legacy, "invalid key size 0"),
        ([], nil, .stored, nil),
    ]

    @Test(arguments: cases)
    func theRootKeyIsFound(
        _ there: [StorageKey], _ stored: Int?, _ rootKey: SealDescription.RootKey, _ says: String?
    ) throws {
        let shares = stored.map { ",\"stored_shares\":\($0)" } ?? ""
        let configuration = #"{"type":"shamir","secret_shares":5,"secret_threshold":3\#(shares)}"#
        var store = SoundStore(seed: 1, secrets: 0)
        var entries = [Entry(.sealConfiguration, Array(configuration.utf8))]
        for key in there {
            entries.append(
                Entry(
                    key,
                    key == Self.blob
                        ? [0x0a, 0x4c] + Array(repeating: 1, count: 76) + [0x2a, 0] : store.envelope(1, 32)))
        }
        let found = try #require(report(entries).seal)
        #expect(found.rootKey == rootKey && found.isLegacy == (rootKey == .legacy))
        #expect(found.remarks.count == (says == nil ? 0 : 1))
        if let says { #expect(found.remarks.first?.contains(says) == true, "\(found.remarks)") }
    }

    private static let types: [(type: String, says: String?)] = [
        ("shamir", nil), ("transit", nil), ("awskms", "OpenBao 2.7 does not start without a plugin"),
        ("alicloudkms", "OpenBao 2.7 does not start without a plugin"), ("pkcs11", "OpenBao 2.6 and 2.7"),
        ("aead", "OpenBao 2.6 and 2.7"), ("hsm-auto", "Vault Enterprise"), ("multiseal", "several seals"),
        ("static", "Vault does not know"), ("kmip", "OpenBao 2.7 has built in"), ("fortanix", "a plugin of that name"),
    ]

    @Test(arguments: types)
    func theNextServerMustKnowTheSeal(_ type: String, _ says: String?) {
        let remarks = SealDescription(type: type, shares: nil, threshold: nil).remarks
        #expect(remarks.count == (says == nil ? 0 : 1))
        if let says { #expect(remarks.first?.contains(says) == true, "\(remarks)") }
    }
}
