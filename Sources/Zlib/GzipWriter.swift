import CZlib

/// Makes one gzip member of bytes that come piece by piece. Not for two threads at once.
package final class GzipWriter {
    // zlib remembers where it lies.
    private let stream: UnsafeMutablePointer<z_stream>
    private var room = [UInt8](repeating: 0, count: 256 << 10)

    /// - Parameter level: 0 stores, 9 takes longest.
    package init?(level: Int32) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard cz_deflate_init_gzip(stream, level) == Z_OK else {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Takes bytes and hands on what has become of them and of those before.
    ///
    /// - Returns: `false` if the library refuses.
    package func write(
        _ bytes: UnsafeRawBufferPointer, isLast: Bool = false, _ output: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows -> Bool {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: Bytef.self))
        stream.pointee.avail_in = uInt(bytes.count)
        while true {
            let result = room.withUnsafeMutableBufferPointer { room in
                stream.pointee.next_out = room.baseAddress
                stream.pointee.avail_out = uInt(room.count)
                return deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
            }
            guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else { return false }
            let count = room.count - Int(stream.pointee.avail_out)
            try room.withUnsafeBytes { try output(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            if result == Z_STREAM_END || (!isLast && stream.pointee.avail_in == 0 && stream.pointee.avail_out > 0) {
                return true
            }
            if result == Z_BUF_ERROR { return !isLast }
        }
    }
}
