package import Digest

/// Key shares that somebody gave, each in memory that is kept from the swap and overwritten when it is gone.
///
/// A share is one byte longer than the key: `y` of the polynomial for each byte of the key, then the `x` they belong to. Where
/// one share is enough there is no polynomial, and the share is the key itself (Vault 1.14 `shamir/shamir.go`,
/// `vault/seal.go`).
package struct KeyShares: Sendable {
    /// More than this in one input are none.
    private static let most = 255
    private static let lengths = 16...33

    package let shares: [SecretBytes]

    package var count: Int { shares.count }

    /// Reads shares, one a line, each in hexadecimal or in standard base64; white space around them and empty lines do not
    /// count.
    ///
    /// - Throws: ``ProofFailure`` with code `.shares`, by the number of the line and without anything of what stands there.
    package init(text: SecretBytes) throws(ProofFailure) {
        var shares: [SecretBytes] = []
        try text.withBytes { (bytes) throws(ProofFailure) in
            var rest = bytes[...]
            var line = 0
            while !rest.isEmpty {
                let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
                line += 1
                let word = SecretText.trimmed(UnsafeRawBufferPointer(rebasing: rest[..<end]))
                rest = rest[min(end + 1, rest.endIndex)...]
                guard !word.isEmpty else { continue }
                guard shares.count < Self.most else {
                    throw ProofFailure(
                        .shares, "More than \(Self.most) lines of key shares were given: no store has so many.")
                }
                shares.append(try Self.share(word, line))
            }
        }
        guard !shares.isEmpty else {
            throw ProofFailure(.shares, "No key share was given. Give one a line, as the server printed them.")
        }
        self.shares = shares
    }

    private static func share(_ word: UnsafeRawBufferPointer, _ line: Int) throws(ProofFailure) -> SecretBytes {
        do throws(DigestError) {
            if let share = try SecretText.hexadecimal(word), lengths.contains(share.count) { return share }
            if let share = try SecretText.base64(word), lengths.contains(share.count) { return share }
        } catch {
            throw ProofFailure(.system, error.description)
        }
        throw ProofFailure(
            .shares,
            "Line \(line) of the key shares is none: it must be 16 to 33 bytes in hexadecimal or in standard base64, "
                + "as `operator init` prints them. Shares that were encrypted with PGP must be decrypted first.")
    }

    /// The key that the shares make up.
    ///
    /// - Parameter threshold: How many the store asks for.
    /// - Throws: ``ProofFailure`` with code `.shares` for too few, doubled or impossible ones. A wrong share gives a wrong key,
    ///   which nothing tells here.
    package func key(threshold: Int) throws(ProofFailure) -> SecretBytes {
        guard count >= threshold else {
            throw ProofFailure(
                .shares,
                "Too few key shares: the store asks for \(threshold), and \(count) \(count == 1 ? "was" : "were") "
                    + "given."
            )
        }
        if threshold == 1, let only = shares.first {
            guard count == 1 else {
                throw ProofFailure(.shares, "The store has one key share, and \(count) were given. Give that one.")
            }
            guard AESGCM.keyLengths.contains(only.count) else {
                throw ProofFailure(
                    .shares,
                    "The store has one key share, which is a key of 16, 24 or 32 bytes; the one given has "
                        + "\(only.count)."
                )
            }
            return only
        }
        let places = try places()
        guard let length = shares.first?.count, AESGCM.keyLengths.contains(length - 1) else {
            throw ProofFailure(
                .shares, "A share of a split key has 17, 25 or 33 bytes; the first one given has another length.")
        }
        return try combined(GaloisField.factors(places), length - 1)
    }

    private func places() throws(ProofFailure) -> [UInt8] {
        var places: [UInt8] = []
        for (index, share) in shares.enumerated() {
            let number = index + 1
            guard share.count == shares.first?.count else {
                throw ProofFailure(
                    .shares, "Key shares 1 and \(number) have different lengths: they are not of one store.")
            }
            let place = share.withBytes { $0.last ?? 0 }
            guard place != 0 else {
                throw ProofFailure(
                    .shares, "Key share \(number) cannot be one: its last byte is 0. Look for a typing error.")
            }
            if let earlier = places.firstIndex(of: place) {
                throw ProofFailure(
                    .shares,
                    shares[earlier].isEqual(to: share)
                        ? "Key share \(number) is the same as \(earlier + 1). Give \(shares.count) different ones."
                        : "Key shares \(earlier + 1) and \(number) cannot both be of this store: they claim the same "
                            + "place."
                )
            }
            places.append(place)
        }
        return places
    }

    private func combined(_ factors: [UInt8], _ length: Int) throws(ProofFailure) -> SecretBytes {
        let key: SecretBytes
        do throws(DigestError) { key = try SecretBytes(room: length) } catch {
            throw ProofFailure(.system, error.description)
        }
        key.withMutableBytes { room in
            for (share, factor) in zip(shares, factors) {
                share.withBytes { bytes in
                    for index in room.indices { room[index] ^= GaloisField.product(factor, bytes[index]) }
                }
            }
        }
        return key
    }
}
