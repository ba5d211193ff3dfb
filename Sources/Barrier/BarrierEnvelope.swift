/// What stands in clear before a value that the barrier encrypted.
///
/// | Offset | Bytes | Field |
/// | --- | --- | --- |
/// | 0 | 4 | key term, big-endian; the first is 1 |
/// | 4 | 1 | version, 1 or 2 |
/// | 5 | 12 | nonce |
/// | 17 | | ciphertext as long as the plaintext, and a tag of 16 bytes |
///
/// (Vault 1.14 `vault/barrier_aes_gcm.go`.) Version 2 authenticates the entry's key as well, version 1 the value alone.
package struct BarrierEnvelope: Sendable, Equatable {
    package static let nonceOffset = 5
    package static let nonceBytes = 12
    package static let bodyOffset = nonceOffset + nonceBytes
    package static let tagBytes = 16
    /// The envelope of an empty plaintext.
    package static let shortest = bodyOffset + tagBytes

    package let term: UInt32
    package let version: UInt8

    /// - Returns: `nil` if the value has no such header, or is too short for what must follow it.
    package init?(_ value: UnsafeRawBufferPointer) {
        guard value.count >= Self.shortest, value[4] == 1 || value[4] == 2 else { return nil }
        term = UInt32(bigEndian: value.loadUnaligned(as: UInt32.self))
        version = value[4]
        guard term > 0 else { return nil }
    }
}
