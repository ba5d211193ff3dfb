import LMDB
import Storage

/// What a journal's file holds, everything checked but the entries themselves; see ``JournalFile`` for the layout.
struct JournalContents {
    private static let maximumSmallValue = 16 << 20
    private static let maximumPartitions = 1 << 20

    private(set) var summary = JournalSummary(partitions: 0)
    private(set) var header: [UInt8] = []
    private(set) var notes: [String: [UInt8]] = [:]
    private(set) var partitions: [StoragePartition] = []
    private(set) var progress: [Int: EntryJournal.Progress] = [:]
    private(set) var records: [JournalRecord.Place] = []

    private let descriptor: Int32
    private let path: String

    /// Reads a file that nobody writes to.
    init(descriptor: Int32, path: String) throws(StorageError) {
        self.descriptor = descriptor
        self.path = path
        let contents: LMDBContents
        do throws(LMDBError) {
            contents = try LMDBContents(descriptor: descriptor, path: path)
        } catch {
            throw JournalFile.translated(error, path)
        }
        var hasSummary = false
        var hasHeader = false
        for pair in contents.pairs {
            switch pair.key[0] {
            case 1 where pair.key == JournalFile.summaryKey:
                let bytes = try small(pair)
                guard !JournalSummary.isNewer(bytes) else {
                    throw StorageError(
                        .unsupported,
                        "\(path) was written by a later version of Sealift. Go on with that version, or start afresh with "
                            + "-discard-state.")
                }
                guard let read = JournalSummary(bytes), read.partitions <= Self.maximumPartitions else {
                    throw damaged("it is of another version")
                }
                summary = read
                hasSummary = true
            case 2 where pair.key == JournalFile.headerKey:
                header = try small(pair)
                hasHeader = true
            case 3 where pair.key == JournalFile.partitionsKey:
                guard let read = PartitionList.decoded(try small(pair)) else {
                    throw damaged("its partitions are damaged")
                }
                partitions = read
            case 4:
                guard let name = String(validating: pair.key.dropFirst(), as: UTF8.self) else {
                    throw damaged("a note has no name")
                }
                notes[name] = try small(pair)
            case 5: try addProgress(pair)
            case 6: try addRecord(pair)
            default: throw damaged("it holds what no journal holds")
            }
        }
        guard hasSummary, hasHeader, partitions.count == summary.partitions else {
            throw damaged("its beginning is missing")
        }
        try checkTotals()
    }

    private func damaged(_ what: String) -> StorageError { JournalFile.damaged(path, what) }

    private func checkTotals() throws(StorageError) {
        var entries = 0
        var bytes = 0
        for record in records {
            let (sum, overflows) = bytes.addingReportingOverflow(record.entryBytes)
            guard !overflows else { throw damaged("its records are too large") }
            entries += record.entries
            bytes = sum
        }
        guard records.count == summary.records, entries == summary.entries, bytes == summary.entryBytes else {
            throw damaged("records are missing")
        }
    }

    private func read(_ range: Range<Int>) throws(StorageError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        let outcome = bytes.withUnsafeMutableBytes { readFully(descriptor, at: range.lowerBound, into: $0) }
        switch outcome {
        case .complete: return bytes
        case .ended: throw damaged("it ends too early")
        case .failed(let number): throw StorageError.system("read", path, errno: number)
        }
    }

    /// A value that ends in its check, without it.
    private func small(_ pair: LMDBContents.Pair) throws(StorageError) -> [UInt8] {
        guard pair.value.count <= Self.maximumSmallValue,
            let value = JournalFile.unsealed(try read(pair.value), pair.key)
        else { throw damaged("a value of kind \(pair.key[0]) is damaged") }
        return value
    }

    private mutating func addProgress(_ pair: LMDBContents.Pair) throws(StorageError) {
        let number = pair.key.dropFirst().reduce(0) { $0 << 8 | Int($1) }
        guard pair.key.count == 5, number < summary.partitions,
            let reached = EntryJournal.Progress(try small(pair))
        else { throw damaged("the place of a partition is damaged") }
        progress[number] = reached
    }

    private mutating func addRecord(_ pair: LMDBContents.Pair) throws(StorageError) {
        let number = pair.key.dropFirst().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard pair.key.count == 9, number == records.count, pair.value.count >= JournalRecord.headerBytes else {
            throw damaged("record \(records.count) is missing")
        }
        let start = pair.value.lowerBound
        let header = try read(start..<(start + JournalRecord.headerBytes))
        let place = header.withUnsafeBytes {
            JournalRecord.place(header: $0, bytes: pair.value, number: records.count)
        }
        guard let place, place.age.generation <= summary.generation else {
            throw damaged("record \(number) is damaged")
        }
        records.append(place)
    }
}
