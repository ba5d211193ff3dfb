import RaftFormat
import Storage

/// The entries of a small archive in memory, in key order, all verified.
struct SortedEntries: Sendable {
    /// What is kept in memory at most: bytes of `state.bin`, and entries.
    struct Limit: Sendable {
        var bytes = 32 << 20
        var entries = 400_000

        /// Nothing at all.
        static let nothing = Limit(bytes: 0, entries: 0)
    }

    private struct Slot {
        let start: Int
        let keyCount: Int
        let valueCount: Int
    }

    private var bytes: [UInt8] = []
    private var slots: [Slot] = []
    private(set) var isOrdered = true
    /// Entries that a later one of the same key has replaced, as a restore would.
    private(set) var replaced = 0

    var count: Int { slots.count }
    /// Bytes of keys and values.
    private(set) var contentBytes = 0

    /// Reads an archive.
    ///
    /// - Returns: `nil` if it holds more than the limit.
    static func read(
        _ file: SnapshotFile, _ limit: Limit, isCancelled: () -> Bool
    ) throws -> (SortedEntries, SnapshotParser.Contents)? {
        guard file.size <= limit.bytes else { return nil }
        let loading = Loading()
        let contents = try file.read(isCancelled: isCancelled) { bytes in
            guard loading.stateBytes + bytes.count <= limit.bytes else { return false }
            loading.stateBytes += bytes.count
            return try loading.frames.take(bytes) { key, value in
                guard loading.entries.slots.count < limit.entries else { return false }
                loading.entries.add(key, value)
                return true
            }
        }
        guard let contents else { return nil }
        try loading.frames.finish()
        loading.entries.settle()
        return (loading.entries, contents)
    }

    private final class Loading {
        var frames = SnapshotFrames()
        var entries = SortedEntries()
        var stateBytes = 0
    }

    private mutating func add(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if isOrdered, let last = slots.last, compare(key, last) <= 0 { isOrdered = false }
        slots.append(Slot(start: bytes.count, keyCount: key.count, valueCount: value.count))
        bytes.append(contentsOf: key)
        bytes.append(contentsOf: value)
    }

    /// Brings the entries into order; of one key the last counts.
    private mutating func settle() {
        if !isOrdered {
            let sorted = bytes.withUnsafeBytes { bytes in
                slots.sorted { left, right in
                    let order = compareBytes(Self.key(left, bytes), Self.key(right, bytes))
                    return order == 0 ? left.start < right.start : order < 0
                }
            }
            let kept = bytes.withUnsafeBytes { bytes in
                sorted.indices.filter { index in
                    index + 1 == sorted.count
                        || compareBytes(Self.key(sorted[index], bytes), Self.key(sorted[index + 1], bytes)) != 0
                }
            }
            replaced = sorted.count - kept.count
            slots = kept.map { sorted[$0] }
        }
        contentBytes = slots.reduce(0) { $0 + $1.keyCount + $1.valueCount }
    }

    private static func key(_ slot: Slot, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[slot.start..<(slot.start + slot.keyCount)])
    }

    private func compare(_ key: UnsafeRawBufferPointer, _ slot: Slot) -> Int {
        bytes.withUnsafeBytes { compareBytes(key, Self.key(slot, $0)) }
    }

    /// The first entry whose key is not before `key`.
    private func place(_ key: StorageKey) -> Int {
        var (lower, upper) = (0, slots.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            let isBehind = key.bytes.withBytes { compare($0, slots[middle]) > 0 }
            if isBehind { lower = middle + 1 } else { upper = middle }
        }
        return lower
    }

    func value(of key: StorageKey) -> [UInt8]? {
        let place = place(key)
        guard place < slots.count, key.bytes.withBytes({ compare($0, slots[place]) == 0 }) else { return nil }
        let start = slots[place].start + slots[place].keyCount
        return Array(bytes[start..<(start + slots[place].valueCount)])
    }

    /// Gives the entries of a range in order, borrowed; `false` ends it.
    func forEach(
        from lower: StorageKey?,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        let first = lower.map { place($0) } ?? 0
        try bytes.withUnsafeBytes { bytes in
            for slot in slots[first...] {
                let start = slot.start + slot.keyCount
                let value = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + slot.valueCount)])
                guard try body(Self.key(slot, bytes), value) else { return }
            }
        }
    }
}
