/// What counts in a segment, found by following its frames and computing the checksum of every batch.
///
/// A file is preallocated with zeros: the walk ends at the first frame that is none, not at the end of the file. What
/// counts is the run of batches with right checksums from the beginning. A wrong one behind them is a write that was
/// torn; a right one behind a wrong one is none that a crash can leave.
struct SegmentScan: Sendable {
    /// Where the frames of the entries that count begin, from ``firstPosition`` on.
    private(set) var offsets: [UInt32] = []
    /// Place, in the file, of the entry that ``offsets`` begins with.
    let firstPosition: Int
    /// Entries that count, also those in front of ``firstPosition``.
    private(set) var entries = 0
    /// Whether the array of offsets stands among what counts.
    private(set) var hasArray = false
    /// Where a batch with a wrong checksum ends; `nil` if there is none.
    private(set) var wrongAt: Int?
    /// Where the last good batch ends, its commit included.
    private(set) var end = 0

    /// - Parameter firstPosition: Place of the first entry whose offset is wanted.
    init(_ file: SegmentFile, from firstPosition: Int) throws(RaftFormatError) {
        self.firstPosition = firstPosition
        var reader = try FrameReader(file)
        var position = 0
        var pendingArray = false
        while let frame = try reader.next() {
            switch frame.kind {
            case .entry:
                if position >= firstPosition { offsets.append(UInt32(truncatingIfNeeded: frame.offset)) }
                position += 1
            case .array: pendingArray = true
            case .commit(let isRight):
                if !isRight {
                    wrongAt = wrongAt ?? frame.offset
                } else if let wrongAt {
                    throw file.damaged(
                        "the batch that ends at byte \(wrongAt) has a wrong checksum and right ones behind it: the "
                            + "file is damaged, not torn. Use an intact copy of the directory")
                } else {
                    entries = position
                    hasArray = hasArray || pendingArray
                    end = frame.offset + 8
                }
            }
        }
        offsets.removeLast(max(offsets.count - max(entries - firstPosition, 0), 0))
    }

    /// Whether anything but zeros was found behind what counts.
    var isTorn: Bool { wrongAt != nil }
}

/// Follows the frames of a segment in one pass over its written part.
private struct FrameReader {
    struct Frame {
        enum Kind {
            case entry
            case array
            case commit(isRight: Bool)
        }

        let offset: Int
        let kind: Kind
    }

    private static let windowBytes = 256 << 10

    private let file: SegmentFile
    private var window: [UInt8] = []
    private var windowStart = 0
    /// Where the next frame begins; everything in front of it that belongs to its batch is in the checksum.
    private var offset = SegmentFile.headerBytes
    private var checksum = CRC32C()

    init(_ file: SegmentFile) throws(RaftFormatError) {
        self.file = file
        // The first batch's checksum covers the header as well.
        _ = try add(0, SegmentFile.headerBytes)
    }

    /// The next frame that is there whole; `nil` at the first thing that is none.
    mutating func next() throws(RaftFormatError) -> Frame? {
        let start = offset
        // Offsets have 32 bits.
        guard start <= UInt32.max, start + 8 <= file.size else { return nil }
        try fill(start, 8)
        guard start + 8 <= windowStart + window.count,
            let kind = FrameKind(rawValue: window[start - windowStart])
        else { return nil }
        let number = littleEndian32(window, start - windowStart + 4)
        guard kind != .commit else {
            let isRight = checksum.value == number
            checksum = CRC32C()
            offset = start + 8
            return Frame(offset: start, kind: .commit(isRight: isRight))
        }
        let bytes = 8 + (Int(number) + 7) / 8 * 8
        guard bytes <= file.size - start, try add(start, bytes) else { return nil }
        offset = start + bytes
        return Frame(offset: start, kind: kind == .entry ? .entry : .array)
    }

    /// Adds bytes of the file to the checksum; `false` if the file ends before.
    private mutating func add(_ start: Int, _ count: Int) throws(RaftFormatError) -> Bool {
        var place = start
        let end = start + count
        while place < end {
            try fill(place, 1)
            let available = min(windowStart + window.count, end) - place
            guard available > 0 else { return false }
            window.withUnsafeBytes { bytes in
                let lower = place - windowStart
                checksum.update(UnsafeRawBufferPointer(rebasing: bytes[lower..<(lower + available)]))
            }
            place += available
        }
        return true
    }

    /// Lets the window hold `count` bytes from a position on, if the file has them.
    private mutating func fill(_ start: Int, _ count: Int) throws(RaftFormatError) {
        if start >= windowStart, start + count <= windowStart + window.count { return }
        window = try file.bytes(at: start, Self.windowBytes)
        windowStart = start
    }
}
