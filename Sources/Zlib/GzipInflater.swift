import CZlib

/// Inflates a gzip stream of one or more members (RFC 1952), piece by piece, in bounded memory. For one thread at a time.
///
/// zlib checks each member's CRC-32 and length.
package final class GzipInflater {
    private static let roomBytes = 256 << 10

    private let stream: UnsafeMutablePointer<z_stream>
    private let room: UnsafeMutableRawBufferPointer
    /// Whether the stream so far ends with a whole member.
    private(set) package var isAtMemberEnd = false
    /// Whether some member has ended, whatever came behind it.
    private(set) package var hasWholeMember = false

    private let isSecret: Bool

    /// - Parameter isSecret: Whether what was inflated is overwritten wherever it was.
    /// - Throws: ``GzipError`` if there is no memory.
    package init(isSecret: Bool = false) throws(GzipError) {
        self.isSecret = isSecret
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        if isSecret { cz_use_erased_memory(stream) }
        room = .allocate(byteCount: Self.roomBytes, alignment: 16)
        guard cz_inflate_init_gzip(stream) == Z_OK else {
            room.deallocate()
            stream.deallocate()
            throw GzipError("out of memory")
        }
    }

    deinit {
        inflateEnd(stream)
        if isSecret { cz_erase(room.baseAddress, room.count) }
        room.deallocate()
        stream.deallocate()
    }

    /// Inflates the next piece.
    ///
    /// - Parameter deliver: Called with inflated bytes, borrowed for the call; at most 256 KiB at a time.
    /// - Throws: ``GzipError`` for bytes that are no gzip, or damaged.
    package func inflate(
        _ input: UnsafeRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard let base = input.baseAddress, let target = room.baseAddress else { return }
        stream.pointee.next_in = UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: Bytef.self))
        stream.pointee.avail_in = uInt(input.count)
        while stream.pointee.avail_in > 0 {
            if isAtMemberEnd {
                guard inflateReset(stream) == Z_OK else { throw GzipError("inflateReset fails") }
                isAtMemberEnd = false
            }
            try inflateOnce(into: target, deliver)
        }
    }

    /// Inflates until the input is used up or a member ends.
    private func inflateOnce(
        into target: UnsafeMutableRawPointer, _ deliver: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        repeat {
            stream.pointee.next_out = target.assumingMemoryBound(to: Bytef.self)
            stream.pointee.avail_out = uInt(Self.roomBytes)
            let result = CZlib.inflate(stream, Z_NO_FLUSH)
            guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
                throw GzipError(stream.pointee.msg.map { String(cString: $0) } ?? "error \(result)")
            }
            let count = Self.roomBytes - Int(stream.pointee.avail_out)
            if count > 0 { try deliver(UnsafeRawBufferPointer(start: target, count: count)) }
            if result == Z_STREAM_END {
                isAtMemberEnd = true
                hasWholeMember = true
                return
            }
        } while stream.pointee.avail_out == 0
    }
}

/// A gzip stream is damaged or none at all.
package struct GzipError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
