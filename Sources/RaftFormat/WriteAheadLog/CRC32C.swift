/// CRC-32C (Castagnoli; RFC 3720 appendix B.4): reflected polynomial 0x82F63B78, start and final exclusive-or all ones.
package struct CRC32C: Sendable {
    private var state = UInt32.max

    package init() {}

    /// The checksum of the bytes so far.
    package var value: UInt32 { ~state }

    /// Adds bytes, eight at a time.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        state = Self.tables.withUnsafeBufferPointer { tables in
            var crc = state
            var offset = 0
            while bytes.count - offset >= 8 {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                let mixed = word ^ UInt64(crc)
                crc = 0
                for place in 0..<8 {
                    crc ^= tables[(7 - place) << 8 | Int(truncatingIfNeeded: mixed &>> UInt64(8 * place)) & 0xff]
                }
                offset += 8
            }
            while offset < bytes.count {
                crc = tables[Int((crc ^ UInt32(bytes[offset])) & 0xff)] ^ crc &>> 8
                offset += 1
            }
            return crc
        }
    }

    /// Eight tables of 256: table n has what a byte leaves behind after n more bytes of zero.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 << 8)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc &>> 1 ^ 0x82f6_3b78 : crc &>> 1 }
            tables[byte] = crc
        }
        for place in 256..<(8 << 8) {
            let before = tables[place - 256]
            tables[place] = tables[Int(before & 0xff)] ^ before &>> 8
        }
        return tables
    }()
}
