/// SHA-384 by the system's OpenSSL, one context reused for many digests. Not for two threads at once.
package final class SHA384Hasher {
    private let running: RunningDigest

    /// - Throws: ``DigestError`` if the library offers no SHA-384.
    package init() throws(DigestError) { running = try RunningDigest("SHA384") }

    /// Adds bytes to the running digest.
    package func update(_ bytes: UnsafeRawBufferPointer) throws(DigestError) { try running.update(bytes) }

    /// Ends the running digest and starts a new one.
    ///
    /// - Returns: 48 bytes.
    package func finish() throws(DigestError) -> [UInt8] { try running.finish(byteCount: 48) }
}
