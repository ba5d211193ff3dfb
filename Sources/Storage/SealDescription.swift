/// How a store is sealed, as far as it stands there in clear.
package struct SealDescription: Sendable, Equatable {
    /// `shamir`, or the service that unseals the server by itself: `awskms`, `transit`, …
    package let type: String
    /// Key shares there are; `nil` if that is not known.
    package let shares: Int?
    /// Key shares that are needed.
    package let threshold: Int?
    /// The key of the service that unseals the server, if it stands in clear.
    package let keyID: String?
    /// Whether the shares are the root key itself, as before Vault 1.3: OpenBao 2.2 and later do not unseal such a store.
    package let isLegacy: Bool

    package init(type: String, shares: Int?, threshold: Int?, keyID: String? = nil, isLegacy: Bool = false) {
        self.type = type
        self.shares = shares
        self.threshold = threshold
        self.keyID = keyID
        self.isLegacy = isLegacy
    }

    /// Whether a server unseals itself with the help of a service or a key file.
    package var unsealsItself: Bool { type != "shamir" }

    /// Seals that OpenBao 2.7 has no more without a plugin (tried on 2.7.2, which has shamir, transit, static, kmip).
    private static let pluginTypes: Set<String> = [
        "awskms", "gcpckms", "azurekeyvault", "ocikms", "alicloudkms", "pkcs11", "aead",
    ]

    /// In a few words, for a table.
    package var summary: String {
        guard unsealsItself else {
            let count =
                if let shares, let threshold { "\(threshold) of \(shares) key shares unseal it" } else {
                    "key shares unseal it"
                }
            return "shamir, \(count)"
        }
        return "\(type)\(keyID.map { ", key \($0)" } ?? ""): the server unseals itself"
    }

    /// What to know before a server is started on the store.
    package var remarks: [String] {
        if isLegacy {
            return [
                "The store has the key shares of before Vault 1.3 (no core/hsm/barrier-unseal-keys). Vault unseals it; "
                    + "OpenBao 2.2 and later do not. For OpenBao run `operator rekey` on the old server first, then migrate "
                    + "again."
            ]
        }
        guard Self.pluginTypes.contains(type) else { return [] }
        return [
            "The store is sealed with \(type). Vault and OpenBao up to 2.6 have it built in; OpenBao 2.7 does not start "
                + "without a plugin for it."
        ]
    }

    /// The step that gets the first server unsealed.
    package static func unsealStep(_ seal: SealDescription?) -> String {
        guard let seal else { return "Unseal it with the same key shares (or the same auto-unseal key) as before." }
        guard seal.unsealsItself else {
            guard let shares = seal.shares, let threshold = seal.threshold else {
                return "Unseal it with the same key shares as before."
            }
            return shares == 1
                ? "Unseal it with the same key share as before; there is one."
                : "Unseal it with \(threshold) of the \(shares) key shares, which are the same as before."
        }
        let key = seal.keyID.map { " (key \($0))" } ?? ""
        return
            "Carry the stanza seal \"\(seal.type)\"\(key) over as it is, with the access to its key: the server unseals "
            + "itself. Recovery keys do not unseal it."
    }

    /// How nodes that join get unsealed, behind the step that joins them.
    package static func joinStep(_ seal: SealDescription?) -> String {
        guard let seal else { return "" }
        return seal.unsealsItself
            ? " With the same seal stanza they unseal themselves." : " Unseal each with the same key shares."
    }
}
