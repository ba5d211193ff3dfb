import Digest
import Testing

@Suite struct AESGCMTests {
    private func secret(_ bytes: [UInt8]) throws -> SecretBytes {
        let secret = try SecretBytes(room: bytes.count)
        secret.withMutableBytes { $0.copyBytes(from: bytes) }
        return secret
    }

    private func bytes(_ text: String) -> [UInt8] {
        let digits = text.compactMap(\.hexDigitValue).map { UInt8($0) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, cases 4, 10 and 16.
    @Test(arguments: [
        (16, "5bc94fbc3221a5db94fae95ae7121a47", "42831ec2"), (24, "2519498e80f1478f37ba55bd6d27618c", "3980ca0b"),
        (32, "76fc6ece0f4e1768cddf8853bb2d551b", "522dc1f0"),
    ])
    func agreesWithTheStandard(_ length: Int, _ tag: String, _ beginning: String) throws {
        let key = Array(bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308").prefix(length))
        let nonce = bytes("cafebabefacedbaddecaf888")
        let additional = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        let plain = bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
                + "ba637b39")
        let cipher = try AESGCM(key: secret(key), isForSealing: true)
        let opener = try AESGCM(key: secret(key))
        let scratch = try SecretBytes(room: AESGCM.scratchBytes)
        for _ in 0..<2 {
            let sealed = try plain.withUnsafeBytes { try cipher.seal($0, nonce: nonce, additional: additional) }
            #expect(sealed.suffix(16) == bytes(tag)[...] && sealed.starts(with: bytes(beginning)))
            try check(opener, nonce, additional, sealed, plain, scratch)
        }
    }

    private func check(
        _ opener: AESGCM, _ nonce: [UInt8], _ additional: [UInt8], _ sealed: [UInt8], _ plain: [UInt8],
        _ scratch: SecretBytes
    ) throws {
        try nonce.withUnsafeBytes { nonce in
            try additional.withUnsafeBytes { additional in
                var sealed = sealed
                for isChanged in [false, true, false] {
                    if isChanged { sealed[0] ^= 1 }
                    try sealed.withUnsafeBytes { bytes in
                        let message = try #require(
                            AESGCM.Sealed(nonce: nonce, additional: additional, bodyAndTag: bytes))
                        #expect(opener.isAuthentic(message, scratch: scratch) == !isChanged)
                        #expect(scratch.withBytes { $0.allSatisfy { $0 == 0 } }, "what was decrypted is overwritten")
                        #expect(try opener.open(message)?.withBytes { Array($0) } == (isChanged ? nil : plain))
                    }
                    if isChanged { sealed[0] ^= 1 }
                }
            }
        }
    }

    /// Messages around the size of the room that they go through.
    @Test(arguments: [0, 1, 16_383, 16_384, 16_385, 100_000])
    func anyLengthIsAuthenticated(_ count: Int) throws {
        let key = try secret([UInt8](repeating: 7, count: 32))
        let plain = [UInt8](repeating: 9, count: count)
        let nonce = [UInt8](repeating: 1, count: 12)
        let sealed = try plain.withUnsafeBytes { try AESGCM(key: key, isForSealing: true).seal($0, nonce: nonce) }
        let scratch = try SecretBytes(room: AESGCM.scratchBytes)
        try check(AESGCM(key: key), nonce, [], sealed, plain, scratch)
    }

    @Test func keysAndMessagesOfOtherLengthsAreRefused() throws {
        for count in [0, 15, 17, 31, 33] {
            #expect(throws: DigestError.self) { _ = try AESGCM(key: secret([UInt8](repeating: 1, count: count))) }
        }
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        #expect(AESGCM.Sealed(nonce: none, additional: none, bodyAndTag: none) == nil)
    }

    @Test func secretsAreOverwrittenAndCompared() throws {
        let one = try secret([1, 2, 3, 4])
        #expect(try one.isEqual(to: secret([1, 2, 3, 4])) && !one.isEqual(to: secret([1, 2, 3])))
        one.truncate(to: 2)
        #expect(one.withBytes { Array($0) } == [1, 2])
        one.erase()
        #expect(one.withBytes { Array($0) } == [0, 0])
    }
}
