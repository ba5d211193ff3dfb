import COpenSSL

/// SHA-256 by the system's OpenSSL, one context reused for many digests. Not for two threads at once.
package final class SHA256Hasher {
    private let running: RunningDigest

    /// - Throws: ``DigestError`` if the library offers no SHA-256, as a misconfigured FIPS provider does.
    package init() throws(DigestError) { running = try RunningDigest("SHA256") }

    /// Adds bytes to the running digest.
    package func update(_ bytes: UnsafeRawBufferPointer) throws(DigestError) { try running.update(bytes) }

    /// Ends the running digest and starts a new one.
    ///
    /// - Parameter output: Receives 32 bytes.
    package func finish(into output: UnsafeMutableRawPointer) throws(DigestError) { try running.finish(into: output) }

    /// The digest of `bytes` alone; the running digest must be empty.
    package func digest(
        of bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer
    ) throws(DigestError) {
        try update(bytes)
        try finish(into: output)
    }

    /// Ends the running digest and starts a new one.
    package func finish() throws(DigestError) -> SHA256Digest {
        SHA256Digest(bytes: try running.finish(byteCount: SHA256Digest.byteCount))
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

    /// - Parameter sentence: What is wrong, and what to do.
    init(sentence: String) { description = sentence }

    init(_ call: String) {
        var text = [CChar](repeating: 0, count: 256)
        let code = ERR_get_error()
        ERR_error_string_n(code, &text, text.count)
        let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        description = "OpenSSL refuses \(call): \(reason). Look at the system's OpenSSL configuration (openssl.cnf)."
    }
}
