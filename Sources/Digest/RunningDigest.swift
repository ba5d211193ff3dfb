import COpenSSL

/// A digest of the system's OpenSSL, one context reused for many digests.
///
/// The algorithm is fetched once: a fetch per digest costs more than a small digest itself. Not for two threads at once.
final class RunningDigest {
    private let context: OpaquePointer
    private let algorithm: OpaquePointer

    /// - Throws: ``DigestError`` if the library offers no algorithm of that name.
    init(_ name: String) throws(DigestError) {
        guard let algorithm = EVP_MD_fetch(nil, name, nil) else { throw DigestError("EVP_MD_fetch") }
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

    /// Adds bytes.
    func update(_ bytes: UnsafeRawBufferPointer) throws(DigestError) {
        guard EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 else {
            throw DigestError("EVP_DigestUpdate")
        }
    }

    /// Ends the digest and starts a new one.
    ///
    /// - Parameter output: Receives as many bytes as the algorithm makes.
    func finish(into output: UnsafeMutableRawPointer) throws(DigestError) {
        let bytes = output.assumingMemoryBound(to: UInt8.self)
        guard EVP_DigestFinal_ex(context, bytes, nil) == 1, EVP_DigestInit_ex2(context, algorithm, nil) == 1 else {
            throw DigestError("EVP_DigestFinal_ex")
        }
    }

    /// Ends the digest and starts a new one.
    ///
    /// - Parameter count: How many bytes the algorithm makes.
    func finish(byteCount count: Int) throws(DigestError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
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
        return bytes
    }
}
