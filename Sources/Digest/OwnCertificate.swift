import COpenSSL
import Glibc

/// A new ECDSA key on P-521 with a certificate that it has signed itself, for a party that is server, client and authority in one.
package struct OwnCertificate: Sendable {
    /// DER.
    package let certificate: [UInt8]
    /// Coordinates of the public key, decimal.
    package let x: String
    package let y: String
    /// The private key as a decimal number.
    package let d: SecretBytes

    /// - Parameters:
    ///   - name: Common name and DNS name: letters, digits and hyphens.
    ///   - days: How long it is valid, from 30 seconds ago.
    /// - Throws: ``DigestError`` if the library refuses.
    package init(name: String, days: Int32) throws(DigestError) {
        guard let key = sealift_p521_key() else { throw DigestError("EVP_EC_gen") }
        defer { EVP_PKEY_free(key) }
        var count: Int32 = 0
        guard let der = sealift_own_certificate(key, name, "DNS:\(name)", days, &count) else {
            throw DigestError("X509_sign")
        }
        certificate = Array(UnsafeBufferPointer(start: der, count: Int(count)))
        sealift_free(der)
        x = try Self.decimal(key, "qx") { String(decoding: $0, as: UTF8.self) }
        y = try Self.decimal(key, "qy") { String(decoding: $0, as: UTF8.self) }
        let text: Result<SecretBytes, DigestError> = try Self.decimal(key, "priv") { digits in
            do throws(DigestError) {
                let bytes = try SecretBytes(room: digits.count)
                bytes.withMutableBytes { $0.copyMemory(from: digits) }
                return .success(bytes)
            } catch {
                return .failure(error)
            }
        }
        d = try text.get()
    }

    private static func decimal<Value>(
        _ key: OpaquePointer, _ part: String, _ body: (UnsafeRawBufferPointer) -> Value
    ) throws(DigestError) -> Value {
        guard let text = sealift_key_decimal(key, part) else { throw DigestError("EVP_PKEY_get_bn_param") }
        defer { sealift_clear_free(text) }
        return body(UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }
}
