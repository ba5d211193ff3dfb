import Digest
import Storage
import Synchronization

/// A share of all keys, chosen by the keys alone, so that two stores are sampled alike.
///
/// A key belongs to it if the first eight bytes of the SHA-256 of the seed, a colon and the key, as a big-endian number, are
/// below that share of 2^64. Who knows the seed finds the same keys again, by other means as well.
package final class KeySample: Sendable, Equatable {
    /// As it was asked for, such as `0.5%`.
    package let share: String
    package let seed: String
    /// What is hashed before every key.
    private let prefix: [UInt8]
    /// First hash that is out of it.
    private let limit: UInt64
    private let idle = Mutex<[Hasher]>([])

    /// Keys are hashed by many threads.
    // Unchecked: taken out of the list by one thread at a time.
    private final class Hasher: @unchecked Sendable {
        let digest: SHA256Hasher

        init() throws(DigestError) { digest = try SHA256Hasher() }
    }

    /// - Parameter share: A decimal number above 0 and below 100 with at most six digits behind the point, and a percent sign.
    /// - Returns: `nil` if it is anything else.
    package init?(share: String, seed: String) {
        guard let millionths = Self.millionths(share), millionths > 0, millionths < Self.whole else { return nil }
        self.share = share
        self.seed = seed
        prefix = Array("\(seed):".utf8)
        limit = Self.whole.dividingFullWidth((high: millionths, low: 0)).quotient
    }

    /// A hundred percent.
    private static let whole: UInt64 = 100_000_000

    /// Millionths of a percent.
    private static func millionths(_ share: String) -> UInt64? {
        guard share.utf8.last == UInt8(ascii: "%") else { return nil }
        let parts = share.utf8.dropLast().split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2, (1...3).contains(first.count) else { return nil }
        let decimals = parts.count == 2 ? Array(parts[1]) : [UInt8(ascii: "0")]
        guard (1...6).contains(decimals.count) else { return nil }
        let padding = [UInt8](repeating: UInt8(ascii: "0"), count: 6 - decimals.count)
        var number: UInt64 = 0
        for digit in Array(first) + decimals + padding {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            number = number * 10 + UInt64(digit - UInt8(ascii: "0"))
        }
        return number
    }

    package static func == (left: KeySample, right: KeySample) -> Bool {
        left.share == right.share && left.seed == right.seed
    }

    package func contains(_ key: UnsafeRawBufferPointer) -> Bool {
        // What cannot be hashed is looked at, rather than passed over.
        guard let hash = try? hash(key) else { return true }
        return hash < limit
    }

    private func hash(_ key: UnsafeRawBufferPointer) throws(DigestError) -> UInt64 {
        let known = idle.withLock { $0.popLast() }
        let hasher = if let known { known } else { try Hasher() }
        try prefix.withBytes { bytes throws(DigestError) in try hasher.digest.update(bytes) }
        try hasher.digest.update(key)
        let hash = try hasher.digest.finish().bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        idle.withLock { $0.append(hasher) }
        return hash
    }
}
