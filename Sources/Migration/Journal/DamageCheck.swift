/// A 64-bit number that changes with the bytes it is made of: finds damage, not forgery.
///
/// Every word goes into one of four lanes by steps that can be undone (xor, multiplication by an odd number, rotation),
/// so any change within one word changes the result for certain, larger ones but for one in 2^64. It runs at the speed
/// of memory, where a CRC-32 without special instructions would be the slowest part of a merge.
enum DamageCheck {
    private static let factor: UInt64 = 0x9e37_79b9_7f4a_7c15

    static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        var lane0 = seed ^ 0x243f_6a88_85a3_08d3
        guard let base = bytes.baseAddress, bytes.count > 0 else { return mixed(lane0) }
        var lane1 = seed &+ 0x1319_8a2e_0370_7344
        var lane2 = seed ^ 0xa409_3822_299f_31d0
        var lane3 = seed &+ 0x082e_fa98_ec4e_6c89
        var offset = 0
        let whole = bytes.count & ~31
        while offset < whole {
            lane0 = step(lane0, word(base + offset))
            lane1 = step(lane1, word(base + offset + 8))
            lane2 = step(lane2, word(base + offset + 16))
            lane3 = step(lane3, word(base + offset + 24))
            offset += 32
        }
        while offset + 8 <= bytes.count {
            lane0 = step(lane0, word(base + offset))
            offset += 8
        }
        // The length tells a short last word from one with zeros behind it.
        var last = UInt64(bytes.count) << 56
        for index in 0..<(bytes.count - offset) { last ^= UInt64(bytes[offset + index]) << UInt64(8 * index) }
        lane0 = step(lane0, last)
        return mixed(step(step(step(lane0, lane1), lane2), lane3))
    }

    private static func word(_ place: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: place.loadUnaligned(as: UInt64.self))
    }

    private static func step(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        let product = (lane ^ word) &* factor
        return product << 29 | product >> 35
    }

    private static func mixed(_ lane: UInt64) -> UInt64 {
        let product = (lane ^ lane >> 32) &* factor
        return product ^ product >> 29
    }
}
