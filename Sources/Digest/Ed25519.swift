import COpenSSL

/// A private key that makes Ed25519 signatures (RFC 8032). Any number of threads may sign with it.
// Unchecked: the key is set once, and the library only reads it.
package final class Ed25519PrivateKey: @unchecked Sendable {
    package static let signatureBytes = 64

    /// Why a text is no key to sign with.
    package enum Refusal: Error, Sendable, Equatable {
        case empty
        /// No PEM at all, or one that nothing can be read from.
        case notPEM
        /// A private key behind a pass phrase.
        case encrypted
        case publicKey
        /// A private key of another kind, by the library's name of it.
        case otherKind(String)
    }

    private let key: OpaquePointer

    /// Reads a private key in PEM. Nobody is asked for a pass phrase.
    package init(pem: [UInt8]) throws(Refusal) {
        guard !pem.isEmpty else { throw .empty }
        // The library would ask at the terminal if nothing else were said.
        var wasAsked = false
        let found = withUnsafeMutablePointer(to: &wasAsked) { wasAsked in
            pem.withUnsafeBytes { bytes -> OpaquePointer? in
                guard let input = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
                defer { BIO_free(input) }
                return PEM_read_bio_PrivateKey(
                    input, nil,
                    { _, _, _, wasAsked in
                        wasAsked?.assumingMemoryBound(to: Bool.self).pointee = true
                        return -1
                    }, wasAsked)
            }
        }
        // What is in the library's list of errors is said here in other words.
        ERR_clear_error()
        guard let found else {
            if wasAsked { throw .encrypted }
            throw pem.firstRange(of: Array("-----BEGIN PUBLIC KEY-----".utf8)) != nil ? .publicKey : .notPEM
        }
        guard EVP_PKEY_is_a(found, "ED25519") == 1 else {
            let name = EVP_PKEY_get0_type_name(found).map { String(cString: $0) } ?? "another kind"
            EVP_PKEY_free(found)
            throw .otherKind(name)
        }
        key = found
    }

    deinit { EVP_PKEY_free(key) }

    /// The 64 bytes of the signature of all of `bytes`, which are read twice and must not change meanwhile: whoever gets
    /// two signatures of which only the second reading differs has the key.
    package func signature(of bytes: UnsafeRawBufferPointer) throws(DigestError) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { throw DigestError("EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1 else { throw DigestError("EVP_DigestSignInit") }
        var signature = [UInt8](repeating: 0, count: Self.signatureBytes)
        var count = signature.count
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        // Without bytes there is still something to be signed: the address of something must be given, not none.
        let isSigned =
            start == nil
            ? EVP_DigestSign(context, &signature, &count, [0], 0)
            : EVP_DigestSign(context, &signature, &count, start, bytes.count)
        guard isSigned == 1, count == signature.count else { throw DigestError("EVP_DigestSign") }
        return signature
    }
}

/// Overwrites bytes that were secret.
package func cleanse(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
}
