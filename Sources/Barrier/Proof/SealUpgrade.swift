import Digest
package import Storage

/// What makes a store of before Vault 1.3, whose shares are the root key itself, fit for today's servers, with the same shares:
/// `core/hsm/barrier-unseal-keys` with the root key sealed under itself, `stored_shares` 1 where `core/seal-config` has that
/// member, and no `core/shamir-kek` of another key.
///
/// The values are the same each time they are made of one store, so that a run that was cut off goes on with them. Nothing but
/// the one message is ever sealed under that key and nonce.
package struct SealUpgrade: Sendable {
    /// What any upgrade is about, in key order.
    package static let keys: [StorageKey] = [.storedRootKey, .sealConfiguration, .shamirKey]

    /// Entries that are added, or stand in place of what the store has; in key order.
    package let entries: [(key: StorageKey, value: [UInt8])]
    package let added: [StorageKey]
    package let changed: [StorageKey]
    package let removed: [StorageKey]

    private static let storedShares: StaticString = "stored_shares"

    /// - Throws: ``ProofFailure`` with code `.notShamir` for a store that has a root key of its own, `.damaged` for one of before
    ///   there were keyrings.
    package init(_ store: any StorageSource, _ barrier: OpenedBarrier) throws(ProofFailure) {
        switch barrier.form {
        case .legacy: break
        case .storedRootKey:
            throw ProofFailure(
                .notShamir,
                "The store has a root key of its own, as every store since Vault 1.3: there is nothing to upgrade. "
                    + "Leave out "
                    + "-upgrade-legacy-seal.")
        case .beforeKeyrings:
            throw ProofFailure(
                .damaged,
                "The store has barrier/init in place of core/keyring, as before Vault 0.3: OpenBao does not read "
                    + "that. Start a "
                    + "Vault up to 1.14 on it once and unseal it, which writes a keyring; then migrate.")
        }
        do {
            let stored = try Self.storedRootKey(store, barrier)
            var entries = [(key: StorageKey.storedRootKey, value: stored)]
            var changed: [StorageKey] = []
            if let configuration = try store.get(.sealConfiguration), let fit = Self.withStoredShare(configuration),
                fit != configuration
            {
                entries.append((.sealConfiguration, fit))
                changed.append(.sealConfiguration)
            }
            let isThere = barrier.hasStaleStoredKey
            self.entries = entries.sorted { $0.key < $1.key }
            added = isThere ? [] : [.storedRootKey]
            self.changed = (isThere ? [.storedRootKey] : []) + changed
            removed = try Self.isStaleShamirKey(store, barrier) ? [.shamirKey] : []
        } catch let error as StorageError {
            throw ProofFailure(error)
        } catch {
            throw ProofFailure(.system, "\(error)")
        }
    }

    /// A Shamir seal's blob: the message in field 1, an empty key info in field 5.
    private static func storedRootKey(_ store: any StorageSource, _ barrier: OpenedBarrier) throws -> [UInt8] {
        let plain = try json(barrier.keyring.rootKey)
        let nonce = try nonce(store.get(.keyring) ?? [])
        let cipher = try AESGCM(key: barrier.unsealKey, isForSealing: true)
        let sealed =
            nonce + (try plain.withBytes { (plain) throws(DigestError) in try cipher.seal(plain, nonce: nonce) })
        return [0x0a, UInt8(sealed.count)] + sealed + [0x2a, 0]
    }

    /// A JSON array with the key in base64.
    private static func json(_ key: SecretBytes) throws(DigestError) -> SecretBytes {
        let text = try SecretText.base64(of: key)
        let json = try SecretBytes(room: text.count + 4)
        json.withMutableBytes { room in
            text.withBytes { text in
                room.copyBytes(from: "[\"".utf8)
                UnsafeMutableRawBufferPointer(rebasing: room[2...]).copyMemory(from: text)
                UnsafeMutableRawBufferPointer(rebasing: room[(2 + text.count)...]).copyBytes(from: "\"]".utf8)
            }
        }
        return json
    }

    private static func nonce(_ keyring: [UInt8]) throws(DigestError) -> [UInt8] {
        let hasher = try SHA256Hasher()
        try Array("sealift legacy seal\n".utf8).withBytes { (bytes) throws(DigestError) in try hasher.update(bytes) }
        try keyring.withBytes { (bytes) throws(DigestError) in try hasher.update(bytes) }
        return Array(try hasher.finish().bytes.prefix(AESGCM.nonceBytes))
    }

    /// The seal's configuration with one stored share; as it is where it does not state any, `nil` where it is no JSON object.
    static func withStoredShare(_ configuration: [UInt8]) -> [UInt8]? {
        var range: Range<Int>?
        let isRead = configuration.withBytes { bytes in
            var json = SecretJSON(bytes)
            do throws(SecretJSON.Failure) {
                try json.members { (json, name) throws(SecretJSON.Failure) in
                    _ = try json.kind()
                    let start = json.place
                    try json.skip()
                    if SecretJSON.isName(name, storedShares) { range = start..<json.place }
                }
                return true
            } catch {
                return false
            }
        }
        guard isRead else { return nil }
        guard let range else { return configuration }
        var fit = configuration
        fit.replaceSubrange(range, with: [UInt8(ascii: "1")])
        return fit
    }

    private static func isStaleShamirKey(_ store: any StorageSource, _ barrier: OpenedBarrier) throws -> Bool {
        guard let value = try store.get(.shamirKey) else { return false }
        let plain = try value.withBytes { (value) throws(DigestError) in
            try StorageKey.shamirKey.bytes.withBytes { (key) throws(DigestError) in try barrier.open(value, under: key)
            }
        }
        return plain?.isEqual(to: barrier.unsealKey) != true
    }
}
