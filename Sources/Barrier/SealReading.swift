import FoundationEssentials
package import Storage

/// Reads what a store says in clear about its seal.
package enum SealReading {
    /// `core/seal-config`, one JSON object (Vault 1.14 `vault/seal.go`, `SealConfig`); other members are of no use here.
    private struct Configuration: Decodable {
        var type: String?
        var secretShares: Int?
        var secretThreshold: Int?

        enum CodingKeys: String, CodingKey {
            case type
            case secretShares = "secret_shares"
            case secretThreshold = "secret_threshold"
        }
    }

    private static let longestConfiguration = 64 << 10
    private static let longestType = 40
    private static let longestKeyID = 256

    /// The seal of a store.
    ///
    /// - Returns: `nil` if there is no `core/seal-config`, or none that can be read. The migration does not depend on it.
    package static func read(_ store: any StorageSource) -> SealDescription? {
        do throws(StorageError) {
            guard let bytes = try store.get(.sealConfiguration), bytes.count <= longestConfiguration,
                let configuration = decoded(bytes)
            else { return nil }
            let type = configuration.type.flatMap { $0.isEmpty ? nil : $0 } ?? "shamir"
            guard isPrintable(type, longest: longestType) else { return nil }
            let root = try store.get(.storedRootKey)
            guard type == "shamir" else {
                return SealDescription(
                    type: type, shares: nil, threshold: nil,
                    keyID: root.flatMap { SealedBlob($0)?.keyID }
                        .flatMap { isPrintable($0, longest: longestKeyID) ? $0 : nil })
            }
            // Of before Vault 1.3, and never rekeyed since: neither of the entries that came with it.
            var isLegacy = false
            if root == nil, try store.get(.keyring) != nil { isLegacy = try store.get(.shamirKey) == nil }
            let (shares, threshold) = (configuration.secretShares ?? 0, configuration.secretThreshold ?? 0)
            let isValid = (1...255).contains(shares) && (1...shares).contains(threshold)
            return SealDescription(
                type: type, shares: isValid ? shares : nil, threshold: isValid ? threshold : nil, isLegacy: isLegacy)
        } catch {
            return nil
        }
    }

    private static func decoded(_ bytes: [UInt8]) -> Configuration? {
        do {
            return try JSONDecoder().decode(Configuration.self, from: Data(bytes))
        } catch {
            return nil
        }
    }

    private static func isPrintable(_ text: String, longest: Int) -> Bool {
        text.utf8.count <= longest && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}
