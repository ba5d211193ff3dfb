import Glibc
import LMDB
package import Storage
import Synchronization

/// Sorts any number of entries by key in bounded memory.
///
/// Batches are collected up to a budget, sorted, and put aside as a run in an LMDB file: the record key is run and
/// sequence number, so every write is an append; a record holds many entries. Merging reads one record of each run.
package final class EntrySorter {
    /// Bytes of entries in memory before a run is put aside.
    package static let defaultBudget = 48 << 20
    private static let recordBytes = 256 << 10
    private static let maximumFileBytes = 1 << 44

    private let environment: LMDBEnvironment
    private let budget: Int
    private var pending = EntryBatch(capacity: 1 << 20)
    private var runs: [UInt32] = []

    private static let number = Mutex(0)

    /// Makes the spill file in `folder`, under a name of its own: a comparison may sort both sides at once.
    package init(folder: String, budget: Int = EntrySorter.defaultBudget) throws {
        let number = Self.number.withLock { number in
            number += 1
            return number
        }
        let path = "\(folder)/sort-\(number).lmdb"
        unlink(path)
        unlink("\(path)-lock")
        self.environment = try LMDBEnvironment(path: path, maximumBytes: Self.maximumFileBytes, isDurable: false)
        self.budget = budget
    }

    /// Takes the entries of a batch, copying them.
    package func add(_ batch: EntryBatch) throws(StorageError) {
        for index in 0..<batch.count {
            pending.append(key: batch.key(index), value: batch.value(index))
        }
        if pending.heldBytes >= budget { try putAside() }
    }

    /// Gives everything back in key order, once. Equal keys come one behind the other.
    package func merge(
        pool: BatchPool, isCancelled: () -> Bool, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws {
        if pending.count > 0 { try putAside() }
        var readers = try (0..<runs.count).map { try RunReader(environment, run: UInt32($0), records: runs[$0]) }
        readers.removeAll { $0.isAtEnd }
        var batch = pool.take()
        while let first = Self.smallest(readers) {
            batch.append(key: readers[first].key, value: readers[first].value)
            try readers[first].advance()
            if readers[first].isAtEnd { readers.remove(at: first) }
            if batch.isFull {
                if isCancelled() { throw StorageError.cancelled }
                guard try deliver(batch) else { return }
                batch = pool.take()
            }
        }
        if batch.count > 0 { _ = try deliver(batch) }
    }

    /// Removes the spill file.
    package func close() {
        environment.close()
        unlink(environment.path)
        unlink("\(environment.path)-lock")
    }

    private static func smallest(_ readers: [RunReader]) -> Int? {
        readers.indices.min { compareBytes(readers[$0].key, readers[$1].key) < 0 }
    }

    private func putAside() throws(StorageError) {
        pending.sortByKey()
        var records: [(key: [UInt8], value: [UInt8])] = []
        var record: [UInt8] = []
        let run = UInt32(runs.count)
        var sequence: UInt32 = 0
        for index in 0..<pending.count {
            RunReader.append(key: pending.key(index), value: pending.value(index), to: &record)
            if record.count >= Self.recordBytes || index == pending.count - 1 {
                records.append((RunReader.recordKey(run, sequence), record))
                record = []
                sequence += 1
            }
        }
        do throws(LMDBError) {
            try environment.append(records)
        } catch {
            throw StorageError(
                error.isFull ? .noSpace : .io, "\(error). The sorter needs as much room as the source has bytes.")
        }
        runs.append(sequence)
        pending = EntryBatch(capacity: 1 << 20)
    }
}

/// Reads one sorted run back, a record at a time.
private struct RunReader {
    private let environment: LMDBEnvironment
    private let run: UInt32
    private let records: UInt32
    private var sequence: UInt32 = 0
    private var page = EntryBatch(capacity: 64)
    private var index = 0

    init(_ environment: LMDBEnvironment, run: UInt32, records: UInt32) throws {
        self.environment = environment
        self.run = run
        self.records = records
        try turn()
    }

    var isAtEnd: Bool { index >= page.count }

    var key: UnsafeRawBufferPointer { page.key(index) }

    var value: UnsafeRawBufferPointer { page.value(index) }

    mutating func advance() throws {
        index += 1
        if index >= page.count { try turn() }
    }

    private mutating func turn() throws {
        page.removeAll()
        index = 0
        guard sequence < records else { return }
        guard let record = try environment.value(of: Self.recordKey(run, sequence)) else {
            throw StorageError(.damagedStore, "\(environment.path): a record of the sorter is missing. Run again.")
        }
        sequence += 1
        try record.withUnsafeBytes { record in
            var offset = 0
            while offset < record.count {
                guard record.count - offset >= 12 else { throw damaged }
                let keyCount = Int(record.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                let valueCount = record.loadUnaligned(fromByteOffset: offset + 4, as: UInt64.self)
                offset += 12
                guard let valueCount = Int(exactly: valueCount), keyCount <= record.count - offset,
                    valueCount <= record.count - offset - keyCount
                else { throw damaged }
                let key = UnsafeRawBufferPointer(rebasing: record[offset..<(offset + keyCount)])
                offset += keyCount
                page.append(key: key, value: UnsafeRawBufferPointer(rebasing: record[offset..<(offset + valueCount)]))
                offset += valueCount
            }
        }
    }

    private var damaged: StorageError {
        StorageError(.damagedStore, "\(environment.path): a record of the sorter is damaged. Run again.")
    }

    static func recordKey(_ run: UInt32, _ sequence: UInt32) -> [UInt8] {
        withUnsafeBytes(of: (UInt64(run) << 32 | UInt64(sequence)).bigEndian) { Array($0) }
    }

    /// An entry in a record: key length u32, value length u64, both little-endian, then their bytes.
    static func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, to record: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(key.count).littleEndian) { record.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt64(value.count).littleEndian) { record.append(contentsOf: $0) }
        record.append(contentsOf: key)
        record.append(contentsOf: value)
    }
}
