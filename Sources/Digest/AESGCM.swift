import COpenSSL
import Glibc

/// AES-GCM with nonces of 12 bytes and tags of 16 (NIST SP 800-38D), one key and one context for many messages. Not for two
/// threads at once.
///
/// The key schedule lies in the library's memory, which overwrites it when this is gone.
package final class AESGCM {
    package static let nonceBytes = 12
    package static let tagBytes = 16
    /// Lengths of keys: AES-128, AES-192, AES-256.
    package static let keyLengths = [16, 24, 32]
    /// What is decrypted only to be authenticated goes through room of this size, which stays in the processor's cache.
    package static let scratchBytes = 16 << 10
    /// The library takes lengths as 32-bit numbers.
    private static let longestPart = Int(Int32.max) - 64

    private let context: OpaquePointer

    /// - Parameters:
    ///   - key: 16, 24 or 32 bytes, copied into the library's context.
    ///   - isForSealing: Whether messages are encrypted; else they are decrypted.
    /// - Throws: ``DigestError`` for a key of another length, or if the library refuses.
    package init(key: SecretBytes, isForSealing: Bool = false) throws(DigestError) {
        guard Self.keyLengths.contains(key.count) else {
            throw DigestError(sentence: "A key of \(key.count) bytes is none for AES.")
        }
        guard let cipher = EVP_CIPHER_fetch(nil, "AES-\(key.count * 8)-GCM", nil) else {
            throw DigestError("EVP_CIPHER_fetch")
        }
        // The context holds a reference of its own.
        defer { EVP_CIPHER_free(cipher) }
        guard let context = EVP_CIPHER_CTX_new() else { throw DigestError("EVP_CIPHER_CTX_new") }
        let isReady = key.withBytes { bytes in
            let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return EVP_CipherInit_ex(context, cipher, nil, start, nil, isForSealing ? 1 : 0) == 1
        }
        guard isReady else {
            EVP_CIPHER_CTX_free(context)
            throw DigestError("EVP_CipherInit_ex")
        }
        self.context = context
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    /// A message as it is stored.
    package struct Sealed {
        /// 12 bytes.
        let nonce: UnsafeRawBufferPointer
        let additional: UnsafeRawBufferPointer
        let body: UnsafeRawBufferPointer
        /// 16 bytes.
        let tag: UnsafeRawBufferPointer

        /// - Parameter bodyAndTag: The ciphertext with the tag behind it.
        /// - Returns: `nil` if a part has a length that it cannot have.
        package init?(
            nonce: UnsafeRawBufferPointer, additional: UnsafeRawBufferPointer, bodyAndTag: UnsafeRawBufferPointer
        ) {
            guard nonce.count == AESGCM.nonceBytes, bodyAndTag.count >= AESGCM.tagBytes,
                additional.count <= AESGCM.longestPart
            else { return nil }
            let end = bodyAndTag.count - AESGCM.tagBytes
            self.nonce = nonce
            self.additional = additional
            body = UnsafeRawBufferPointer(rebasing: bodyAndTag[..<end])
            tag = UnsafeRawBufferPointer(rebasing: bodyAndTag[end...])
        }
    }

    /// Whether a message is authentic.
    ///
    /// - Parameter scratch: Room of ``scratchBytes`` that what is decrypted goes through; it is overwritten.
    package func isAuthentic(_ message: Sealed, scratch: SecretBytes) -> Bool {
        scratch.withMutableBytes { room in
            guard room.count >= 16 else { return false }
            let isAuthentic = open(message, into: room, keeps: false) == 1
            // As sure as OPENSSL_cleanse, which goes by eight bytes at a time and would cost a tenth of the whole.
            if let base = room.baseAddress { explicit_bzero(base, min(room.count, message.body.count)) }
            return isAuthentic
        }
    }

    /// The plaintext of a message; `nil` if it is not authentic.
    ///
    /// - Throws: ``DigestError`` if there is no memory for it.
    package func open(_ message: Sealed) throws(DigestError) -> SecretBytes? {
        let plain = try SecretBytes(room: message.body.count)
        let isAuthentic = plain.withMutableBytes { open(message, into: $0, keeps: true) == 1 }
        return isAuthentic ? plain : nil
    }

    private func open(_ message: Sealed, into room: UnsafeMutableRawBufferPointer, keeps: Bool) -> Int32 {
        func start(_ bytes: UnsafeRawBufferPointer) -> UnsafePointer<UInt8>? {
            bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        }
        let result = sealift_gcm_open(
            context, start(message.nonce), start(message.additional), Int32(message.additional.count),
            start(message.body), message.body.count, start(message.tag),
            room.baseAddress?.assumingMemoryBound(to: UInt8.self), min(room.count, Self.longestPart), keeps ? 1 : 0)
        // Only where something is wrong has the library put something into its list of errors.
        if result != 1 { ERR_clear_error() }
        return result
    }

    /// Encrypts a message.
    ///
    /// - Returns: The ciphertext with its tag behind it.
    package func seal(
        _ plain: UnsafeRawBufferPointer, nonce: [UInt8], additional: [UInt8] = []
    ) throws(DigestError) -> [UInt8] {
        guard nonce.count == Self.nonceBytes, plain.count <= Self.longestPart, additional.count <= Self.longestPart
        else {
            throw DigestError(
                sentence: "A message of AES-GCM has a part that is too long, or another nonce than of 12 bytes.")
        }
        var sealed = [UInt8](repeating: 0, count: plain.count)
        var tag = [UInt8](repeating: 0, count: Self.tagBytes)
        let start = plain.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let result = sealift_gcm_seal(
            context, nonce, additional, Int32(additional.count), start, Int32(plain.count), &sealed, &tag)
        guard result == 1 else { throw DigestError("EVP_EncryptFinal_ex") }
        return sealed + tag
    }
}
