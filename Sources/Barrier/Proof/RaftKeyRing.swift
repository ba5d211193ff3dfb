import Digest
import Storage

/// The key ring by which the nodes of integrated storage know each other, `core/raft/tls`, as a server makes it at the first
/// unsealing (`vault-raft-directory.md`, 8.1; Vault `physical/raft/raft.go` `GenerateTLSKey`): JSON with one key on P-521 and its
/// certificate of thirty years, encrypted by the barrier under its active term and the entry's name.
///
/// A value of it is like any other of the store: without the shares nobody can read it.
package enum RaftKeyRing {
    /// 262,980 hours, in days.
    private static let days: Int32 = 10_957

    /// Makes one.
    ///
    /// - Parameter time: Now, RFC 3339 in UTC.
    /// - Returns: The entry's value.
    /// - Throws: ``ProofFailure`` if the system's OpenSSL refuses.
    package static func make(_ barrier: OpenedBarrier, time: String) throws(ProofFailure) -> [UInt8] {
        do {
            let id = "raft-\(try randomUUID())"
            let key = try OwnCertificate(name: id, days: days)
            let plain = try json(id, key, time)
            return try barrier.seal(plain, under: .raftKeyRing)
        } catch {
            throw ProofFailure(.system, "\(error)")
        }
    }

    /// Whether a value is one that this barrier has encrypted.
    package static func isOne(_ value: [UInt8], of barrier: OpenedBarrier) -> Bool {
        let plain = try? value.withBytes { (value) throws(DigestError) in
            try StorageKey.raftKeyRing.bytes.withBytes { (key) throws(DigestError) in
                try barrier.open(value, under: key)
            }
        }
        return plain != nil
    }

    private static func json(_ id: String, _ key: OwnCertificate, _ time: String) throws(DigestError) -> SecretBytes {
        let certificate = try SecretBytes(room: key.certificate.count)
        certificate.withMutableBytes { $0.copyBytes(from: key.certificate) }
        let encoded = try SecretText.base64(of: certificate)
        let text = encoded.withBytes { String(decoding: $0, as: UTF8.self) }
        let head =
            "{\"keys\":[{\"id\":\"\(id)\",\"key_type\":\"p521\",\"applied_index\":0,\"cluster_cert\":\"\(text)\","
            + "\"cluster_key_params\":{\"type\":\"p521\",\"x\":\(key.x),\"y\":\(key.y),\"d\":"
        let tail =
            "},\"created_time\":\"\(time)\"}],\"applied_index\":0,\"term\":0,\"active_key_id\":\"\(id)\"}\n"
        let plain = try SecretBytes(room: head.utf8.count + key.d.count + tail.utf8.count)
        plain.withMutableBytes { room in
            room.copyBytes(from: head.utf8)
            key.d.withBytes { digits in
                UnsafeMutableRawBufferPointer(rebasing: room[head.utf8.count...]).copyMemory(from: digits)
            }
            UnsafeMutableRawBufferPointer(rebasing: room[(head.utf8.count + key.d.count)...]).copyBytes(from: tail.utf8)
        }
        return plain
    }
}

extension OpenedBarrier {
    /// Encrypts a value as the store's server would: under the active term, bound to its name (version 2).
    func seal(_ plain: SecretBytes, under key: StorageKey) throws -> [UInt8] {
        guard let term = keyring.terms.last else { throw ProofFailure(.damaged, "The keyring has no key.") }
        let nonce = try randomBytes(AESGCM.nonceBytes)
        let cipher = try AESGCM(key: term.key, isForSealing: true)
        let sealed = try plain.withBytes { (plain) throws(DigestError) in
            try cipher.seal(plain, nonce: nonce, additional: key.bytes)
        }
        let header = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: term.term >> UInt32($0)) }
        return header + [2] + nonce + sealed
    }
}
