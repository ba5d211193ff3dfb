import BarrierTestKit
import Digest
import Foundation
import Storage
import TestSupport
import Testing

@testable import Barrier

/// The key ring that is made for the nodes of integrated storage.
@Suite struct RaftKeyRingTests {
    private static func plain(_ value: [UInt8], _ barrier: OpenedBarrier) throws -> String {
        let opened = try value.withBytes { (value) throws(DigestError) in
            try StorageKey.raftKeyRing.bytes.withBytes { (key) throws(DigestError) in
                try barrier.open(value, under: key)
            }
        }
        return try #require(opened).withBytes { String(decoding: $0, as: UTF8.self) }
    }

    @Test func itIsWhatAServerMakes() throws {
        let store = try WorkedStore.make()
        let barrier = try OpenedBarrier(store, WorkedStore.shares(0, 1, 2))
        let value = try RaftKeyRing.make(barrier, time: "2026-01-02T03:04:05.000006Z")
        #expect(value[..<5] == [0, 0, 0, 2, 2])
        #expect(RaftKeyRing.isOne(value, of: barrier))
        #expect(!RaftKeyRing.isOne(Array(value.dropLast()), of: barrier))
        #expect(try verdict(barrier, .raftKeyRing, value) == .authenticated)
        #expect(try verdict(barrier, "core/raft/other", value) == .failed)

        let text = try Self.plain(value, barrier)
        #expect(text.hasSuffix("}\n"))
        let ring = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let keys = try #require(ring["keys"] as? [[String: Any]])
        let id = try #require(ring["active_key_id"] as? String)
        #expect(keys.count == 1 && keys[0]["id"] as? String == id && keys[0]["key_type"] as? String == "p521")
        #expect(id.wholeMatch(of: /raft-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/) != nil)
        #expect(ring["term"] as? Int == 0 && ring["applied_index"] as? Int == 0)
        #expect(keys[0]["created_time"] as? String == "2026-01-02T03:04:05.000006Z")
        // Numbers of up to 157 digits, which no JSON reader of ours takes as they are.
        #expect(text.firstMatch(of: /"cluster_key_params":\{"type":"p521","x":[0-9]+,"y":[0-9]+,"d":[0-9]+\}/) != nil)

        let certificate = try #require(Data(base64Encoded: keys[0]["cluster_cert"] as? String ?? ""))
        try Scratch.withFolder { folder in
            let file = "\(folder)/certificate.der"
            try certificate.write(to: URL(filePath: file))
            let shown = try runProgram(
                "/usr/bin/env", ["openssl", "x509", "-inform", "DER", "-in", file, "-noout", "-text"], [:])
            for line in [
                "Signature Algorithm: ecdsa-with-SHA512", "Issuer: CN = \(id)", "Subject: CN = \(id)",
                "ASN1 OID: secp521r1", "CA:TRUE", "Digital Signature, Key Agreement, Certificate Sign",
                "TLS Web Server Authentication, TLS Web Client Authentication", "DNS:\(id)",
            ] { #expect(shown.contains(line), "\(line) is not in \(shown)") }
            #expect(shown.components(separatedBy: ": critical").count == 3)
            // The key of the ring is the certificate's.
            let x = try #require(text.firstMatch(of: /"x":([0-9]+)/)).output.1
            let point = shown.components(separatedBy: "pub:").last?.components(separatedBy: "ASN1").first ?? ""
            let hex = point.filter { $0.isHexDigit }.dropFirst(2).prefix(132)
            let program = "print(int('\(hex)', 16))"
            let decimal = try runProgram("/usr/bin/env", ["python3", "-c", program], [:])
            #expect(decimal.trimmingCharacters(in: .whitespacesAndNewlines) == x)
        }
    }

    @Test func eachIsAnother() throws {
        let barrier = try OpenedBarrier(try WorkedStore.make(), WorkedStore.shares(0, 1, 2))
        let rings = try (0..<2).map { _ in try RaftKeyRing.make(barrier, time: "2026-01-02T03:04:05Z") }
        #expect(try Self.plain(rings[0], barrier) != Self.plain(rings[1], barrier))
    }
}
