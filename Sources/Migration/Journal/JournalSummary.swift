package import Storage

/// What a journal holds, in numbers; rewritten with every transaction.
struct JournalSummary: Equatable {
    private static let version: UInt64 = 2
    private static let numbers = 9
    /// Each is one read of a whole source, and at least two records of each are merged at once.
    static let mostGenerations = 1 << 12

    /// Bytes of the stamp of every entry; `nil` before the first entry.
    private(set) var stampBytes: Int?
    private(set) var keepsValues = true
    let partitions: Int
    /// Of what is added now, from 0.
    private(set) var generation = 0
    private(set) var records = 0
    private(set) var entries = 0
    /// Bytes of keys and values, whether or not values are held.
    private(set) var entryBytes = 0

    init(partitions: Int) {
        self.partitions = partitions
    }

    mutating func beginGeneration() { generation += 1 }

    mutating func add(_ batch: EntryBatch) {
        stampBytes = batch.stampBytes
        keepsValues = batch.keepsValues
        records += 1
        entries += batch.count
        entryBytes += batch.byteCount
    }

    /// Nine numbers of 8 bytes, little-endian.
    var encoded: [UInt8] {
        let numbers = [
            Self.version, stampBytes == nil ? 0 : 1, UInt64(stampBytes ?? 0), keepsValues ? 1 : 0, UInt64(partitions),
            UInt64(records), UInt64(entries), UInt64(entryBytes), UInt64(generation),
        ]
        return numbers.flatMap { number in withUnsafeBytes(of: number.littleEndian) { Array($0) } }
    }

    /// Whether an encoded form is that of a later version.
    static func isNewer(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 8 else { return false }
        let found = bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        return found > version && found < 1 << 16
    }

    /// Reads the encoded form; `nil` if it is none of this version.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == 8 * Self.numbers else { return nil }
        let numbers = bytes.withUnsafeBytes { bytes in
            (0..<Self.numbers).map { index in
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
            }
        }
        guard numbers[0] == Self.version, numbers.allSatisfy({ $0 < 1 << 56 }), numbers[8] <= Self.mostGenerations
        else {
            return nil
        }
        stampBytes = numbers[1] == 0 ? nil : Int(numbers[2])
        keepsValues = numbers[3] != 0
        partitions = Int(numbers[4])
        records = Int(numbers[5])
        entries = Int(numbers[6])
        entryBytes = Int(numbers[7])
        generation = Int(numbers[8])
    }
}

/// Something to be written: a batch of a partition, where the partition stands behind it, and notes.
struct JournalStep {
    let partition: Int
    let progress: EntryJournal.Progress?
    let batch: EntryBatch?
    /// Whether the batch names keys that are not there any more.
    let isTombstone: Bool
    let pool: BatchPool?
    let notes: [String: [UInt8]]
    /// A small batch counts for this much: its arena may be larger than what is in it.
    private static let smallestBytes = 512 << 10

    /// What the batch counts for among the bytes that wait; taken down, because a recycled batch has none.
    let bytes: Int

    init(
        partition: Int, progress: EntryJournal.Progress?, batch: EntryBatch? = nil, isTombstone: Bool = false,
        pool: BatchPool? = nil, notes: [String: [UInt8]] = [:]
    ) {
        self.partition = partition
        self.progress = progress
        self.batch = batch
        self.isTombstone = isTombstone
        self.pool = pool
        self.notes = notes
        self.bytes = batch.map { max($0.heldBytes, Self.smallestBytes) } ?? 0
    }
}

extension EntryJournal {
    /// Where a partition stands.
    package enum Progress: Hashable, Sendable {
        case notStarted
        /// Everything before the cursor is in the journal, nothing behind it.
        case at(ScanCursor)
        case finished

        var encoded: [UInt8] {
            switch self {
            case .notStarted: [0]
            case .at(let cursor): [1] + cursor.bytes
            case .finished: [2]
            }
        }

        init?(_ bytes: [UInt8]) {
            switch bytes.first {
            case 0 where bytes.count == 1: self = .notStarted
            case 1: self = .at(ScanCursor(Array(bytes.dropFirst())))
            case 2 where bytes.count == 1: self = .finished
            default: return nil
            }
        }
    }
}
