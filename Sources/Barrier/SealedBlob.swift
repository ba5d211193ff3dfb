/// What a seal has encrypted: go-kms-wrapping's protobuf message `BlobInfo`.
///
/// | Message | Fields |
/// | --- | --- |
/// | BlobInfo | 1 ciphertext, 2 iv, 4 wrapped, 5 key info |
/// | KeyInfo | 1 mechanism, 3 id of the service's key, 5 wrapped key |
///
/// A Shamir seal's ciphertext is a nonce of 12 bytes, the AES-256-GCM output and its tag, without additional data; iv is
/// empty and the key info has nothing in it. Other fields are passed over.
package struct SealedBlob: Sendable, Equatable {
    package private(set) var ciphertext: [UInt8] = []
    package private(set) var iv: [UInt8] = []
    package private(set) var isWrapped = false
    package private(set) var hasKeyInfo = false
    package private(set) var mechanism: UInt64 = 0
    /// The id of the service's key, the one name in the message that is no secret; `nil` if there is none or no text.
    package private(set) var keyID: String?
    package private(set) var wrappedKey: [UInt8] = []

    /// - Returns: `nil` if the bytes are no protobuf message.
    package init?(_ bytes: [UInt8]) {
        let isMessage = Self.visit(bytes[...]) { field in
            switch field {
            case .bytes(1, let content): ciphertext = Array(content)
            case .bytes(2, let content): iv = Array(content)
            case .number(4, let number): isWrapped = number != 0
            case .bytes(5, let content):
                hasKeyInfo = true
                return Self.visit(content) { part in
                    switch part {
                    case .number(1, let number): mechanism = number
                    case .bytes(3, let id): keyID = id.isEmpty ? nil : String(validating: id, as: UTF8.self)
                    case .bytes(5, let key): wrappedKey = Array(key)
                    default: break
                    }
                    return true
                }
            default: break
            }
            return true
        }
        guard isMessage else { return nil }
    }

    private enum Field {
        case number(UInt64, UInt64)
        case bytes(UInt64, ArraySlice<UInt8>)
        case other
    }

    /// - Returns: Whether the message is whole and `body` took every field.
    private static func visit(_ message: ArraySlice<UInt8>, _ body: (Field) -> Bool) -> Bool {
        var rest = message
        while !rest.isEmpty {
            guard let tag = varint(&rest), tag >> 3 > 0 else { return false }
            let field: Field
            switch tag & 7 {
            case 0:
                guard let number = varint(&rest) else { return false }
                field = .number(tag >> 3, number)
            case 1, 5:
                let count = tag & 7 == 1 ? 8 : 4
                guard rest.count >= count else { return false }
                rest = rest.dropFirst(count)
                field = .other
            case 2:
                guard let length = varint(&rest), length <= UInt64(rest.count) else { return false }
                field = .bytes(tag >> 3, rest.prefix(Int(length)))
                rest = rest.dropFirst(Int(length))
            default: return false
            }
            guard body(field) else { return false }
        }
        return true
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
