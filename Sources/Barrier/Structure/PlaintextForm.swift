import FoundationEssentials

/// The forms of what servers write in clear.
enum PlaintextForm {
    private static let longest = 64 << 10

    private struct Object: Decodable {
        private struct Name: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }

            init(stringValue: String) { self.stringValue = stringValue }

            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            _ = try decoder.container(keyedBy: Name.self)
        }
    }

    /// What servers put before JSON that they have compressed: gzip, LZW, Snappy, LZ4 (Vault `sdk/helper/compressutil`).
    private static let compressionMarks = Array("GLS4".utf8)

    /// Whether the bytes are a JSON object, or one that is compressed.
    static func isObject(_ bytes: [UInt8]) -> Bool {
        guard bytes.count <= longest else { return false }
        if isCompressed(bytes) { return true }
        do {
            _ = try JSONDecoder().decode(Object.self, from: Data(bytes))
            return true
        } catch {
            return false
        }
    }

    static func isCompressed(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.first, bytes.count > 8 else { return false }
        return compressionMarks.contains(first) && bytes.contains { $0 < 0x20 || $0 > 0x7e }
    }

    static func isSealConfiguration(_ bytes: [UInt8]) -> Bool {
        isCompressed(bytes) ? isObject(bytes) : SealConfiguration(bytes) != nil
    }

    /// Whether the bytes are a key under a seal, or under several.
    static func isSealedKey(_ bytes: [UInt8]) -> Bool {
        if bytes.starts(with: Array("multiwrapvalue:1".utf8)) { return true }
        guard bytes.count <= longest, let blob = SealedBlob(bytes) else { return false }
        return !blob.ciphertext.isEmpty
    }

    /// What became of an entry in clear that cannot be read.
    static func damage(_ value: UnsafeRawBufferPointer) -> Damage {
        switch ValueLook.damage(ofNoEnvelope: value) {
        case .noEnvelope, .text, .zeroBytes, .truncated: .unreadable
        case let damage: damage
        }
    }
}
