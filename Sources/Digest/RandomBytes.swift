import COpenSSL

/// Random bytes from the system's OpenSSL, fit for identifiers and keys.
package func randomBytes(_ count: Int) throws(DigestError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard RAND_bytes(&bytes, Int32(count)) == 1 else { throw DigestError("RAND_bytes") }
    return bytes
}

/// A random UUID in the form Vault writes: 8-4-4-4-12 lower-case hexadecimal digits, all of them random
/// (hashicorp/go-uuid `GenerateUUID` sets no version bits).
package func randomUUID() throws(DigestError) -> String {
    let bytes = try randomBytes(16)
    var text: [UInt8] = []
    bytes.withUnsafeBytes { bytes in
        var start = 0
        for length in [4, 2, 2, 2, 6] {
            if start > 0 { text.append(UInt8(ascii: "-")) }
            appendHexadecimal(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + length)]), to: &text)
            start += length
        }
    }
    return String(decoding: text, as: UTF8.self)
}
