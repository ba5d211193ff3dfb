import COpenSSL

/// MD5 (RFC 1321) by the system's OpenSSL: a checksum that S3 and its exports state, never a proof of anything.
/// Not for two threads at once.
package final class MD5Hasher {
    private let context: OpaquePointer
    private let algorithm: OpaquePointer

    /// - Throws: ``DigestError`` if the library offers no MD5, as one in FIPS mode does.
    package init() throws(DigestError) {
        guard let algorithm = EVP_MD_fetch(nil, "MD5", nil) else { throw DigestError("EVP_MD_fetch") }
        guard let context = EVP_MD_CTX_new() else {
            EVP_MD_free(algorithm)
            throw DigestError("EVP_MD_CTX_new")
        }
        guard EVP_DigestInit_ex2(context, algorithm, nil) == 1 else {
            EVP_MD_CTX_free(context)
            EVP_MD_free(algorithm)
            throw DigestError("EVP_DigestInit_ex2")
        }
        self.context = context
        self.algorithm = algorithm
    }

    deinit {
        EVP_MD_CTX_free(context)
        EVP_MD_free(algorithm)
    }

    /// Adds bytes to the running digest.
    package func update(_ bytes: UnsafeRawBufferPointer) throws(DigestError) {
        guard EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 else {
            throw DigestError("EVP_DigestUpdate")
        }
    }

    /// Ends the running digest and starts a new one.
    package func finish() throws(DigestError) -> MD5Digest {
        var bytes = [UInt8](repeating: 0, count: MD5Digest.byteCount)
        guard EVP_DigestFinal_ex(context, &bytes, nil) == 1, EVP_DigestInit_ex2(context, algorithm, nil) == 1 else {
            throw DigestError("EVP_DigestFinal_ex")
        }
        return MD5Digest(bytes: bytes)
    }
}

/// The 16 bytes of an MD5.
package struct MD5Digest: Hashable, Sendable {
    package static let byteCount = 16

    package let bytes: [UInt8]

    /// Lower-case hexadecimal, 32 digits.
    package var hexadecimal: String {
        var text: [UInt8] = []
        bytes.withUnsafeBytes { appendHexadecimal($0, to: &text) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Standard base64 with padding, 24 characters, as HTTP's `Content-MD5` and export manifests write it.
    package var base64: String {
        // The encoder ends its text with a zero byte.
        var text = [UInt8](repeating: 0, count: 25)
        let count = EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
        return String(decoding: text.prefix(Int(max(count, 0))), as: UTF8.self)
    }
}
