import COpenSSL

/// HMAC with SHA-256 (RFC 2104), one context reused for many codes. Not for two threads at once.
package final class HMACSHA256 {
    private let context: OpaquePointer

    /// - Throws: ``DigestError`` if the library offers no HMAC.
    package init() throws(DigestError) {
        guard let algorithm = EVP_MAC_fetch(nil, "HMAC", nil) else { throw DigestError("EVP_MAC_fetch") }
        // The context holds a reference of its own.
        defer { EVP_MAC_free(algorithm) }
        guard let context = EVP_MAC_CTX_new(algorithm) else { throw DigestError("EVP_MAC_CTX_new") }
        self.context = context
    }

    deinit { EVP_MAC_CTX_free(context) }

    /// The 32 bytes that authenticate `message` under `key`, either of which may be empty.
    package func code(key: [UInt8], message: [UInt8]) throws(DigestError) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: SHA256Digest.byteCount)
        // Without bytes a key is still to be set: the address of something must be given, not none.
        let isKeyed =
            key.isEmpty
            ? sealift_mac_use_sha256(context, [0], 0) : sealift_mac_use_sha256(context, key, key.count)
        guard isKeyed == 1 else { throw DigestError("EVP_MAC_init") }
        guard EVP_MAC_update(context, message, message.count) == 1 else { throw DigestError("EVP_MAC_update") }
        var count = 0
        guard EVP_MAC_final(context, &code, &count, code.count) == 1, count == code.count else {
            throw DigestError("EVP_MAC_final")
        }
        return code
    }
}

/// HMAC with SHA-256 under one key, which is taken in once; many codes in pieces. Not for two threads at once.
package final class RunningHMACSHA256 {
    private let context: OpaquePointer

    /// - Throws: ``DigestError`` if the library offers no HMAC.
    package init(key: [UInt8]) throws(DigestError) {
        guard let algorithm = EVP_MAC_fetch(nil, "HMAC", nil) else { throw DigestError("EVP_MAC_fetch") }
        // The context holds a reference of its own.
        defer { EVP_MAC_free(algorithm) }
        guard let context = EVP_MAC_CTX_new(algorithm) else { throw DigestError("EVP_MAC_CTX_new") }
        // Without bytes a key is still to be set: the address of something must be given, not none.
        guard sealift_mac_use_sha256(context, key.isEmpty ? [0] : key, key.count) == 1 else {
            EVP_MAC_CTX_free(context)
            throw DigestError("EVP_MAC_init")
        }
        self.context = context
    }

    deinit { EVP_MAC_CTX_free(context) }

    /// Adds bytes to the running code.
    package func update(_ bytes: UnsafeRawBufferPointer) throws(DigestError) {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard EVP_MAC_update(context, start, bytes.count) == 1 else { throw DigestError("EVP_MAC_update") }
    }

    /// Ends the running code and starts a new one under the same key.
    ///
    /// - Parameter output: Receives 32 bytes.
    package func finish(into output: UnsafeMutableRawPointer) throws(DigestError) {
        var count = 0
        let bytes = output.assumingMemoryBound(to: UInt8.self)
        guard EVP_MAC_final(context, bytes, &count, SHA256Digest.byteCount) == 1, count == SHA256Digest.byteCount,
            EVP_MAC_init(context, nil, 0, nil) == 1
        else { throw DigestError("EVP_MAC_final") }
    }
}

/// Whether two runs of bytes are equal, in a time that depends on their lengths only.
package func equalInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}
