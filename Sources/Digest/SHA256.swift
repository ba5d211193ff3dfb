import COpenSSL

/// SHA-256 by the system's OpenSSL, one context reused for many digests.
///
/// The algorithm is fetched once per hasher: a fetch per digest costs more than a small digest itself.
/// Not for two threads at once.
package final class SHA256Hasher {
    private let context: OpaquePointer
    private let algorithm: OpaquePointer

    /// - Throws: ``DigestError`` if the library offers no SHA-256, as a misconfigured FIPS provider does.
    package init() throws(DigestError) {
        guard let algorithm = EVP_MD_fetch(nil, "SHA256", nil) else { throw DigestError("EVP_MD_fetch") }
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
    ///
    /// - Parameter output: Receives 32 bytes.
    package func finish(into output: UnsafeMutableRawPointer) throws(DigestError) {
        let bytes = output.assumingMemoryBound(to: UInt8.self)
        guard EVP_DigestFinal_ex(context, bytes, nil) == 1, EVP_DigestInit_ex2(context, algorithm, nil) == 1 else {
            throw DigestError("EVP_DigestFinal_ex")
        }
    }

    /// The digest of `bytes` alone; the running digest must be empty.
    package func digest(
        of bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer
    ) throws(DigestError) {
        try update(bytes)
        try finish(into: output)
    }

    /// Ends the running digest and starts a new one.
    package func finish() throws(DigestError) -> SHA256Digest {
        var bytes = [UInt8](repeating: 0, count: SHA256Digest.byteCount)
        let failure = bytes.withUnsafeMutableBytes { room -> DigestError? in
            guard let base = room.baseAddress else { return nil }
            do throws(DigestError) {
                try finish(into: base)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        return SHA256Digest(bytes: bytes)
    }
}

/// The 32 bytes of a SHA-256.
package struct SHA256Digest: Hashable, Sendable {
    package static let byteCount = 32

    package let bytes: [UInt8]

    /// Lower-case hexadecimal, 64 digits.
    package var hexadecimal: String {
        var text: [UInt8] = []
        bytes.withUnsafeBytes { appendHexadecimal($0, to: &text) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The digest of one run of bytes.
    package static func of(_ bytes: UnsafeRawBufferPointer) throws(DigestError) -> SHA256Digest {
        let hasher = try SHA256Hasher()
        try hasher.update(bytes)
        return try hasher.finish()
    }
}

/// Appends the lower-case hexadecimal form of `bytes`.
package func appendHexadecimal(_ bytes: UnsafeRawBufferPointer, to text: inout [UInt8]) {
    for byte in bytes {
        let high = byte >> 4
        let low = byte & 15
        text.append(high < 10 ? 0x30 &+ high : 0x57 &+ high)
        text.append(low < 10 ? 0x30 &+ low : 0x57 &+ low)
    }
}

/// A call of the library failed.
package struct DigestError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ call: String) {
        var text = [CChar](repeating: 0, count: 256)
        let code = ERR_get_error()
        ERR_error_string_n(code, &text, text.count)
        let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        description = "OpenSSL refuses \(call): \(reason). Look at the system's OpenSSL configuration (openssl.cnf)."
    }
}
