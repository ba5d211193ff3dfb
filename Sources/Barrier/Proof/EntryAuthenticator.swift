package import Digest
import Storage

/// What a proof found of one entry.
package enum ProofVerdict: UInt8, Sendable, CaseIterable {
    /// It is as a server wrote it, under the name that it was written under.
    case authenticated
    /// Of those that servers do not encrypt with the barrier: there is nothing to prove.
    case plain
    /// Its bytes or its name are not what was written.
    case failed
    /// The keyring has no key for its term.
    case unknownTerm
    /// It has not the form of an encrypted entry.
    case noEnvelope
    /// Its key is not at hand: a seal or a namespace of its own.
    case notCheckable

    /// Whether the entry is lost, or was put there by somebody else.
    package var isBad: Bool { self == .failed || self == .unknownTerm || self == .noEnvelope }

    /// In a few words.
    package var text: String {
        switch self {
        case .authenticated: "authenticated"
        case .plain: "not encrypted by the barrier"
        case .failed: "failed: bytes or name are not what was written"
        case .unknownTerm: "no key for its term"
        case .noEnvelope: "not the form of an encrypted entry"
        case .notCheckable: "not checkable"
        }
    }

    /// For programs.
    package var name: String {
        switch self {
        case .authenticated: "authenticated"
        case .plain: "plain"
        case .failed: "failed"
        case .unknownTerm: "unknown_term"
        case .noEnvelope: "no_envelope"
        case .notCheckable: "not_checkable"
        }
    }
}

/// A verdict, and the term in the entry's header; 0 where it has none.
package struct EntryProof: Sendable, Equatable {
    package let verdict: ProofVerdict
    package let term: UInt32
    /// Whether the entry is authentic under any name: version 1 of the barrier's envelope does not authenticate it.
    package let isNameUnbound: Bool

    package init(_ verdict: ProofVerdict, term: UInt32 = 0, isNameUnbound: Bool = false) {
        self.verdict = verdict
        self.term = term
        self.isNameUnbound = isNameUnbound
    }

    /// Of an entry that was tried under its name.
    init(isAuthentic: Bool, _ envelope: BarrierEnvelope) {
        self.init(
            isAuthentic ? .authenticated : .failed, term: envelope.term,
            isNameUnbound: isAuthentic && envelope.version == 1)
    }
}

/// Authenticates entries, one after the other. What is decrypted for that goes through one piece of locked memory and is
/// overwritten entry by entry. For one thread at a time.
package final class EntryAuthenticator {
    private let barrier: OpenedBarrier
    private let scratch: SecretBytes
    /// One for each term, made when it is met.
    private var ciphers: [UInt32: AESGCM] = [:]
    /// The last term and its cipher: most entries have the same. No entry has the term 0.
    private var lastTerm: UInt32 = 0
    private var lastCipher: AESGCM?

    /// - Throws: ``DigestError`` if the library offers no AES-GCM.
    package init(_ barrier: OpenedBarrier) throws(DigestError) {
        self.barrier = barrier
        scratch = try SecretBytes(room: AESGCM.scratchBytes)
        // What fails, fails before the first entry.
        _ = try turn(to: barrier.activeTerm)
    }

    /// What becomes of an entry.
    ///
    /// - Throws: ``DigestError`` if the library refuses.
    package func proof(
        of value: UnsafeRawBufferPointer, under key: UnsafeRawBufferPointer
    ) throws(DigestError) -> EntryProof {
        switch SpecialEntry(key) {
        case nil: return try ordinary(value, under: key)
        case .plain: return EntryProof(.plain)
        case .keyring: return try withRootKey(value, under: key)
        case .storedKey: return try storedKey(value)
        case .perhaps:
            let proof = try ordinary(value, under: key)
            return proof.verdict == .authenticated ? proof : EntryProof(.notCheckable, term: proof.term)
        case .namespace:
            guard let (id, rest) = NamespaceSeals.parts(key) else { return try ordinary(value, under: key) }
            if SpecialEntry.isSealOfNamespace(rest) { return EntryProof(.notCheckable) }
            let proof = try ordinary(value, under: key)
            guard proof.verdict != .authenticated, !barrier.namespaces.isRooted(id) else { return proof }
            return EntryProof(.notCheckable, term: proof.term)
        }
    }

    private func ordinary(
        _ value: UnsafeRawBufferPointer, under key: UnsafeRawBufferPointer
    ) throws(DigestError) -> EntryProof {
        guard let envelope = BarrierEnvelope(value) else { return try sealWrapped(value, under: key) }
        if envelope.term != lastTerm {
            guard try turn(to: envelope.term) else { return EntryProof(.unknownTerm, term: envelope.term) }
        }
        guard let lastCipher else { return EntryProof(.unknownTerm, term: envelope.term) }
        guard let message = AESGCM.message(envelope, value, under: key) else { return EntryProof(.noEnvelope) }
        return EntryProof(isAuthentic: lastCipher.isAuthentic(message, scratch: scratch), envelope)
    }

    /// Takes up the cipher of another term.
    ///
    /// - Returns: Whether the keyring has a key for it.
    private func turn(to term: UInt32) throws(DigestError) -> Bool {
        if let cipher = ciphers[term] {
            lastCipher = cipher
        } else {
            guard let found = barrier.keyring.terms.first(where: { $0.term == term }) else { return false }
            lastCipher = try AESGCM(key: found.key)
            ciphers[term] = lastCipher
        }
        lastTerm = term
        return true
    }

    private func withRootKey(
        _ value: UnsafeRawBufferPointer, under key: UnsafeRawBufferPointer
    ) throws(DigestError) -> EntryProof {
        guard let envelope = BarrierEnvelope(value), let message = AESGCM.message(envelope, value, under: key) else {
            return EntryProof(.noEnvelope)
        }
        guard envelope.term == 1 else { return EntryProof(.failed, term: envelope.term) }
        return EntryProof(
            isAuthentic: try AESGCM(key: barrier.keyring.rootKey).isAuthentic(message, scratch: scratch), envelope)
    }

    private func storedKey(_ value: UnsafeRawBufferPointer) throws(DigestError) -> EntryProof {
        guard barrier.form == .storedRootKey else { return EntryProof(.notCheckable) }
        guard let blob = SealedBlob(Array(value)) else { return EntryProof(.noEnvelope) }
        let isAuthentic = try blob.ciphertext.withBytes { (bytes) throws(DigestError) -> Bool in
            guard let message = KeyringOpening.sealed(bytes) else { return false }
            return try AESGCM(key: barrier.unsealKey).isAuthentic(message, scratch: scratch)
        }
        return EntryProof(isAuthentic ? .authenticated : .failed)
    }

    /// What Vault Enterprise puts around an entry: a message with the letter `s` behind it, encrypted by the seal or not.
    private func sealWrapped(
        _ value: UnsafeRawBufferPointer, under key: UnsafeRawBufferPointer
    ) throws(DigestError) -> EntryProof {
        // Of several seals; what lies within may be encrypted by any of them.
        if value.starts(with: "multiwrapvalue:1".utf8) { return EntryProof(.notCheckable) }
        guard value.last == UInt8(ascii: "s"), value.first == 0x0a, let blob = SealedBlob(Array(value.dropLast()))
        else {
            return EntryProof(.noEnvelope)
        }
        guard !blob.isWrapped else { return EntryProof(.notCheckable) }
        return try blob.ciphertext.withBytes { (inner) throws(DigestError) in
            BarrierEnvelope(inner) == nil ? EntryProof(.noEnvelope) : try ordinary(inner, under: key)
        }
    }
}

