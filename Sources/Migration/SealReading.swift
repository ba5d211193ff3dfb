import FoundationEssentials
import Storage

/// Reads what a store says in clear about its seal.
enum SealReading {
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
    static func read(_ store: any StorageSource) -> SealDescription? {
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
                    keyID: root.flatMap { SealedBlob.keyID(in: $0) }
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

/// The one name in `core/hsm/barrier-unseal-keys` that is no secret (go-kms-wrapping's protobuf message `BlobInfo`: its
/// field 5 is `KeyInfo`, whose field 3 is the id of the service's key).
enum SealedBlob {
    static func keyID(in bytes: [UInt8]) -> String? {
        guard let keyInfo = field(5, in: bytes[...]), let id = field(3, in: keyInfo), !id.isEmpty else { return nil }
        return String(validating: id, as: UTF8.self)
    }

    /// The first field of that number whose content is bytes; `nil` if the message has none or is none.
    private static func field(_ number: UInt64, in message: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var rest = message
        while let tag = varint(&rest) {
            switch tag & 7 {
            case 0: guard varint(&rest) != nil else { return nil }
            case 1: rest = rest.dropFirst(8)
            case 5: rest = rest.dropFirst(4)
            case 2:
                guard let length = varint(&rest), length <= UInt64(rest.count) else { return nil }
                let content = rest.prefix(Int(length))
                if tag >> 3 == number { return content }
                rest = rest.dropFirst(Int(length))
            default: return nil
            }
        }
        return nil
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}
