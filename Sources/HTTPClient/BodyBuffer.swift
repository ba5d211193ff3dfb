/// Growing memory for one body, used again for the next.
// Unchecked: one request fills it, then it is only read until it is back in the pool.
final class BodyBuffer: @unchecked Sendable {
    /// Larger ones are freed instead of kept.
    private static let largestKept = 4 << 20
    /// What an announced length may reserve at once; more must really arrive.
    private static let largestReserve = 4 << 20

    private var memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 64)
    private(set) var count = 0

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[..<count]) }

    var isWorthKeeping: Bool { memory.count <= Self.largestKept }

    func removeAll() {
        count = 0
    }

    /// Makes room for a body of the announced size.
    func reserve(_ size: Int) {
        let size = min(size, Self.largestReserve)
        // Somewhat more, because the next answer may be a little longer.
        if size > memory.count { grow(to: min(size + size / 4, Self.largestReserve)) }
    }

    func append(_ more: UnsafeRawBufferPointer) {
        if more.count > memory.count - count { grow(to: max(memory.count * 2, count + more.count)) }
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: more)
        count += more.count
    }

    private func grow(to size: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
        larger.copyMemory(from: bytes)
        memory.deallocate()
        memory = larger
    }
}
