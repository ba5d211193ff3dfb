import Zlib

/// A record of which a node must not take damage for content: CRC-32 of its bytes, u32, little-endian, then the bytes. The library
/// has no checksums of its own.
enum CheckedRecord {
    static func seal(_ bytes: [UInt8]) -> [UInt8] {
        let sum = bytes.withUnsafeBytes { crc32($0) }
        return withUnsafeBytes(of: sum.littleEndian) { Array($0) } + bytes
    }

    /// - Returns: `nil` unless the bytes are what was written.
    static func open(_ record: [UInt8]) -> [UInt8]? {
        guard record.count >= 4 else { return nil }
        let bytes = Array(record[4...])
        return seal(bytes) == record ? bytes : nil
    }
}
