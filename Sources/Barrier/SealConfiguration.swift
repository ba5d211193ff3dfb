import FoundationEssentials
import Wording

/// `core/seal-config` and `core/recovery-config`, one JSON object each (Vault 1.14 `vault/seal.go`, `SealConfig`).
///
/// `stored_shares` is 0 in Vault's stores of before 1.3, 1 in later ones and absent in those of OpenBao. Servers also read
/// the object compressed; nothing here does.
struct SealConfiguration: Decodable, Equatable {
    private(set) var type: String?
    private(set) var secretShares: Int?
    private(set) var secretThreshold: Int?
    private(set) var storedShares: Int?
    private(set) var pgpKeys: [String]?

    private enum CodingKeys: String, CodingKey {
        case type
        case secretShares = "secret_shares"
        case secretThreshold = "secret_threshold"
        case storedShares = "stored_shares"
        case pgpKeys = "pgp_keys"
    }

    private static let longest = 64 << 10
    private static let longestType = 40

    /// - Returns: `nil` if the bytes are no such object, or an unreasonable one.
    init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.longest else { return nil }
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(bytes))
        } catch {
            return nil
        }
        guard kind.utf8.count <= Self.longestType, isPrintableWord(kind) else { return nil }
    }

    /// The type of the seal; very old stores name none and mean Shamir's.
    var kind: String { type.flatMap { $0.isEmpty ? nil : $0 } ?? "shamir" }

    /// Whether there is a number of shares and one of those that are needed, both such as can be.
    var hasSoundShares: Bool {
        let (shares, threshold) = (secretShares ?? 0, secretThreshold ?? 0)
        return (1...255).contains(shares) && (1...shares).contains(threshold)
    }

    /// Why no server accepts it, in a few words; `nil` if one does.
    var fault: String? {
        let (shares, threshold) = (secretShares ?? 0, secretThreshold ?? 0)
        // With a service there are no shares, and not every release writes the numbers.
        if kind != "shamir", secretShares == nil, secretThreshold == nil { return nil }
        guard (1...255).contains(shares) else { return "it names \(shares) key shares, not 1 to 255" }
        guard (1...shares).contains(threshold) else { return "it wants \(threshold) of \(shares) key shares" }
        guard shares == 1 || threshold > 1 else {
            return "it wants 1 of \(shares) key shares, and servers want 2 at least"
        }
        if let storedShares, !(0...1).contains(storedShares) {
            return "it names \(storedShares) stored shares, not 0 or 1"
        }
        if let pgpKeys, !pgpKeys.isEmpty, pgpKeys.count != shares {
            return "it has \(pgpKeys.count) \(plural(pgpKeys.count, "PGP key")) for \(shares) key shares"
        }
        return nil
    }
}

/// Whether a text is one printable word of ASCII.
func isPrintableWord(_ text: String) -> Bool { text.utf8.allSatisfy { (0x21...0x7e).contains($0) } }
