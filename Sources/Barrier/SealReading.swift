package import Storage

/// What a store says in clear about its seal: gathered from point reads or while its entries pass, and then judged.
package struct SealReading: Sendable {
    /// `core/seal-config`; `nil` if there is none.
    var configuration: [UInt8]?
    /// `core/hsm/barrier-unseal-keys`; `nil` if there is none.
    var storedRootKey: [UInt8]?
    /// Whether `core/keyring` is there.
    var hasKeyring = false
    /// Whether `core/shamir-kek` is there.
    var hasShamirKey = false
    /// Whether `barrier/init` is there.
    var hasFirstKeyring = false

    private static let longestKeyID = 256

    init() {}

    /// The seal of a store, from few point reads.
    ///
    /// - Returns: `nil` if there is no `core/seal-config`, or none that can be understood.
    /// - Throws: What the store throws: an entry that cannot be read is not one that is missing.
    package static func read(_ store: any StorageSource) throws(StorageError) -> SealDescription? {
        try read { (key) throws(StorageError) in try store.get(key) }
    }

    /// The same from whatever gives the value of a key.
    package static func read<Failure: Error>(
        _ value: (StorageKey) throws(Failure) -> [UInt8]?
    ) throws(Failure) -> SealDescription? {
        var reading = SealReading()
        reading.configuration = try value(.sealConfiguration)
        guard let bytes = reading.configuration, let configuration = SealConfiguration(bytes) else { return nil }
        reading.storedRootKey = try value(.storedRootKey)
        // The others only tell what kind of store it is that has no stored root key.
        if reading.storedRootKey == nil {
            reading.hasKeyring = try value(.keyring) != nil
            if reading.hasKeyring {
                reading.hasShamirKey = try value(.shamirKey) != nil
            } else {
                reading.hasFirstKeyring = try value(.firstKeyring) != nil
            }
        }
        return reading.description(configuration)
    }

    /// Adds what was gathered elsewhere in the store.
    mutating func merge(_ other: SealReading) {
        configuration = configuration ?? other.configuration
        storedRootKey = storedRootKey ?? other.storedRootKey
        hasKeyring = hasKeyring || other.hasKeyring
        hasShamirKey = hasShamirKey || other.hasShamirKey
        hasFirstKeyring = hasFirstKeyring || other.hasFirstKeyring
    }

    /// What was gathered; `nil` if there is no configuration, or none that can be read.
    var description: SealDescription? {
        guard let configuration, let parsed = SealConfiguration(configuration) else { return nil }
        return description(parsed)
    }

    private func description(_ configuration: SealConfiguration) -> SealDescription {
        guard configuration.kind == "shamir" else {
            let keyID = storedRootKey.flatMap { SealedBlob($0)?.keyID }
            return SealDescription(
                type: configuration.kind, shares: nil, threshold: nil,
                keyID: keyID.flatMap { $0.utf8.count <= Self.longestKeyID && isPrintableWord($0) ? $0 : nil },
                rootKey: storedRootKey == nil && hasKeyring ? .missing : .stored, fault: configuration.fault)
        }
        let isSound = configuration.hasSoundShares
        return SealDescription(
            type: configuration.kind, shares: isSound ? configuration.secretShares : nil,
            threshold: isSound ? configuration.secretThreshold : nil, rootKey: rootKey(configuration),
            fault: configuration.fault)
    }

    /// How a store with key shares keeps its root key.
    ///
    /// | `core/hsm/barrier-unseal-keys` | `stored_shares` | `core/shamir-kek` | |
    /// | --- | --- | --- | --- |
    /// | there | 0 | | perhaps stale: Vault goes by the number, OpenBao by the entry |
    /// | there | 1 or absent | | stored |
    /// | absent | 1 | | missing |
    /// | absent | absent | there | missing: OpenBao writes no number, and the key came with the entry |
    /// | absent | absent | absent | legacy |
    /// | absent | 0 | | legacy; a key that is there is a left-over |
    private func rootKey(_ configuration: SealConfiguration) -> SealDescription.RootKey {
        guard storedRootKey == nil else { return configuration.storedShares == 0 ? .perhapsStale : .stored }
        // A store without any keyring is none whose seal matters.
        guard hasKeyring else { return hasFirstKeyring ? .beforeKeyring : .stored }
        if let stored = configuration.storedShares { return stored == 0 ? .legacy : .missing }
        return hasShamirKey ? .missing : .legacy
    }
}
