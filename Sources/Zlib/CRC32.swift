import CZlib

/// The CRC-32 of gzip and `x-amz-crc32` (RFC 1952 section 8).
///
/// - Parameter earlier: The CRC of the bytes before, for a text in several pieces.
package func crc32(_ bytes: UnsafeRawBufferPointer, continuing earlier: UInt32 = 0) -> UInt32 {
    guard let base = bytes.baseAddress else { return earlier }
    return UInt32(
        truncatingIfNeeded: crc32_z(uLong(earlier), base.assumingMemoryBound(to: Bytef.self), bytes.count))
}
