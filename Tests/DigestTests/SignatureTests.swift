import Digest
import Foundation
import Testing

@Suite struct SignatureTests {
    /// A private key in PEM: what RFC 8410 puts before the seed, and the seed.
    private static func pem(_ seed: String) throws -> [UInt8] {
        let der = try bytes("302e020100300506032b657004220420") + bytes(seed)
        return Array(
            "-----BEGIN PRIVATE KEY-----\n\(Data(der).base64EncodedString())\n-----END PRIVATE KEY-----\n".utf8)
    }

    private static func bytes(_ digits: String) throws -> [UInt8] {
        let digits = Array(digits.utf8)
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16))
        }
    }

    /// RFC 8032 section 7.1, tests 1 to 3.
    @Test(arguments: [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
                + "be24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430"
                + "2aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e"
                + "d28dc027beceea1ec40a"
        ),
    ])
    func ed25519AgreesWithTheStandard(seed: String, message: String, signature: String) throws {
        let key = try Ed25519PrivateKey(pem: Self.pem(seed))
        let message = try Self.bytes(message)
        for _ in 0..<2 {
            #expect(try message.withUnsafeBytes { try key.signature(of: $0) } == Self.bytes(signature))
        }
    }

    @Test func whatIsNoKeyIsNamed() throws {
        let good = try Self.pem("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        func refusal(_ bytes: [UInt8]) -> Ed25519PrivateKey.Refusal? {
            do throws(Ed25519PrivateKey.Refusal) {
                _ = try Ed25519PrivateKey(pem: bytes)
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal(good) == nil)
        #expect(refusal([]) == .empty)
        #expect(refusal(Array("hello".utf8)) == .notPEM)
        #expect(refusal(Array(good.dropLast(40))) == .notPEM)
        #expect(refusal(Array("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n".utf8)) == .publicKey)
        // A key of X25519, which agrees on secrets and signs nothing.
        let other = String(decoding: good, as: UTF8.self).replacing("MC4CAQAwBQYDK2Vw", with: "MC4CAQAwBQYDK2Vu")
        #expect(refusal(Array(other.utf8)) == .otherKind("X25519"))
    }

    /// As ``MACTests`` has it, in pieces and again and again under one key.
    @Test func aRunningCodeIsThatOfTheWhole() throws {
        for key in [[], [7], [UInt8](repeating: 0xaa, count: 131)] as [[UInt8]] {
            let (running, whole) = (try RunningHMACSHA256(key: key), try HMACSHA256())
            for size in [0, 1, 63, 64, 65, 1000] {
                let message = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
                for cut in Set([0, size / 3, size]) {
                    try message[..<cut].withUnsafeBytes { try running.update($0) }
                    try message[cut...].withUnsafeBytes { try running.update($0) }
                    var code = [UInt8](repeating: 0, count: 32)
                    try code.withUnsafeMutableBytes { try running.finish(into: try #require($0.baseAddress)) }
                    #expect(try code == whole.code(key: key, message: message))
                }
            }
        }
    }
}
