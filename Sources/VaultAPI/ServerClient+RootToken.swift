package import Digest
import JSON

extension ServerClient {
    /// Longest text of a token that is taken.
    private static let longestToken = 200

    /// Has the server make a root token of key shares.
    ///
    /// Vault does that for whoever has the shares; OpenBao 2.5.3 and later only at a listener with
    /// `disable_unauthed_generate_root_endpoints = false`. An attempt that is under way is cancelled first.
    ///
    /// - Parameter shares: As many as the server asks for.
    /// - Throws: ``VaultAPIError`` with code `.unsupported` if the server does not do it without a token.
    package func makeRootToken(_ shares: [SecretBytes]) throws(VaultAPIError) -> SecretBytes {
        _ = try perform("DELETE", "sys/generate-root/attempt") { (_) throws(VaultAPIError) in }
        let empty = try SecretBytes.room(2)
        empty.withMutableBytes { $0.copyBytes(from: "{}".utf8) }
        let begun = try perform("PUT", "sys/generate-root/attempt", body: empty) { (root) throws(VaultAPIError) in
            guard let nonce = Self.word(root?["nonce"]), let pad = root?["otp"], pad.bytes.count <= Self.longestToken
            else {
                throw VaultAPIError(.foreign, "PUT sys/generate-root/attempt: the answer has no nonce and no password.")
            }
            return (nonce: nonce, pad: try Self.secret(pad.bytes))
        }.value
        for share in shares {
            let body = try SecretBody(hexadecimal: share, nonce: begun.nonce)
            let token = try perform("PUT", "sys/generate-root/update", body: body.bytes) {
                (root) throws(VaultAPIError) -> SecretBytes? in
                guard let root, root["complete"]?.boolean == true else { return nil }
                guard let encoded = root["encoded_token"]?.bytes ?? root["encoded_root_token"]?.bytes,
                    encoded.count <= 2 * Self.longestToken
                else { throw VaultAPIError(.foreign, "PUT sys/generate-root/update: the answer has no token.") }
                return try Self.token(encoded, begun.pad)
            }.value
            if let token { return token }
        }
        throw VaultAPIError(
            .refused, "PUT sys/generate-root/update: the server asks for more key shares than were given.")
    }

    private static func secret(_ bytes: UnsafeRawBufferPointer) throws(VaultAPIError) -> SecretBytes {
        let secret = try SecretBytes.room(bytes.count)
        secret.withMutableBytes { $0.copyMemory(from: bytes) }
        return secret
    }

    /// base64 without padding, each byte of it combined with one of the password (Vault 1.14
    /// `helper/dhutil`, `command/operator_generate_root.go`).
    private static func token(
        _ encoded: UnsafeRawBufferPointer, _ pad: SecretBytes
    ) throws(VaultAPIError) -> SecretBytes {
        let text = encoded.prefix { $0 != UInt8(ascii: "=") }
        let padded = try secret(UnsafeRawBufferPointer(rebasing: text)).padded()
        let room = try SecretBytes.room(padded.count)
        let count = padded.withBytes { text in room.withMutableBytes { Base64.decode(text, into: $0) } }
        guard let count, count == pad.count, count <= room.count else {
            throw VaultAPIError(.foreign, "PUT sys/generate-root/update: the token in the answer cannot be decoded.")
        }
        room.truncate(to: count)
        room.withMutableBytes { token in
            pad.withBytes { pad in for index in token.indices { token[index] ^= pad[index] } }
        }
        return room
    }

    /// Makes a token useless on this server.
    package func revoke(_ token: SecretBytes) throws(VaultAPIError) {
        _ = try perform("PUT", "auth/token/revoke-self", token: token) { (_) throws(VaultAPIError) in }
    }
}

extension SecretBytes {
    fileprivate func padded() throws(VaultAPIError) -> SecretBytes {
        let wanted = (count + 3) / 4 * 4
        let room = try Self.room(wanted)
        room.withMutableBytes { target in
            withBytes { source in
                for index in target.indices { target[index] = index < source.count ? source[index] : UInt8(ascii: "=") }
            }
        }
        return room
    }

    fileprivate static func room(_ count: Int) throws(VaultAPIError) -> SecretBytes {
        do throws(DigestError) { return try SecretBytes(room: count) } catch {
            throw VaultAPIError(.failed, error.description)
        }
    }
}
