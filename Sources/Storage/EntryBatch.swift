import Glibc
import Synchronization

/// Many entries in one contiguous arena: the unit that flows from a source to a destination.
///
/// An entry is its key bytes followed by its value bytes, and before them a stamp (a digest of the value) if the batch
/// was made with a stamper: computed when the value is put in, while it is in the processor's cache. About 1 MiB or 1,024 entries make a batch
/// (``targetBytes``, ``targetEntries``); one larger value makes a batch of its own, so the arena grows to whatever one
/// entry needs.
///
/// A batch is owned by one thread at a time and handed on whole, until it is shared: from then on any number of holders may
/// read it and none changes it.
// Unchecked: nobody keeps a reference after handing a batch on, so no two threads ever touch one that changes.
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

    /// What changes with every entry. Kept behind a pointer: the exclusivity checks that guard the properties of a
    /// class would cost as much as the work.
    private struct State {
        var arena: UnsafeMutableRawPointer
        var capacity: Int
        var slots: UnsafeMutablePointer<Slot>
        var slotCapacity: Int
        var count = 0
        var heldBytes = 0
        var byteCount = 0
        var hasFailedStamp = false
    }

    private let state: UnsafeMutablePointer<State>
    /// How many still hold the batch.
    private let holders = Atomic(1)
    private let stamper: (any ValueStamper)?
    /// Bytes of the stamp of every entry; 0 without a stamper.
    package let stampBytes: Int
    /// Whether values are held.
    package let keepsValues: Bool

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
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                arena: .allocate(byteCount: max(capacity, 64), alignment: 16), capacity: max(capacity, 64),
                slots: .allocate(capacity: EntryBatch.targetEntries), slotCapacity: EntryBatch.targetEntries))
        self.stamper = stamper
        self.stampBytes = stamper?.stampBytes ?? 0
        self.keepsValues = keepsValues
    }

    deinit {
        state.pointee.arena.deallocate()
        state.pointee.slots.deallocate()
        state.deallocate()
    }

    /// Bytes the arena has room for.
    package var capacity: Int { state.pointee.capacity }

    /// Bytes of stamps, keys and values held.
    package var heldBytes: Int { state.pointee.heldBytes }

    /// Bytes of keys and values of the entries, whether or not the values are held.
    package var byteCount: Int { state.pointee.byteCount }

    /// Whether the stamper failed for some entry; the batch must not be used then.
    package var hasFailedStamp: Bool { state.pointee.hasFailedStamp }

    /// Number of entries.
    package var count: Int { state.pointee.count }

    /// Whether the batch should be handed on.
    package var isFull: Bool { heldBytes >= EntryBatch.targetBytes || count >= EntryBatch.targetEntries }

    /// Hands the batch to several holders, who only read it and each give it back to its pool once.
    package func share(among count: Int) {
        holders.store(max(count, 1), ordering: .releasing)
    }

    /// One holder is done with the batch.
    ///
    /// - Returns: Whether it was the last; the batch is as new for the next owner then.
    func release() -> Bool {
        guard holders.subtract(1, ordering: .acquiringAndReleasing).newValue <= 0 else { return false }
        holders.store(1, ordering: .relaxed)
        return true
    }

    /// Forgets all entries and keeps the memory.
    package func removeAll() {
        state.pointee.count = 0
        state.pointee.heldBytes = 0
        state.pointee.byteCount = 0
        state.pointee.hasFailedStamp = false
        cursor = nil
    }

    /// Copies an entry in behind the others.
    package func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        reserve(stampBytes + key.count + (keepsValues ? value.count : 0))
        let place = state.pointee.arena + state.pointee.heldBytes + stampBytes
        if let base = key.baseAddress { place.copyMemory(from: base, byteCount: key.count) }
        if keepsValues, let base = value.baseAddress {
            (place + key.count).copyMemory(from: base, byteCount: value.count)
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
        let place = state.pointee.arena + state.pointee.heldBytes + stampBytes
        if let base = key.baseAddress { place.copyMemory(from: base, byteCount: key.count) }
        let room = UnsafeMutableRawBufferPointer(start: place + key.count, count: maximumValueCount)
        guard let used = fill(room) else { return false }
        precondition(used >= 0 && used <= maximumValueCount, "a filler reports more bytes than it was given")
        finishEntry(keyCount: key.count, value: UnsafeRawBufferPointer(rebasing: room[..<used]))
        return true
    }

    /// Stamps the value, which is wherever it is cheapest to read, and counts the entry.
    private func finishEntry(keyCount: Int, value: UnsafeRawBufferPointer) {
        let start = state.pointee.heldBytes
        if let stamper {
            let place = state.pointee.arena + start
            let key = UnsafeRawBufferPointer(start: place + stampBytes, count: keyCount)
            if !stamper.stamp(value, of: key, into: place) { state.pointee.hasFailedStamp = true }
        }
        let held = keepsValues ? value.count : 0
        add(Slot(start: start, keyCount: keyCount, heldCount: held, valueCount: value.count))
    }

    /// Appends an entry of another batch of the same kind, with its stamp.
    package func append(entry index: Int, of other: EntryBatch) {
        precondition(
            other.stampBytes == stampBytes && other.keepsValues == keepsValues, "batches of different kinds are joined")
        var slot = other.slot(index)
        let count = stampBytes + slot.keyCount + slot.heldCount
        reserve(count)
        (state.pointee.arena + heldBytes).copyMemory(from: other.state.pointee.arena + slot.start, byteCount: count)
        slot.start = heldBytes
        add(slot)
        if other.hasFailedStamp { state.pointee.hasFailedStamp = true }
    }

    /// Appends an entry that was put aside, with the stamp it had, which is not computed again.
    ///
    /// - Parameters:
    ///   - stamp: Exactly ``stampBytes`` bytes.
    ///   - valueCount: Bytes of the value, whether it is held or not.
    /// - Returns: Room for what is held of the value, to be filled before the batch is used for anything else.
    package func append(
        key: UnsafeRawBufferPointer, stamp: UnsafeRawBufferPointer, valueCount: Int
    ) -> UnsafeMutableRawBufferPointer {
        precondition(stamp.count == stampBytes && valueCount >= 0, "a stamp of another kind of batch")
        let held = keepsValues ? valueCount : 0
        reserve(stampBytes + key.count + held)
        let start = state.pointee.heldBytes
        let place = state.pointee.arena + start
        if let base = stamp.baseAddress { place.copyMemory(from: base, byteCount: stampBytes) }
        if let base = key.baseAddress { (place + stampBytes).copyMemory(from: base, byteCount: key.count) }
        add(Slot(start: start, keyCount: key.count, heldCount: held, valueCount: valueCount))
        return UnsafeMutableRawBufferPointer(start: place + stampBytes + key.count, count: held)
    }

    private func add(_ slot: Slot) {
        if state.pointee.count == state.pointee.slotCapacity { growSlots() }
        (state.pointee.slots + state.pointee.count).initialize(to: slot)
        state.pointee.count += 1
        state.pointee.heldBytes += stampBytes + slot.keyCount + slot.heldCount
        state.pointee.byteCount += slot.keyCount + slot.valueCount
    }

    private func slot(_ index: Int) -> Slot {
        precondition(index >= 0 && index < state.pointee.count, "no such entry in the batch")
        return state.pointee.slots[index]
    }

    /// The key of entry `index`, borrowed until the batch changes.
    package func key(_ index: Int) -> UnsafeRawBufferPointer {
        let slot = slot(index)
        return UnsafeRawBufferPointer(start: state.pointee.arena + slot.start + stampBytes, count: slot.keyCount)
    }

    /// The value of entry `index`, borrowed until the batch changes; empty where the batch keeps no values.
    package func value(_ index: Int) -> UnsafeRawBufferPointer {
        let slot = slot(index)
        let start = slot.start + stampBytes + slot.keyCount
        return UnsafeRawBufferPointer(start: state.pointee.arena + start, count: slot.heldCount)
    }

    /// Bytes of the value of entry `index`, whether it is held or not.
    package func valueCount(_ index: Int) -> Int { slot(index).valueCount }

    /// The stamp of entry `index`, borrowed until the batch changes; empty without a stamper.
    package func stamp(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: state.pointee.arena + slot(index).start, count: stampBytes)
    }

    /// All that is held of entry `index`: stamp, key and value without a gap, borrowed until the batch changes.
    package func heldBytes(_ index: Int) -> UnsafeRawBufferPointer {
        let slot = slot(index)
        return UnsafeRawBufferPointer(
            start: state.pointee.arena + slot.start, count: stampBytes + slot.keyCount + slot.heldCount)
    }

    /// Drops the last entry.
    package func removeLast() {
        guard count > 0 else { return }
        let slot = slot(count - 1)
        state.pointee.count -= 1
        state.pointee.heldBytes = slot.start
        state.pointee.byteCount -= slot.keyCount + slot.valueCount
    }

    /// Drops the entries whose index `isDropped` names, keeping the order of the others.
    package func removeEntries(where isDropped: (Int) -> Bool) {
        var kept = 0
        for index in 0..<count {
            let slot = slot(index)
            if isDropped(index) {
                state.pointee.byteCount -= slot.keyCount + slot.valueCount
                continue
            }
            state.pointee.slots[kept] = slot
            kept += 1
        }
        state.pointee.count = kept
    }

    /// Sorts the entries by key, bytewise. Values do not move.
    package func sortByKey() {
        let base = UnsafeRawPointer(state.pointee.arena) + stampBytes
        var slots = UnsafeMutableBufferPointer(start: state.pointee.slots, count: count)
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
        fresh.copyMemory(from: state.pointee.arena, byteCount: heldBytes)
        state.pointee.arena.deallocate()
        state.pointee.arena = fresh
        state.pointee.capacity = grown
    }

    private func growSlots() {
        let grown = state.pointee.slotCapacity * 2
        let fresh = UnsafeMutablePointer<Slot>.allocate(capacity: grown)
        fresh.moveInitialize(from: state.pointee.slots, count: count)
        state.pointee.slots.deallocate()
        state.pointee.slots = fresh
        state.pointee.slotCapacity = grown
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
    /// Writes the stamp of the value of an entry; where the key is of no matter, that of the value alone.
    ///
    /// - Returns: `false` if it cannot be computed.
    func stamp(
        _ value: UnsafeRawBufferPointer, of key: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer
    ) -> Bool
}

extension ValueStamper {
    package func stamp(
        _ value: UnsafeRawBufferPointer, of key: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer
    ) -> Bool { stamp(value, into: output) }
}
