/// Remembers any number of keys in 4 MiB, well enough to say of most others that they were not among them.
///
/// (A Bloom filter: B. H. Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970.)
struct KeySketch: Sendable {
    private static let words = 1 << 19
    private static let probes = 5

    private var bits = [UInt64](repeating: 0, count: KeySketch.words)

    mutating func insert(_ key: UnsafeRawBufferPointer) {
        var (place, step) = Self.hash(key)
        for _ in 0..<Self.probes {
            bits[Int(place >> 6) & (Self.words - 1)] |= 1 << (place & 63)
            place &+= step
        }
    }

    /// Whether the key may have been inserted; `false` is certain.
    func mayHold(_ key: UnsafeRawBufferPointer) -> Bool {
        var (place, step) = Self.hash(key)
        for _ in 0..<Self.probes {
            if bits[Int(place >> 6) & (Self.words - 1)] & 1 << (place & 63) == 0 { return false }
            place &+= step
        }
        return true
    }

    /// Adds all keys of another sketch.
    mutating func add(_ other: KeySketch) {
        for index in bits.indices { bits[index] |= other.bits[index] }
    }

    private static func hash(_ key: UnsafeRawBufferPointer) -> (UInt32, UInt32) {
        // FNV-1a, then mixed so that all bits of the result depend on all bytes.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x0100_0000_01b3 }
        hash = (hash ^ hash >> 32) &* 0x9e37_79b9_7f4a_7c15
        hash ^= hash >> 29
        return (UInt32(truncatingIfNeeded: hash), UInt32(truncatingIfNeeded: hash >> 32) | 1)
    }
}
