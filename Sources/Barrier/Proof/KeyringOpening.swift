import Digest
import Storage

/// The way from the key that the shares make up to the keyring (Vault 1.14 `vault/core.go`, `vault/barrier_aes_gcm.go`).
struct KeyringOpening {
    static let initialKeyring: StorageKey = "barrier/init"
    /// Copies of the root key: OpenBao has written the first since 2025 and removes the second, which all others write.
    private static let rootKeyCopies: [StorageKey] = ["core/root-key", "core/master"]

    let form: OpenedBarrier.Form
    let hasStaleStoredKey: Bool
    let keyring: BarrierKeyring

    init(_ store: any StorageSource, _ seal: SealDescription, _ unsealKey: SecretBytes) throws {
        let keyringEntry = try Self.keyringEntry(of: store)
        let cipher = try AESGCM(key: unsealKey)
        guard let stored = try store.get(.storedRootKey) else {
            guard let keyring = try Self.keyring(keyringEntry, cipher, unsealKey) else {
                if let lost = Self.lostStoredKey(seal) { throw ProofFailure(.damaged, "\(lost) Nothing was proven.") }
                throw ProofFailure(
                    .shares,
                    "The key shares are wrong, or too few, or \(keyringEntry.key) is damaged: a store of before Vault "
                        + "1.3 tells "
                        + "no more. Give all shares again; if they are right, restore the entry from a backup.")
            }
            (form, hasStaleStoredKey) = (keyringEntry.key == .keyring ? .legacy : .beforeKeyrings, false)
            self.keyring = keyring
            return
        }
        let storedKey = try Self.storedKey(stored, cipher)
        if let rootKey = storedKey.key {
            guard let keyring = try Self.keyring(keyringEntry, try AESGCM(key: rootKey), rootKey) else {
                throw ProofFailure(
                    .damaged,
                    "The key shares are right: they open core/hsm/barrier-unseal-keys. But \(keyringEntry.key) does "
                        + "not open with "
                        + "the root key in it: it is damaged, or of another store. Without it no server decrypts "
                        + "anything: "
                        + "restore it from a backup of this store.")
            }
            (form, hasStaleStoredKey) = (.storedRootKey, false)
            self.keyring = keyring
            return
        }
        // A server that never took up what it had stored.
        if let keyring = try Self.keyring(keyringEntry, cipher, unsealKey) {
            (form, hasStaleStoredKey) = (keyringEntry.key == .keyring ? .legacy : .beforeKeyrings, true)
            self.keyring = keyring
            return
        }
        guard storedKey.isSealed else {
            throw ProofFailure(
                .damaged,
                "core/hsm/barrier-unseal-keys is damaged: it has not the form that a server writes, so that the key "
                    + "shares open "
                    + "nothing. Restore it from a backup.")
        }
        throw ProofFailure(
            .shares,
            "The key shares do not open the store: one of them is wrong, they are of another store or of before a "
                + "rekey, or "
                + "core/hsm/barrier-unseal-keys is damaged. Nothing was proven.")
    }

    /// What is said of a store that had a root key of its own, and has lost the entry with it; `nil` for any other.
    private static func lostStoredKey(_ seal: SealDescription) -> String? {
        seal.rootKey == .missing ? seal.rootKeyRemark : nil
    }

    private static func keyringEntry(of store: any StorageSource) throws -> (key: StorageKey, value: [UInt8]) {
        for key in [StorageKey.keyring, initialKeyring] {
            if let value = try store.get(key) { return (key, value) }
        }
        throw ProofFailure(
            .damaged,
            "\(OpenedBarrier.place(store)) has no core/keyring, with which all else is encrypted: no entry can be "
                + "proven, and no "
                + "server decrypts any. Restore it from a backup of this store.")
    }

