import Digest
import Foundation
package import Storage
import TestSupport

@testable package import Barrier

/// What a test does to a store's barrier with its keys.
extension OpenedBarrier {
    /// A value as a server would write it: in the active term, authenticated with its key.
    package func seal(_ plain: [UInt8], under key: StorageKey, nonce seed: Int = 1) throws -> [UInt8] {
        guard let last = keyring.terms.last else { throw ProofFailure(.damaged, "no terms") }
        return try Self.seal(plain, under: key, with: last.key, term: last.term, nonce: seed)
    }

    fileprivate static func seal(
        _ plain: [UInt8], under key: StorageKey, with secret: SecretBytes, term: UInt32, nonce seed: Int
    ) throws -> [UInt8] {
        var random = SeededRandom(seed &+ key.bytes.count &* 7919)
        let nonce = random.bytes(AESGCM.nonceBytes)
        let head = withUnsafeBytes(of: term.bigEndian) { Array($0) } + [2] + nonce
        let cipher = try AESGCM(key: secret, isForSealing: true)
        return head + (try plain.withUnsafeBytes { try cipher.seal($0, nonce: nonce, additional: key.bytes) })
    }

    /// The plaintext of an entry.
    package func plaintext(_ value: [UInt8], under key: StorageKey) throws -> [UInt8]? {
        try value.withUnsafeBytes { value in
            try key.bytes.withUnsafeBytes { key in try open(value, under: key)?.withBytes { Array($0) } }
        }
    }

    /// Everything that must be found nowhere: the keys, as bytes.
    package var secrets: [[UInt8]] {
        ([unsealKey, keyring.rootKey] + keyring.terms.map(\.key)).map { $0.withBytes { Array($0) } }
    }

    /// Makes of a store one as those of before Vault 1.3 are: the key that the shares make up is the root key itself.
    ///
    /// - Parameter storedShares: Whether `core/seal-config` gets the member `stored_shares`, as 0.
    package static func makeLegacy(
        _ store: any KeyValueStore, _ shares: KeyShares, storedShares: Bool = true
    ) throws {
        let barrier = try OpenedBarrier(store, shares)
        let key = Data(barrier.unsealKey.withBytes { Array($0) }).base64EncodedString()
        guard let sealed = try store.get(.keyring), let envelope = sealed.withBytes({ BarrierEnvelope($0) }) else {
            throw ProofFailure(.damaged, "no keyring")
        }
        let plain = try AESGCM(key: barrier.keyring.rootKey).openEnvelope(sealed, under: .keyring)?.withBytes {
            Array($0)
        }
        var ring = try JSONSerialization.jsonObject(with: Data(plain ?? [])) as? [String: Any] ?? [:]
        ring["MasterKey"] = key
        let newRing = try JSONSerialization.data(withJSONObject: ring, options: .withoutEscapingSlashes)
        try store.put(
            .keyring,
            try seal(Array(newRing), under: .keyring, with: barrier.unsealKey, term: envelope.term, nonce: 3))
        let copy = #"{"Term":1,"Version":1,"Value":"\#(key)","InstallTime":"0001-01-01T00:00:00Z"}"#
        for name in [StorageKey("core/master"), "core/root-key"] where try store.get(name) != nil {
            try store.put(name, try barrier.seal(Array(copy.utf8), under: name, nonce: 4))
        }
        try store.delete(.storedRootKey)
        try store.delete(.shamirKey)
        guard storedShares else { return }
        let text = try store.get(.sealConfiguration) ?? []
        var seal = try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any] ?? [:]
        seal["stored_shares"] = 0
        try store.put(.sealConfiguration, Array(try JSONSerialization.data(withJSONObject: seal, options: .sortedKeys)))
    }
}

/// Authenticates one entry.
package func verdict(_ barrier: OpenedBarrier, _ key: StorageKey, _ value: [UInt8]) throws -> ProofVerdict {
    let authenticator = try EntryAuthenticator(barrier)
    return try value.withUnsafeBytes { value in
        try key.bytes.withUnsafeBytes { try authenticator.proof(of: value, under: $0).verdict }
    }
}
