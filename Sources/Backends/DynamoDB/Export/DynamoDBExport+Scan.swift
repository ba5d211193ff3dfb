import DynamoDBFormat
package import Storage

extension DynamoDBExport {
    /// Items between two questions whether to stop.
    private static let itemsPerQuestion = 256

    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] {
        try checkOpen()
        let count = min(count, layout.files.count)
        return count > 1 ? StoragePartition.segments(count) : [.whole]
    }

    /// The files of a partition, by their numbers: each partition gets about as many bytes as the others.
    func files(of partition: StoragePartition) -> [Int] {
        guard let segment = partition.segment, segment.count > 1 else { return Array(layout.files.indices) }
        var loads = [Int](repeating: 0, count: segment.count)
        var files: [Int] = []
        let largestFirst = layout.files.indices.sorted {
            (layout.files[$1].size, $0) < (layout.files[$0].size, $1)
        }
        for file in largestFirst {
            guard let least = loads.indices.min(by: { loads[$0] < loads[$1] }) else { continue }
            // An empty file counts, too, so that they spread.
            loads[least] += layout.files[file].size + 1
            if least == segment.index { files.append(file) }
        }
        return files.sorted()
    }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try checkOpen()
        if request.isCancelled() { throw StorageError.cancelled }
        let begin = try request.cursor.map { cursor throws(StorageError) in try ExportCursor(cursor) }
        var pass = ExportPass(request)
        let reader = try ExportFileReader()
        for number in files(of: request.partition) where number >= begin?.file ?? 0 {
            let file = layout.files[number]
            let skipped = begin.map { $0.file == number ? $0.items : 0 } ?? 0
            let isWhole = try reader.read(file) { item throws(StorageError) in
                if item.index.isMultiple(of: Self.itemsPerQuestion), request.isCancelled() {
                    throw StorageError.cancelled
                }
                guard item.index >= skipped else { return true }
                guard try pass.take(item, of: file) else { return true }
                return try pass.deliver(ExportCursor(file: number, items: item.index + 1), deliver)
            }
            guard isWhole else { return }
            // Between two files, so that no cursor covers a file before its checks have passed.
            guard try pass.deliverRest(file: number, deliver) else { return }
        }
    }
}

/// A position in an export: a file's number among all, and how many of its items lie before.
struct ExportCursor: Equatable {
    let file: Int
    let items: Int

    init(file: Int, items: Int) {
        self.file = file
        self.items = items
    }

    /// Two numbers of 8 bytes, high byte first.
    var cursor: ScanCursor {
        ScanCursor([file, items].flatMap { number in withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) } })
    }

    init(_ cursor: ScanCursor) throws(StorageError) {
        func number(_ range: Range<Int>) -> Int? {
            Int(exactly: cursor.bytes[range].reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
        guard cursor.bytes.count == 16, let file = number(0..<8), let items = number(8..<16) else {
            throw StorageError(.damagedStore, "a scan cursor is not one of an export")
        }
        self.init(file: file, items: items)
    }
}

/// Turns the items of one scan into batches.
private struct ExportPass {
    private let request: ScanRequest
    /// The request without its answer to unreadable values, which have no place in a file yet.
    private let strict: ScanRequest
    private var reader = ItemReader()
    private var batch: EntryBatch
    /// Items of the file at hand that were taken or left out.
    private var items = 0

    init(_ request: ScanRequest) {
        self.request = request
        var strict = request
        strict.passesOver = { _ in false }
        self.strict = strict
        batch = request.pool.take()
    }

    /// Puts an item into the batch, if it is one that was asked for.
    ///
    /// - Returns: Whether the batch is full.
    mutating func take(_ item: ExportFileReader.Item, of file: ExportFile) throws(StorageError) -> Bool {
        items = item.index + 1
        let parts = try item.parts(in: file)
        do throws(StorageError) {
            guard try reader.append(item.node, parts, to: batch, strict) else { return false }
        } catch {
            let error = item.located(error, in: file)
            if request.passesOver(error) { return false }
            throw error
        }
        return batch.isFull || batch.count >= request.pageEntries ?? .max
    }

    mutating func deliver(
        _ cursor: ExportCursor, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        batch.cursor = cursor.cursor
        let full = batch
        batch = request.pool.take()
        return try deliver(full)
    }

    /// Delivers what is left at the end of a file.
    mutating func deliverRest(
        file: Int, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        let cursor = ExportCursor(file: file, items: items)
        items = 0
        return batch.count == 0 ? true : try self.deliver(cursor, deliver)
    }
}
