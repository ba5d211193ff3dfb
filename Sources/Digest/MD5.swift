import COpenSSL

/// MD5 (RFC 1321) by the system's OpenSSL: a checksum that S3 and its exports state, never a proof of anything.
/// Not for two threads at once.
package final class MD5Hasher {
    private let running: RunningDigest

    /// - Throws: ``DigestError`` if the library offers no MD5, as one in FIPS mode does.
    package init() throws(DigestError) { running = try RunningDigest("MD5") }

    /// Adds bytes to the running digest.
    package func update(_ bytes: UnsafeRawBufferPointer) throws(DigestError) { try running.update(bytes) }

    /// Ends the running digest and starts a new one.
    package func finish() throws(DigestError) -> MD5Digest {
        MD5Digest(bytes: try running.finish(byteCount: MD5Digest.byteCount))
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
