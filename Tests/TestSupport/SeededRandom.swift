/// SplitMix64: small, fast, the same everywhere.
package struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    package init(_ seed: some BinaryInteger) { state = UInt64(truncatingIfNeeded: seed) }

    /// For hostile inputs: `scripts/fuzz` begins elsewhere each time.
    package init(fuzz seed: Int) { self.init(seed &+ Effort.seed &* 1_000_003) }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    package mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, size in
            for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: next()) }
            size = count
        }
    }

    /// Changes, removes, doubles or inserts a few bytes.
    package mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(4) {
            let place = below(bytes.count + 1)
            switch below(5) {
            case 0: bytes.insert(UInt8(truncatingIfNeeded: next()), at: place)
            case 1 where place < bytes.count: bytes.remove(at: place)
            case 2: bytes.removeLast(min(below(4), bytes.count))
            case 3 where !bytes.isEmpty: bytes += bytes[below(bytes.count)...].prefix(9)
            default: if place < bytes.count { bytes[place] = UInt8(truncatingIfNeeded: next()) }
            }
        }
        return bytes
    }
}