/// Entries that are not encrypted like the others, by their names (Vault 1.14 and OpenBao 2.6 `vault/core.go`, `vault/seal.go`,
/// `vault/keyring.go`).
enum SpecialEntry {
    /// In clear, or of no use to anybody.
    case plain
    /// Encrypted with the root key.
    case keyring
    /// The root key under the key of the shares.
    case storedKey
    /// Encrypted perhaps: what integrated storage keeps of entries under way, and records of Enterprise's replication.
    case perhaps
    /// Of a namespace, which may have a keyring of its own.
    case namespace

    private static let plainKeys: [StorageKey] = [
        .sealConfiguration, .migrationMarker, .activeNodeLock, "core/recovery-config", "core/unseal-keys-backup",
        "core/recovery-keys-backup", "core/seal-gen-info", "core/initialize-lock", "core/hsm/iv",
    ]
    private static let perhapsFolders = ["raftchunking/", "wal/", "index/", "index-dr/"]
    private static let recoveryKey: StorageKey = "core/recovery-key"

    /// - Returns: `nil` for any ordinary entry.
    init?(_ key: UnsafeRawBufferPointer) {
        switch key.first {
        case UInt8(ascii: "c"):
            guard key.starts(with: "core/".utf8) else { return nil }
            if Self.isKey(key, .keyring) {
                self = .keyring
            } else if Self.isKey(key, .storedRootKey) {
                self = .storedKey
            } else if Self.isKey(key, Self.recoveryKey) {
                self = .perhaps
            } else if Self.plainKeys.contains(where: { Self.isKey(key, $0) }) {
                self = .plain
            } else {
                return nil
            }
        case UInt8(ascii: "b"):
            guard Self.isKey(key, KeyringOpening.initialKeyring) else { return nil }
            self = .keyring
        case UInt8(ascii: "n"):
            guard key.starts(with: NamespaceSeals.folder.utf8) else { return nil }
            self = .namespace
        case UInt8(ascii: "r"), UInt8(ascii: "w"), UInt8(ascii: "i"):
            guard Self.perhapsFolders.contains(where: { key.starts(with: $0.utf8) }) else { return nil }
            self = .perhaps
        default: return nil
        }
    }

    private static func isKey(_ key: UnsafeRawBufferPointer, _ known: StorageKey) -> Bool {
        key.count == known.bytes.count && key.elementsEqual(known.bytes)
    }

    /// Whether an entry of a namespace, by what follows its id, belongs to a seal of the namespace's own.
    static func isSealOfNamespace(_ rest: UnsafeRawBufferPointer) -> Bool {
        isKey(rest, .keyring) || isKey(rest, .storedRootKey)
    }
}