    /// - Returns: The root key, and whether the entry has the form of one that the shares seal.
    private static func storedKey(_ value: [UInt8], _ cipher: AESGCM) throws -> (key: SecretBytes?, isSealed: Bool) {
        guard let blob = SealedBlob(value), blob.ciphertext.count >= AESGCM.nonceBytes + AESGCM.tagBytes else {
            return (nil, false)
        }
        let plain = try blob.ciphertext.withBytes { (bytes) throws(DigestError) -> SecretBytes? in
            guard let message = sealed(bytes) else { return nil }
            return try cipher.open(message)
        }
        guard let plain else { return (nil, true) }
        guard let key = try BarrierKeyring.storedKey(plain) else {
            throw ProofFailure(
                .damaged,
                "core/hsm/barrier-unseal-keys opens with the key shares and does not hold the one root key it must.")
        }
        return (key, true)
    }

    /// The message in the blob of a Shamir seal: its nonce stands before the ciphertext, and it has no additional data.
    static func sealed(_ ciphertext: UnsafeRawBufferPointer) -> AESGCM.Sealed? {
        guard ciphertext.count >= AESGCM.nonceBytes else { return nil }
        return AESGCM.Sealed(
            nonce: UnsafeRawBufferPointer(rebasing: ciphertext[..<AESGCM.nonceBytes]),
            additional: UnsafeRawBufferPointer(start: nil, count: 0),
            bodyAndTag: UnsafeRawBufferPointer(rebasing: ciphertext[AESGCM.nonceBytes...]))
    }

    /// - Returns: `nil` if the entry does not open with the root key.
    private static func keyring(
        _ entry: (key: StorageKey, value: [UInt8]), _ cipher: AESGCM, _ rootKey: SecretBytes
    ) throws -> BarrierKeyring? {
        guard entry.value.withBytes({ BarrierEnvelope($0)?.term }) == 1,
            let plain = try cipher.openEnvelope(entry.value, under: entry.key)
        else { return nil }
        if entry.key == initialKeyring {
            guard let key = try BarrierKeyring.initialKey(plain) else { throw strange(entry.key) }
            return BarrierKeyring(only: key, rootKey: rootKey)
        }
        guard let keyring = try BarrierKeyring(plain) else { throw strange(entry.key) }
        guard keyring.rootKey.isEqual(to: rootKey) else {
            throw ProofFailure(
                .damaged,
                "core/keyring names another root key than the one that opens it: it was not written by a server.")
        }
        return keyring
    }

    private static func strange(_ key: StorageKey) -> ProofFailure {
        ProofFailure(.damaged, "\(key) opens with the key shares and holds no keyring: it was not written by a server.")
    }

    /// What a server would find only when it is too late: copies of keys that are not those in use.
    static func contradictions(
        _ store: any StorageSource, _ seal: SealDescription, _ opening: KeyringOpening, _ unsealKey: SecretBytes
    ) throws -> [String] {
        let keyring = opening.keyring
        func plain(_ key: StorageKey, _ value: [UInt8]) throws -> SecretBytes? {
            let term = value.withBytes { BarrierEnvelope($0)?.term }
            guard let found = keyring.terms.first(where: { $0.term == term }) else { return nil }
            return try AESGCM(key: found.key).openEnvelope(value, under: key)
        }
        // The shares open the keyring, and no server tries that: its configuration says that there is a stored key.
        var found = [lostStoredKey(seal)].compactMap(\.self)
        var isFirst = true
        for key in rootKeyCopies {
            guard let value = try store.get(key) else { continue }
            // What does not open is named when its turn comes.
            if let plain = try plain(key, value) {
                if try BarrierKeyring.onlyKey(plain)?.isEqual(to: keyring.rootKey) != true {
                    found.append("\(key) holds another root key than the one that opens core/keyring.")
                } else if isFirst, let term = value.withBytes({ BarrierEnvelope($0)?.term }), term != keyring.activeTerm
                {
                    found.append(
                        "\(key) is encrypted in term \(term), and the keyring's active term is \(keyring.activeTerm): "
                            + "the two "
                            + "are of different times.")
                }
            }
            isFirst = false
        }
        if let value = try store.get(.shamirKey), let plain = try plain(.shamirKey, value),
            !plain.isEqual(to: unsealKey)
        {
            found.append("core/shamir-kek holds another key than the shares make up: it is of before a rekey.")
        }
        return found
    }
}
