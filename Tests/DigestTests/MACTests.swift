import Digest
import Testing

@Suite struct MACTests {
    /// RFC 4231 section 4, test cases 1, 2, 3, 6 and 7; the empty key and message as Python's hmac answers.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        ([], [], "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ])
    func hmacAgreesWithTheStandard(key: [UInt8], message: [UInt8], code: String) throws {
        let mac = try HMACSHA256()
        // The context was used before, with another key.
        _ = try mac.code(key: [1, 2, 3], message: [4])
        for _ in 0..<2 {
            var digits: [UInt8] = []
            try mac.code(key: key, message: message).withUnsafeBytes { appendHexadecimal($0, to: &digits) }
            #expect(String(decoding: digits, as: UTF8.self) == code)
        }
    }

    /// RFC 1321 appendix A.5.
    @Test(arguments: [
        ("", "d41d8cd98f00b204e9800998ecf8427e", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("abc", "900150983cd24fb0d6963f7d28e17f72", "kAFQmDzST7DWlj99KOF/cg=="),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0", "+WtpfXy3k41SWi8xqvFh0A=="),
    ])
    func md5AgreesWithTheStandard(text: String, digest: String, base64: String) throws {
        let hasher = try MD5Hasher()
        for _ in 0..<2 {
            for byte in text.utf8 { try [byte].withUnsafeBytes { try hasher.update($0) } }
            let found = try hasher.finish()
            #expect(found.hexadecimal == digest)
            #expect(found.base64 == base64)
        }
    }

    @Test func comparesBytes() {
        #expect(equalInConstantTime([], []))
        #expect(equalInConstantTime([1, 2], [1, 2]))
        #expect(!equalInConstantTime([1, 2], [1, 3]))
        #expect(!equalInConstantTime([1, 2], [1]))
    }
}
