import Digest
import Testing

@Suite struct DigestTests {
    /// FIPS 180-2 and NIST's vectors.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func sha256AgreesWithTheStandard(text: String, digest: String) throws {
        let bytes = Array(text.utf8)
        #expect(try bytes.withUnsafeBytes { try SHA256Digest.of($0).hexadecimal } == digest)
        // In pieces, by a hasher that was used before.
        let hasher = try SHA256Hasher()
        try bytes.withUnsafeBytes { try hasher.update($0) }
        #expect(try hasher.finish().hexadecimal == digest)
        for start in stride(from: 0, to: bytes.count, by: 61) {
            try bytes[start..<min(start + 61, bytes.count)].withUnsafeBytes { try hasher.update($0) }
        }
        var output = [UInt8](repeating: 0, count: SHA256Digest.byteCount)
        try output.withUnsafeMutableBytes { try hasher.finish(into: try #require($0.baseAddress)) }
        var digits: [UInt8] = []
        output.withUnsafeBytes { appendHexadecimal($0, to: &digits) }
        #expect(String(decoding: digits, as: UTF8.self) == digest)
    }

    @Test func sha384AgreesWithTheStandard() throws {
        let hasher = try SHA384Hasher()
        for (text, begin) in [("abc", "cb00753f45a35e8bb5a03d699ac65007"), ("", "38b060a751ac96384cd9327eb1b1e36a")] {
            for byte in text.utf8 { try [byte].withUnsafeBytes { try hasher.update($0) } }
            let digest = try hasher.finish()
            var digits: [UInt8] = []
            digest.withUnsafeBytes { appendHexadecimal($0, to: &digits) }
            #expect(digest.count == 48 && String(decoding: digits, as: UTF8.self).hasPrefix(begin))
        }
    }

    @Test func identifiersHaveTheServersFormAndDiffer() throws {
        var seen: Set<String> = []
        for _ in 0..<100 {
            let id = try randomUUID()
            #expect(try /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/.wholeMatch(in: id) != nil)
            seen.insert(id)
        }
        #expect(seen.count == 100)
        #expect(try randomBytes(0).isEmpty)
        #expect(try randomBytes(33).count == 33)
        #expect(try randomBytes(32) != randomBytes(32))
    }
}
