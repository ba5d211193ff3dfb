package import Digest
import Storage

/// What the sealed checksums of an archive say of it (`SHA256SUMS.sealed`: ``SealedBlob`` under the key that the shares make up).
package enum SealedSums: String, Sendable {
    /// They are those of the archive, sealed by the server that the shares unseal.
    case genuine
    /// There are none: the archive was written without the seal, and servers restore it with `-force` only.
    case absent
    /// They open, and are of another archive.
    case ofAnotherArchive = "of another archive"
    /// The shares do not open them.
    case notOfThisSeal = "not of this seal"

    /// Whether servers take the archive for their own, or say nothing of it.
    package var isSound: Bool { self == .genuine || self == .absent }
}

extension OpenedBarrier {
    /// Holds sealed checksums against those in clear, whose lines may stand in another order.
    ///
    /// - Parameter sealed: `nil` if there are none.
    package func verdict(onSealed sealed: [UInt8]?, of clear: [UInt8]) throws(DigestError) -> SealedSums {
        guard let sealed, !sealed.isEmpty else { return .absent }
        guard let blob = SealedBlob(sealed), !blob.isWrapped else { return .notOfThisSeal }
        let key = unsealKey
        let plain = try blob.ciphertext.withBytes { (bytes) throws(DigestError) -> SecretBytes? in
            guard bytes.count >= AESGCM.nonceBytes,
                let message = AESGCM.Sealed(
                    nonce: UnsafeRawBufferPointer(rebasing: bytes[..<AESGCM.nonceBytes]),
                    additional: UnsafeRawBufferPointer(start: nil, count: 0),
                    bodyAndTag: UnsafeRawBufferPointer(rebasing: bytes[AESGCM.nonceBytes...]))
            else { return nil }
            return try AESGCM(key: key).open(message)
        }
        guard let plain else { return .notOfThisSeal }
        let lines = Self.lines(clear[...])
        return plain.withBytes { Self.lines(Array($0)[...]) == lines } ? .genuine : .ofAnotherArchive
    }

    private static func lines(_ text: ArraySlice<UInt8>) -> [[UInt8]] {
        text.split(separator: UInt8(ascii: "\n")).map(Array.init).sorted { $0.lexicographicallyPrecedes($1) }
    }
}
