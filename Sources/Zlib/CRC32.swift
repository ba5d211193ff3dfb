import CZlib

/// The CRC-32 of gzip and `x-amz-crc32` (RFC 1952 section 8).
///
/// - Parameter earlier: The CRC of the bytes before, for a text in several pieces.
package func crc32(_ bytes: UnsafeRawBufferPointer, continuing earlier: UInt32 = 0) -> UInt32 {
    guard let base = bytes.baseAddress else { return earlier }
    return UInt32(
        truncatingIfNeeded: crc32_z(uLong(earlier), base.assumingMemoryBound(to: Bytef.self), bytes.count))
}

/// The CRC-32 of two texts one behind the other.
///
/// - Parameters:
///   - first: Of the first text.
///   - second: Of the second text, begun anew.
///   - count: Bytes of the second text.
package func combinedCRC32(_ first: UInt32, _ second: UInt32, count: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: crc32_combine(uLong(first), uLong(second), Int(count)))
}
