import Glibc

/// Many entries in one contiguous arena: the unit that flows from a source to a destination.
///
/// An entry is its key bytes followed by its value bytes, and before them a stamp (a digest of the value) if the batch
/// was made with a stamper: computed when the value is put in, while it is in the processor's cache. About 1 MiB or 1,024 entries make a batch
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
        /// Where the stamp, if any, and behind it the key begins.
        var start: Int
        var keyCount: Int
        /// Bytes of the value that are held: all, or none where the batch keeps no values.
        var heldCount: Int
        var valueCount: Int
    }

    private var arena: UnsafeMutableRawPointer
    /// Bytes the arena has room for.
    package private(set) var capacity: Int
    private var slots: [Slot] = []
    private let stamper: (any ValueStamper)?
    private let stampBytes: Int
    private let keepsValues: Bool

    /// Bytes of stamps, keys and values held.
    package private(set) var heldBytes = 0
    /// Bytes of keys and values of the entries, whether or not the values are held.
    package private(set) var byteCount = 0
    /// Whether the stamper failed for some entry; the batch must not be used then.
    package private(set) var hasFailedStamp = false
    /// Position behind the last entry, for a scan that is to go on there.
    package var cursor: ScanCursor?

    /// An empty batch with room for `capacity` bytes before it has to grow.
    ///
    /// - Parameters:
    ///   - stamper: Computes a stamp of every value while it is at hand.
    ///   - keepsValues: Whether values are held; else only keys, stamps and lengths.
    package init(
        capacity: Int = EntryBatch.targetBytes + (64 << 10), stamper: (any ValueStamper)? = nil,
        keepsValues: Bool = true
    ) {
        self.capacity = max(capacity, 64)
        self.arena = .allocate(byteCount: self.capacity, alignment: 16)
        self.stamper = stamper
        self.stampBytes = stamper?.stampBytes ?? 0
        self.keepsValues = keepsValues
        slots.reserveCapacity(EntryBatch.targetEntries)
    }

    deinit {
        arena.deallocate()
    }

    /// Number of entries.
    package var count: Int { slots.count }

    /// Whether the batch should be handed on.
    package var isFull: Bool { heldBytes >= EntryBatch.targetBytes || slots.count >= EntryBatch.targetEntries }

    /// Forgets all entries and keeps the memory.
    package func removeAll() {
        slots.removeAll(keepingCapacity: true)
        heldBytes = 0
        byteCount = 0
        hasFailedStamp = false
        cursor = nil
    }

    /// Copies an entry in behind the others.
    package func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        reserve(stampBytes + key.count + (keepsValues ? value.count : 0))
        let keyStart = heldBytes + stampBytes
        if let base = key.baseAddress { (arena + keyStart).copyMemory(from: base, byteCount: key.count) }
        if keepsValues, let base = value.baseAddress {
            (arena + keyStart + key.count).copyMemory(from: base, byteCount: value.count)
        }
        finishEntry(keyCount: key.count, value: value)
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
        reserve(stampBytes + key.count + maximumValueCount)
        let keyStart = heldBytes + stampBytes
        if let base = key.baseAddress { (arena + keyStart).copyMemory(from: base, byteCount: key.count) }
        let room = UnsafeMutableRawBufferPointer(start: arena + keyStart + key.count, count: maximumValueCount)
        guard let used = fill(room) else { return false }
        precondition(used >= 0 && used <= maximumValueCount, "a filler reports more bytes than it was given")
        finishEntry(keyCount: key.count, value: UnsafeRawBufferPointer(rebasing: room[..<used]))
        return true
    }

    /// Stamps the value, which is wherever it is cheapest to read, and counts the entry.
    private func finishEntry(keyCount: Int, value: UnsafeRawBufferPointer) {
        if let stamper, !stamper.stamp(value, into: arena + heldBytes) { hasFailedStamp = true }
        let held = keepsValues ? value.count : 0
        slots.append(Slot(start: heldBytes, keyCount: keyCount, heldCount: held, valueCount: value.count))
        heldBytes += stampBytes + keyCount + held
        byteCount += keyCount + value.count
    }

    /// Appends an entry of another batch of the same kind, with its stamp.
    package func append(entry index: Int, of other: EntryBatch) {
        precondition(
            other.stampBytes == stampBytes && other.keepsValues == keepsValues, "batches of different kinds are joined")
        let slot = other.slots[index]
        let count = stampBytes + slot.keyCount + slot.heldCount
        reserve(count)
        (arena + heldBytes).copyMemory(from: other.arena + slot.start, byteCount: count)
        var copy = slot
        copy.start = heldBytes
        slots.append(copy)
        heldBytes += count
        byteCount += slot.keyCount + slot.valueCount
        if other.hasFailedStamp { hasFailedStamp = true }
    }

    /// The key of entry `index`, borrowed until the batch changes.
    package func key(_ index: Int) -> UnsafeRawBufferPointer {
        let slot = slots[index]
        return UnsafeRawBufferPointer(start: arena + slot.start + stampBytes, count: slot.keyCount)
    }

    /// The value of entry `index`, borrowed until the batch changes; empty where the batch keeps no values.
    package func value(_ index: Int) -> UnsafeRawBufferPointer {
        let slot = slots[index]
        return UnsafeRawBufferPointer(start: arena + slot.start + stampBytes + slot.keyCount, count: slot.heldCount)
    }

    /// Bytes of the value of entry `index`, whether it is held or not.
    package func valueCount(_ index: Int) -> Int { slots[index].valueCount }

    /// The stamp of entry `index`, borrowed until the batch changes; empty without a stamper.
    package func stamp(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: arena + slots[index].start, count: stampBytes)
    }

    /// Drops the last entry.
    package func removeLast() {
        guard let slot = slots.popLast() else { return }
        heldBytes = slot.start
        byteCount -= slot.keyCount + slot.valueCount
    }

    /// Drops the entries whose index `isDropped` names, keeping the order of the others.
    package func removeEntries(where isDropped: (Int) -> Bool) {
        var kept = 0
        for index in 0..<slots.count {
            if isDropped(index) {
                byteCount -= slots[index].keyCount + slots[index].valueCount
                continue
            }
            if kept != index { slots[kept] = slots[index] }
            kept += 1
        }
        slots.removeLast(slots.count - kept)
    }

    /// Sorts the entries by key, bytewise. Values do not move.
    package func sortByKey() {
        let base = UnsafeRawPointer(arena) + stampBytes
        slots.sort { left, right in
            compareBytes(
                UnsafeRawBufferPointer(start: base + left.start, count: left.keyCount),
                UnsafeRawBufferPointer(start: base + right.start, count: right.keyCount)) < 0
        }
    }

    private func reserve(_ more: Int) {
        let needed = heldBytes + more
        guard needed > capacity else { return }
        let grown = max(needed, min(capacity * 2, needed + (4 << 20)))
        let fresh = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
        fresh.copyMemory(from: arena, byteCount: heldBytes)
        arena.deallocate()
        arena = fresh
        capacity = grown
    }
}

/// Computes a fixed number of bytes from every value that is put into a batch, such as a digest.
///
/// Used by one thread at a time, together with its batch.
package protocol ValueStamper: AnyObject {
    /// Bytes of a stamp.
    var stampBytes: Int { get }
    /// Writes the stamp of a value.
    ///
    /// - Returns: `false` if it cannot be computed.
    func stamp(_ value: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) -> Bool
}
