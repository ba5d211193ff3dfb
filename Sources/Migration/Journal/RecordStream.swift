import Glibc
import LMDB
import Storage

/// Reads consecutive records, entry by entry, through a window of its own.
///
/// The file is read with plain reads: pages of a map would count as resident, and a file cut short would end the
/// process. The window only has to hold one entry's head (sizes, stamp and key); it grows for a longer one. What lies
/// beyond the window of a value is read straight into the batch.
struct RecordStream {
    private var window: UnsafeMutableRawPointer
    private var capacity: Int
    /// Whether the window is this stream's to give back.
    private var ownsWindow = false
    /// Unused bytes in the window are `start..<end`.
    private var start = 0
    private var end = 0
    /// Where in the file the byte behind the window's last stands.
    private var offset = 0
    /// Bytes of the record from `start` on.
    private var left = 0
    private var record: Int
    private let endRecord: Int
    private var entries = 0
    private var index = -1
    private(set) var keyCount = 0
    private var valueCount = 0

    /// A stream before the first of some records; ``advance(_:)`` goes to the first entry.
    init(records: Range<Int>, window: UnsafeMutableRawPointer, capacity: Int) {
        self.record = records.lowerBound - 1
        self.endRecord = records.upperBound
        self.window = window
        self.capacity = capacity
    }

    mutating func deallocate() {
        if ownsWindow { window.deallocate() }
        ownsWindow = false
    }

    /// The key of the entry at hand, valid until the stream moves.
    func key(_ source: JournalRecords) -> UnsafeRawPointer {
        UnsafeRawPointer(window) + start + JournalRecord.entryHeaderBytes + source.stampBytes
    }

    /// Goes to the next entry.
    ///
    /// - Returns: `false` behind the last.
    mutating func advance(_ source: borrowing JournalRecords) throws(StorageError) -> Bool {
        index += 1
        while index >= entries {
            guard left == 0 else { throw damaged(source) }
            record += 1
            guard record < endRecord else { return false }
            try beginRecord(source)
        }
        let header = JournalRecord.entryHeaderBytes
        try need(header, source)
        keyCount = Int(JournalRecord.load(window + start + 8, as: UInt32.self))
        valueCount = Int(JournalRecord.load(window + start + 12, as: UInt32.self))
        let head = header + source.stampBytes + keyCount
        guard left - head >= (source.keepsValues ? valueCount : 0) else { throw damaged(source) }
        try need(head, source)
        return true
    }

    /// Stands behind the entry at hand without looking at its value.
    mutating func pass(_ source: borrowing JournalRecords) {
        let count =
            JournalRecord.entryHeaderBytes + source.stampBytes + keyCount + (source.keepsValues ? valueCount : 0)
        let inWindow = min(count, end - start)
        use(inWindow)
        // What lies beyond the window is in the record, as was checked when the stream came to the entry.
        offset += count - inWindow
        left -= count - inWindow
    }

    /// Copies the entry at hand into a batch, checks it, and stands behind it.
    mutating func take(into batch: EntryBatch, _ source: borrowing JournalRecords) throws(StorageError) {
        let entry = UnsafeRawPointer(window) + start
        let check = JournalRecord.load(entry, as: UInt64.self)
        let seed = JournalRecord.entrySeed(entry, number: source.places[record].number, index: index)
        let stamp = UnsafeRawBufferPointer(
            start: entry + JournalRecord.entryHeaderBytes, count: source.stampBytes)
        let key = UnsafeRawBufferPointer(
            start: entry + JournalRecord.entryHeaderBytes + source.stampBytes, count: keyCount)
        let room = batch.append(key: key, stamp: stamp, valueCount: valueCount)
        use(JournalRecord.entryHeaderBytes + source.stampBytes + keyCount)
        let inWindow = min(room.count, end - start)
        if inWindow > 0, let base = room.baseAddress {
            base.copyMemory(from: window + start, byteCount: inWindow)
            use(inWindow)
        }
        if inWindow < room.count {
            try read(into: UnsafeMutableRawBufferPointer(rebasing: room[inWindow...]), source)
            left -= room.count - inWindow
        }
        guard DamageCheck.of(batch.heldBytes(batch.count - 1), seed: seed) == check else { throw damaged(source) }
    }

    private mutating func use(_ count: Int) {
        start += count
        left -= count
    }

    private mutating func beginRecord(_ source: borrowing JournalRecords) throws(StorageError) {
        let place = source.places[record]
        (start, end, index) = (0, 0, 0)
        offset = place.bytes.lowerBound
        left = place.bytes.count
        entries = place.entries
        // Its header was checked when the record was found.
        try need(JournalRecord.headerBytes, source)
        use(JournalRecord.headerBytes)
    }

    /// Has the next `count` bytes in the window.
    private mutating func need(_ count: Int, _ source: borrowing JournalRecords) throws(StorageError) {
        guard end - start < count else { return }
        guard count <= left else { throw damaged(source) }
        let held = end - start
        if count > capacity {
            let grown = UnsafeMutableRawPointer.allocate(byteCount: count + 4096, alignment: 16)
            grown.copyMemory(from: window + start, byteCount: held)
            deallocate()
            (window, capacity, ownsWindow) = (grown, count + 4096, true)
        } else if held > 0, start > 0 {
            memmove(window, window + start, held)
        }
        (start, end) = (0, held)
        let count = min(capacity - held, left - held)
        try read(into: UnsafeMutableRawBufferPointer(start: window + held, count: count), source)
        end = held + count
    }

    private mutating func read(
        into room: UnsafeMutableRawBufferPointer, _ source: borrowing JournalRecords
    ) throws(StorageError) {
        switch readFully(source.descriptor, at: offset, into: room) {
        case .complete: offset += room.count
        case .ended: throw damaged(source)
        case .failed(let number): throw StorageError.system("read", source.path, errno: number)
        }
    }

    private func damaged(_ source: borrowing JournalRecords) -> StorageError {
        let path = source.path
        return JournalFile.damaged(path, "record \(max(record, 0)) is damaged")
    }
}
