import Glibc

/// The bytes of an answer, which the server sends from where they lie.
// Unchecked: one thread fills it; once it is part of a response nobody changes it.
package final class HTTPServerBody: @unchecked Sendable {
    private var start: UnsafeMutableRawPointer
    private var capacity: Int
    /// Bytes held.
    package private(set) var count = 0

    /// An empty body with room for `capacity` bytes before it has to grow.
    package init(capacity: Int) {
        self.capacity = max(capacity, 64)
        self.start = .allocate(byteCount: self.capacity, alignment: 16)
    }

    package convenience init(copying bytes: [UInt8]) {
        self.init(capacity: bytes.count)
        bytes.withUnsafeBytes { append($0) }
    }

    deinit {
        start.deallocate()
    }

    /// The bytes, borrowed until the body changes or goes away.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    /// Adds a copy of bytes at the end.
    @inline(__always)
    package func append(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        if capacity - count < bytes.count { grow(bytes.count) }
        (start + count).copyMemory(from: base, byteCount: bytes.count)
        count += bytes.count
    }

    /// Adds one byte at the end.
    @inline(__always)
    package func append(_ byte: UInt8) {
        if capacity == count { grow(1) }
        start.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    /// Adds the bytes of a text that is known when the program is built.
    package func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Adds the UTF-8 form of a text.
    package func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    private func grow(_ more: Int) {
        capacity = max(capacity * 2, count + more)
        let fresh = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        fresh.copyMemory(from: start, byteCount: count)
        start.deallocate()
        start = fresh
    }
}
