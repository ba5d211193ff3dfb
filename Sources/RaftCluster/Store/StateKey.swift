import Digest

/// How keys of entries become keys of LMDB's, which have 1 to 511 bytes.
///
/// A key of up to 510 bytes stands for itself. A longer one is its first 479 bytes and the SHA-256 of the whole, 511 bytes, and
/// its value begins with what is missing of it: a u16 with the count, big-endian, and the bytes.
enum StateKey {
    static let longestPlain = 510
    static let prefixBytes = 479
    /// Longest key of an entry, as of integrated storage.
    static let longest = 32768

    static func isLong(_ key: UnsafeRawBufferPointer) -> Bool { key.count > longestPlain }

    /// The key under which a long one is kept.
    static func stored(long key: UnsafeRawBufferPointer) throws(DigestError) -> [UInt8] {
        Array(key[..<prefixBytes]) + (try SHA256Digest.of(key).bytes)
    }

    static func stored(long key: [UInt8]) throws(DigestError) -> [UInt8] {
        let hasher = try SHA256Hasher()
        try key.withUnsafeBufferPointer { key throws(DigestError) in try hasher.update(UnsafeRawBufferPointer(key)) }
        return Array(key.prefix(prefixBytes)) + (try hasher.finish().bytes)
    }

    /// The value of a long key with the rest of that key before it.
    static func value(
        _ value: UnsafeRawBufferPointer, of key: UnsafeRawBufferPointer
    ) -> [UInt8] {
        let rest = key[prefixBytes...]
        return [UInt8(rest.count >> 8), UInt8(rest.count & 0xff)] + Array(rest) + Array(value)
    }

    /// Takes such a value apart; `nil` if it is none.
    static func split(
        _ held: UnsafeRawBufferPointer
    ) -> (rest: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
        guard held.count >= 2 else { return nil }
        let end = 2 + (Int(held[0]) << 8 | Int(held[1]))
        guard end <= held.count else { return nil }
        return (
            UnsafeRawBufferPointer(rebasing: held[2..<end]), UnsafeRawBufferPointer(rebasing: held[end...])
        )
    }
}
