import Digest
package import Storage

/// A store's barrier, opened with key shares: what is needed to tell whether an entry is as a server wrote it, under the name
/// that it was written under. Nothing of it can be printed, and all of it is overwritten when it is gone.
package final class OpenedBarrier: Sendable {
    /// How the shares lead to the keyring.
    package enum Form: Sendable, Equatable {
        /// By a root key that is stored under the shares' key (Vault 1.3 and later).
        case storedRootKey
        /// The shares make up the root key itself.
        case legacy
        /// The same, and `barrier/init` stands in place of a keyring (before Vault 0.3).
        case beforeKeyrings
    }

    package let form: Form
    package let seal: SealDescription
    /// Whether `core/hsm/barrier-unseal-keys` is there and of no use: a server of before had been about to change its seal.
    package let hasStaleStoredKey: Bool
    /// What is authentic and contradicts what the shares say; sentences with the key's name.
    package let contradictions: [String]
    let unsealKey: SecretBytes
    let keyring: BarrierKeyring
    let namespaces: NamespaceSeals

    /// Looks whether shares can open a store at all, before anybody is asked for any.
    ///
    /// - Returns: How many there are, and are needed.
    /// - Throws: ``ProofFailure`` with code `.notShamir` for one that unseals itself, `.damaged` for one that is none, `.store` if
    ///   it cannot be read.
    package static func seal(of store: any StorageSource) throws(ProofFailure) -> SealDescription {
        let seal: SealDescription?
        var isThere = true
        do throws(StorageError) {
            seal = try SealReading.read(store)
            if seal == nil { isThere = try store.get(.sealConfiguration) != nil }
        } catch {
            throw ProofFailure(error)
        }
        guard let seal else {
            throw ProofFailure(
                .damaged,
                isThere
                    ? "\(place(store)): core/seal-config cannot be understood, so that nobody can tell how many key "
                        + "shares there "
                        + "are. Restore it from a backup."
                    : "\(place(store)) has no core/seal-config: it is not the store of an initialised Vault or "
                        + "OpenBao. Check its "
                        + "path and options.")
        }
        guard !seal.unsealsItself else {
            throw ProofFailure(
                .notShamir,
                "The store is sealed with \(seal.type), and unseals itself with a key that is not in it. Recovery "
                    + "keys decrypt "
                    + "nothing and prove nothing. Compare it by content instead: sealift check.")
        }
        guard seal.shares != nil, seal.threshold != nil else {
            throw ProofFailure(
                .damaged,
                "\(place(store)): core/seal-config states an impossible number of key shares. Restore it from a backup."
            )
        }
        return seal
    }

    static func place(_ store: any StorageSource) -> String { "\(store.kind) \(store.location)" }

    /// Opens a store's barrier: the steps of a server that is unsealed, and the cross-checks that it leaves out.
    ///
    /// - Throws: ``ProofFailure``: `.shares` if they are too few or wrong, `.damaged` if they are right and what they open is
    ///   not, `.store` if the store cannot be read.
    package init(_ store: any StorageSource, _ shares: KeyShares) throws(ProofFailure) {
        seal = try Self.seal(of: store)
        unsealKey = try shares.key(threshold: seal.threshold ?? 1)
        do {
            let opening = try KeyringOpening(store, seal, unsealKey)
            form = opening.form
            hasStaleStoredKey = opening.hasStaleStoredKey
            keyring = opening.keyring
            contradictions = try KeyringOpening.contradictions(store, seal, opening, unsealKey)
            namespaces = try NamespaceSeals(store)
        } catch let error as ProofFailure {
            throw error
        } catch let error as StorageError {
            throw ProofFailure(error)
        } catch {
            throw ProofFailure(.system, "\(error)")
        }
    }

    /// The term that the store's server encrypts with.
    package var activeTerm: UInt32 { keyring.activeTerm }

    /// Terms of the keyring, ascending.
    package var terms: [UInt32] { keyring.terms.map(\.term) }

    /// The plaintext of an entry, in memory that is overwritten; `nil` if it is not authentic.
    func open(_ value: UnsafeRawBufferPointer, under key: UnsafeRawBufferPointer) throws(DigestError) -> SecretBytes? {
        guard let envelope = BarrierEnvelope(value),
            let found = keyring.terms.first(where: { $0.term == envelope.term })
        else {
            return nil
        }
        return try AESGCM(key: found.key).openEnvelope(envelope, value, under: key)
    }
}

extension AESGCM {
    /// What stands behind a value's header, as a message.
    static func message(
        _ envelope: BarrierEnvelope, _ value: UnsafeRawBufferPointer, under key: UnsafeRawBufferPointer
    ) -> Sealed? {
        Sealed(
            nonce: UnsafeRawBufferPointer(rebasing: value[BarrierEnvelope.nonceOffset..<BarrierEnvelope.bodyOffset]),
            additional: envelope.version == 2 ? key : UnsafeRawBufferPointer(start: nil, count: 0),
            bodyAndTag: UnsafeRawBufferPointer(rebasing: value[BarrierEnvelope.bodyOffset...]))
    }

    /// The plaintext of a value; `nil` if it is not authentic under that key's name.
    func openEnvelope(
        _ envelope: BarrierEnvelope, _ value: UnsafeRawBufferPointer, under key: UnsafeRawBufferPointer
    ) throws(DigestError) -> SecretBytes? {
        guard let message = Self.message(envelope, value, under: key) else { return nil }
        return try open(message)
    }

    /// The plaintext of a value that is held by name.
    func openEnvelope(_ value: [UInt8], under key: StorageKey) throws(DigestError) -> SecretBytes? {
        try value.withBytes { (value) throws(DigestError) in
            guard let envelope = BarrierEnvelope(value) else { return nil }
            return try key.bytes.withBytes { (key) throws(DigestError) in
                try openEnvelope(envelope, value, under: key)
            }
        }
    }
}
