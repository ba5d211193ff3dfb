/// How a store is sealed, as far as it stands there in clear.
package struct SealDescription: Sendable, Equatable {
    /// How a store with key shares keeps its root key, as far as names and configuration tell.
    package enum RootKey: String, Sendable {
        /// Sealed by the key that the shares make up: Vault 1.3 and later, and all stores of OpenBao.
        case stored
        /// The shares make up the root key itself, as before Vault 1.3: OpenBao 2.2 and later do not unseal such a store.
        case legacy
        /// The same, and the keyring is still that of the first releases, `barrier/init`.
        case beforeKeyring = "before keyring"
        /// It was stored, and the entry is gone.
        case missing
        /// Vault's configuration says that it is not stored, and an entry is there, which may be a left-over.
        case perhapsStale = "perhaps stale"
    }

    /// `shamir`, or the service that unseals the server by itself: `awskms`, `transit`, …
    package let type: String
    /// Key shares there are; `nil` if that is not known.
    package let shares: Int?
    /// Key shares that are needed.
    package let threshold: Int?
    /// The key of the service that unseals the server, if it stands in clear.
    package let keyID: String?
    /// How the root key is kept.
    package let rootKey: RootKey
    /// What is wrong with the configuration, in a sentence without its end; `nil` if it is one that servers accept.
    package let fault: String?

    /// Whether the shares are the root key itself, as before Vault 1.3, and a keyring is there.
    package var isLegacy: Bool { rootKey == .legacy }

    package init(
        type: String, shares: Int?, threshold: Int?, keyID: String? = nil, rootKey: RootKey = .stored,
        fault: String? = nil
    ) {
        self.type = type
        self.shares = shares
        self.threshold = threshold
        self.keyID = keyID
        self.rootKey = rootKey
        self.fault = fault
    }

    /// Whether a server unseals itself with the help of a service or a key file.
    package var unsealsItself: Bool { type != "shamir" }

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
        [fault.map { "core/seal-config is not as servers write it: \($0)." }, rootKeyRemark, typeRemark].compactMap {
            $0
        }
    }

    /// What to know of the way the root key is kept, before a server is started on the store.
    package var rootKeyRemark: String? {
        switch rootKey {
        case .stored: nil
        case .legacy:
            "The store has the key shares of before Vault 1.3 (no core/hsm/barrier-unseal-keys). Vault unseals it; "
                + "OpenBao 2.2 and later do not: they answer the last share with \"invalid key size 0\". For OpenBao run "
                + "`operator rekey` on the old server first, then migrate again; or give the key shares to "
                + "`operator migrate -upgrade-legacy-seal`."
        case .beforeKeyring:
            "The store is one of Vault's first releases: its keyring is still barrier/init, and the key shares are the root "
                + "key itself. Vault reads it and makes core/keyring of it at its first unseal; OpenBao no longer does. For "
                + "OpenBao unseal it with Vault once, run `operator rekey` there, then migrate again."
        case .missing:
            unsealsItself
                ? "core/hsm/barrier-unseal-keys is missing, although the store's root key was kept in it: no server unseals the "
                    + "store without it. Take the entry from a backup of this store."
                : "core/hsm/barrier-unseal-keys is missing, although the store's root key was kept in it: no key share unseals "
                    + "the store without it. Take the entry from a backup of this store. Only where the key shares are the root "
                    + "key itself, as in a store of before Vault 1.3 that was made fit for newer servers and not rekeyed since, "
                    + "`operator migrate -upgrade-legacy-seal` makes the entry anew from them."
        case .perhapsStale:
            "core/seal-config says that the root key is not stored (stored_shares 0), and core/hsm/barrier-unseal-keys is "
                + "there. Vault takes the key shares for the root key and passes over that entry; OpenBao opens it, and "
                + "unseals nothing if it is a left-over. For OpenBao run `operator rekey` on the old server first, then "
                + "migrate again."
        }
    }

    /// Seals that Vault 1.14 and OpenBao up to 2.6 have, and OpenBao 2.7 only with a plugin (tried on 1.14.9, 2.6.2 and
    /// 2.7.2, which ends with "unknown wrapper").
    private static let pluginTypes: Set<String> = ["awskms", "gcpckms", "azurekeyvault", "ocikms", "alicloudkms"]

    private var typeRemark: String? {
        switch type {
        case "shamir", "transit": nil
        case _ where Self.pluginTypes.contains(type):
            "The store is sealed with \(type). Vault and OpenBao up to 2.6 have it built in; OpenBao 2.7 does not start "
                + "without a plugin for it. Without one, migrate the seal to shamir or transit on the old server first."
        case "pkcs11", "aead":
            "The store is sealed with \(type), which OpenBao 2.6 and 2.7 do not start with unless they have a plugin for it. "
                + "Without one, migrate the seal to shamir or transit on the old server first."
        case "hsm-auto":
            "The store is sealed with hsm-auto, an old name of Vault Enterprise for a hardware module (pkcs11). Neither "
                + "OpenBao nor Vault's open edition starts with it: migrate the seal on the old server first."
        case "multiseal":
            "The store is sealed by several seals at once (multiseal), as Vault 1.15 and later can. OpenBao and older Vaults do "
                + "not know that: leave one seal only on the old server first."
        case "static":
            "The store is sealed with a key in a file (static), which OpenBao has built in and Vault does not know."
        case "kmip":
            "The store is sealed with kmip, which OpenBao 2.7 has built in. Make sure that your server knows it."
        default:
            "The store is sealed with \(type), which neither Vault 1.14 nor OpenBao 2.7 has built in. Make sure that your "
                + "server has a plugin of that name."
        }
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
