import COpenSSL

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
        x = try Self.coordinate(key, "qx")
        y = try Self.coordinate(key, "qy")
        d = try SecretBytes(room: Self.mostDigits)
        let digits = d.withMutableBytes { room in
            room.baseAddress.map { sealift_private_decimal(key, $0.assumingMemoryBound(to: UInt8.self)) } ?? 0
        }
        guard digits > 0 else { throw DigestError("EVP_PKEY_get_bn_param") }
        d.truncate(to: Int(digits))
    }

    /// Of numbers of 528 bits.
    private static let mostDigits = 160

    private static func coordinate(_ key: OpaquePointer, _ part: String) throws(DigestError) -> String {
        guard let text = sealift_key_decimal(key, part) else { throw DigestError("EVP_PKEY_get_bn_param") }
        defer { sealift_free(text) }
        return String(cString: text)
    }
}
