import DynamoDBFormat
package import Storage

extension DynamoDBBackend {
    /// Bytes for which a segment of its own is worth while. A scan answers with 1 MB at a time, and each segment ends
    /// with a page that is only half full on average.
    private static let bytesPerSegment = 2 << 20
    /// Bytes of an item where only their number is known.
    private static let typicalItemBytes = 1 << 10
    /// The service's counts are hours old: a table may have grown since.
    private static let minimumSegments = 4
    private static let maximumSegments = 64

    package func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] {
        try checkOpen()
        let wanted = min(count, Self.maximumSegments, settings.maximumParallel)
        guard wanted > 1 else { return [.whole] }
        guard let bytes = estimatedBytes() ?? estimatedEntries().map({ $0 * Self.typicalItemBytes }) else {
            return StoragePartition.segments(wanted)
        }
        return StoragePartition.segments(min(wanted, max(Self.minimumSegments, bytes / Self.bytesPerSegment)))
    }

    package func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        if request.isCancelled() { throw StorageError.cancelled }
        guard try tableDescription() != nil else { return }
        var page = VaultTable.PageRequest()
        page.segment = request.partition.segment
        page.limit = request.pageEntries
        page.start = try request.cursor.map { cursor throws(StorageError) in try PageReader.place(of: cursor) }
        var reader = PageReader(location: location)
        var progress = PageProgress(location)
        repeat {
            if request.isCancelled() { throw StorageError.cancelled }
            let next = try readPage(page, request, &reader, &progress, deliver)
            guard next.goesOn else { return }
            page.start = next.start
        } while page.start != nil
    }

    /// Reads one page and delivers its entries, in several batches if there are many.
    private func readPage(
        _ page: VaultTable.PageRequest, _ request: ScanRequest, _ reader: inout PageReader,
        _ progress: inout PageProgress, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) -> (start: ItemKey?, goesOn: Bool) {
        var batches: [EntryBatch] = []
        let next = try table.page(page) { items, next throws(StorageError) in
            try progress.check(next)
            batches = try reader.batches(of: items, next, request)
        }
        for batch in batches {
            guard batch.count > 0 else {
                request.pool.recycle(batch)
                continue
            }
            if request.isCancelled() { throw StorageError.cancelled }
            guard try deliver(batch) else { return (nil, false) }
        }
        return (next, true)
    }
}
