import Glibc

/// Many entries in one contiguous arena: the unit that flows from a source to a destination.
///
/// An entry is its key bytes followed by its value bytes. About 1 MiB or 1,024 entries make a batch
/// (``targetBytes``, ``targetEntries``); one larger value makes a batch of its own, so the arena grows to whatever one
/// entry needs.
///
/// A batch is owned by one thread at a time and handed on whole.
// Unchecked: nobody keeps a reference after handing a batch on, so no two threads ever touch one at the same time.
package final class EntryBatch: @unchecked Sendable {
    /// Where a batch is full, in bytes of keys and values.
    package static let targetBytes = 1 << 20
    /// Where a batch is full, in entries.
    package static let targetEntries = 1024

    private struct Slot {
        var start: Int
        var keyCount: Int
        var valueCount: Int
    }

    private var arena: UnsafeMutableRawPointer
    /// Bytes the arena has room for.
    package private(set) var capacity: Int
    private var slots: [Slot] = []

    /// Bytes of keys and values held.
    package private(set) var byteCount = 0
    /// Position behind the last entry, for a scan that is to go on there.
    package var cursor: ScanCursor?

    /// An empty batch with room for `capacity` bytes before it has to grow.
    package init(capacity: Int = EntryBatch.targetBytes + (64 << 10)) {
        self.capacity = max(capacity, 64)
        self.arena = .allocate(byteCount: self.capacity, alignment: 16)
        slots.reserveCapacity(EntryBatch.targetEntries)
    }

    deinit {
        arena.deallocate()
    }

    /// Number of entries.
    package var count: Int { slots.count }

    /// Whether the batch should be handed on.
    package var isFull: Bool { byteCount >= EntryBatch.targetBytes || slots.count >= EntryBatch.targetEntries }

    /// Forgets all entries and keeps the memory.
    package func removeAll() {
        slots.removeAll(keepingCapacity: true)
        byteCount = 0
        cursor = nil
    }

    /// Copies an entry in behind the others.
    package func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        append(key: key, maximumValueCount: value.count) { room in
            room.copyMemory(from: value)
            return value.count
        }
    }

    /// Copies an entry in behind the others.
    package func append(key: StorageKey, value: [UInt8]) {
        key.bytes.withUnsafeBytes { key in value.withUnsafeBytes { value in append(key: key, value: value) } }
    }

    /// Appends an entry whose value is written straight into the arena.
    ///
    /// - Parameter fill: Receives exactly `maximumValueCount` bytes of uninitialised room and returns how many it
    ///   used; `nil` drops the entry again.
    /// - Returns: Whether the entry was kept.
    @discardableResult
    package func append(
        key: UnsafeRawBufferPointer, maximumValueCount: Int, fill: (UnsafeMutableRawBufferPointer) -> Int?
    ) -> Bool {
        reserve(key.count + maximumValueCount)
        let start = byteCount
        if let base = key.baseAddress { (arena + start).copyMemory(from: base, byteCount: key.count) }
        let room = UnsafeMutableRawBufferPointer(start: arena + start + key.count, count: maximumValueCount)
        guard let used = fill(room) else { return false }
        precondition(used >= 0 && used <= maximumValueCount, "a filler reports more bytes than it was given")
        slots.append(Slot(start: start, keyCount: key.count, valueCount: used))
        byteCount = start + key.count + used
        return true
    }

    /// The key of entry `index`, borrowed until the batch changes.
    package func key(_ index: Int) -> UnsafeRawBufferPointer {
        let slot = slots[index]
        return UnsafeRawBufferPointer(start: arena + slot.start, count: slot.keyCount)
    }

    /// The value of entry `index`, borrowed until the batch changes.
    package func value(_ index: Int) -> UnsafeRawBufferPointer {
        let slot = slots[index]
        return UnsafeRawBufferPointer(start: arena + slot.start + slot.keyCount, count: slot.valueCount)
    }

    /// Drops the last entry.
    package func removeLast() {
        guard let slot = slots.popLast() else { return }
        byteCount = slot.start
    }

    /// Drops the entries whose index `isDropped` names, keeping the order of the others.
    package func removeEntries(where isDropped: (Int) -> Bool) {
        var kept = 0
        for index in 0..<slots.count where !isDropped(index) {
            if kept != index { slots[kept] = slots[index] }
            kept += 1
        }
        slots.removeLast(slots.count - kept)
    }

    /// Sorts the entries by key, bytewise. Values do not move.
    package func sortByKey() {
        let base = UnsafeRawPointer(arena)
        slots.sort { left, right in
            compareBytes(
                UnsafeRawBufferPointer(start: base + left.start, count: left.keyCount),
                UnsafeRawBufferPointer(start: base + right.start, count: right.keyCount)) < 0
        }
    }

    private func reserve(_ more: Int) {
        let needed = byteCount + more
        guard needed > capacity else { return }
        let grown = max(needed, min(capacity * 2, needed + (4 << 20)))
        let fresh = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
        fresh.copyMemory(from: arena, byteCount: byteCount)
        arena.deallocate()
        arena = fresh
        capacity = grown
    }
}
