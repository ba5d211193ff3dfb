import Digest
import Storage
import TestSupport

@testable import Migration

/// The forms that entries can have in a journal.
enum JournalForm: CaseIterable, Sendable {
    case plain
    case stamped
    case keysOnly

    func pool() -> BatchPool {
        switch self {
        case .plain: BatchPool()
        case .stamped: BatchPool { CountingStamper() }
        case .keysOnly: BatchPool(keepsValues: false) { CountingStamper() }
        }
    }
}

/// Stamps that cannot be computed a second time: the same value gets another one.
final class CountingStamper: ValueStamper {
    let stampBytes = 12
    private var count: UInt32 = 0
    private let own = UInt64.random(in: 0 ... .max)

    func stamp(_ value: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) -> Bool {
        count += 1
        output.storeBytes(of: own, as: UInt64.self)
        output.storeBytes(of: count, toByteOffset: 8, as: UInt32.self)
        return true
    }
}

/// Everything about an entry that a journal has to give back.
struct JournaledEntry: Hashable, Comparable {
    let key: StorageKey
    let stamp: [UInt8]
    let value: [UInt8]
    let valueCount: Int

    init(_ batch: EntryBatch, _ index: Int) {
        key = StorageKey(copying: batch.key(index))
        stamp = Array(batch.stamp(index))
        value = Array(batch.value(index))
        valueCount = batch.valueCount(index)
    }

    static func < (left: JournaledEntry, right: JournaledEntry) -> Bool {
        if left.key != right.key { return left.key < right.key }
        if left.value != right.value { return left.value.lexicographicallyPrecedes(right.value) }
        return left.stamp.lexicographicallyPrecedes(right.stamp)
    }
}

func journaledEntries(of batch: EntryBatch) -> [JournaledEntry] {
    (0..<batch.count).map { JournaledEntry(batch, $0) }
}

extension EntryJournal {
    /// Begins with so many segments.
    func begin(header: [UInt8], partitions count: Int) throws(StorageError) {
        try begin(header: header, partitions: StoragePartition.segments(count))
    }
}

/// Everything in a journal, in the order it comes in, equal keys put in a fixed order.
func merged(
    _ journal: EntryJournal, _ pool: BatchPool, maximumStreams: Int = JournalMerge.maximumStreams
) throws -> [JournaledEntry] {
    var found: [JournaledEntry] = []
    try journal.merge(pool: pool, maximumStreams: maximumStreams, isCancelled: { false }) { batch in
        found += journaledEntries(of: batch)
        pool.recycle(batch)
        return true
    }
    for index in found.indices.dropFirst() where found[index].key < found[index - 1].key {
        throw StorageError(.damagedStore, "out of order", key: found[index].key)
    }
    return found.sorted()
}

/// What four partitions of a source hold, the same in every process.
struct JournalSource {
    static let partitions = 4

    let entries: [[Entry]]
    private let seed: Int

    init(seed: Int, count: Int = 1_500) {
        self.seed = seed
        var random = SeededRandom(seed)
        entries = (0..<Self.partitions).map { partition in
            (0..<count).map { index in
                // Some keys are in several partitions.
                let key = random.below(20) == 0 ? "twice/\(random.below(100))" : "p/\(random.next())/\(partition)"
                let size = random.below(40) == 0 ? random.below(60_000) : random.below(2_000)
                return Entry(StorageKey(key), [UInt8](repeating: UInt8(index & 255), count: size))
            }
        }
    }

    /// The batch that begins at an entry, with the cursor behind it; batches have other limits each time.
    func batch(_ partition: Int, from start: Int, _ pool: BatchPool, _ random: inout SeededRandom) -> EntryBatch {
        let batch = pool.take()
        let end = min(start + random.below(120), entries[partition].count)
        for entry in entries[partition][start..<end] { batch.append(key: entry.key, value: entry.value) }
        batch.cursor = ScanCursor(Array("\(end)".utf8))
        return batch
    }

    static func position(_ cursor: ScanCursor?) -> Int {
        cursor.flatMap { Int(String(decoding: $0.bytes, as: UTF8.self)) } ?? 0
    }

    /// Where a partition stands in a journal.
    func position(of partition: Int, in journal: EntryJournal) -> Int {
        switch journal.progress(of: partition) {
        case .notStarted: 0
        case .at(let cursor): Self.position(cursor)
        case .finished: entries[partition].count
        }
    }

    /// The entries of all partitions before their places.
    func entries(before positions: [Int]) -> [Entry] {
        zip(entries, positions).flatMap { $0[..<$1] }.sortedFully()
    }

    /// Goes on with a journal until everything is in it.
    ///
    /// - Parameter onBatch: Called before each batch is handed over.
    func fill(_ journal: EntryJournal, _ partition: Int, seed: Int, onBatch: () -> Void = {}) throws {
        let pool = BatchPool()
        var random = SeededRandom(seed)
        var position = position(of: partition, in: journal)
        while position < entries[partition].count {
            let batch = batch(partition, from: position, pool, &random)
            position = Self.position(batch.cursor)
            onBatch()
            try journal.append(
                batch, partition: partition, pool: pool, notes: ["position/\(partition)": Array("\(position)".utf8)])
        }
        try journal.finish(partition: partition)
    }
}

/// The keys and values in a journal, sorted by both.
func contents(of journal: EntryJournal) throws -> [Entry] {
    try merged(journal, BatchPool()).map { Entry($0.key, $0.value) }
}

extension [Entry] {
    /// By key, then by value.
    func sortedFully() -> [Entry] {
        sorted { left, right in
            left.key == right.key ? left.value.lexicographicallyPrecedes(right.value) : left.key < right.key
        }
    }
}
