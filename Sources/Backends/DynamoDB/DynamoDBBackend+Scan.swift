import JSON
package import Storage

extension DynamoDBBackend {
    /// Bytes for which a segment of its own is worth while: a scan answers with 1 MB at a time.
    private static let bytesPerSegment = 1 << 20
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
        page.keysOnly = request.content == .keys
        page.start = try request.cursor.map { cursor throws(StorageError) in try Self.itemKey(cursor) }
        var reader = ItemReader()
        repeat {
            if request.isCancelled() { throw StorageError.cancelled }
            let next = try readPage(page, request, &reader, deliver)
            guard next.goesOn else { return }
            page.start = next.start
        } while page.start != nil
    }

    /// Reads one page and delivers its entries, in several batches if there are many.
    private func readPage(
        _ page: VaultTable.PageRequest, _ request: ScanRequest, _ reader: inout ItemReader,
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) -> (start: ItemKey?, goesOn: Bool) {
        var batches: [EntryBatch] = []
        let next = try table.page(page) { items, next throws(StorageError) in
            batches = try collect(items, next, request, &reader)
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

    /// Entries of a page in batches, each with the cursor behind it.
    private func collect(
        _ items: JSONElements, _ next: ItemKey?, _ request: ScanRequest, _ reader: inout ItemReader
    ) throws(StorageError) -> [EntryBatch] {
        var batches: [EntryBatch] = []
        var batch = request.pool.take()
        var last = ItemReader.Parts()
        for item in items {
            let parts: ItemReader.Parts
            do throws(StorageError) {
                parts = try ItemReader.parts(of: item)
            } catch {
                throw StorageError(error.code, "\(location): \(error.message)")
            }
            last = parts
            guard parts.kind == .entry || (parts.kind == .marker && request.includesDirectoryMarkers) else { continue }
            guard try reader.append(parts, to: batch, request), batch.isFull else { continue }
            // Any item's key can be where a scan goes on, not only the last one of a page.
            batch.cursor = Self.cursor(parts.place)
            batches.append(batch)
            batch = request.pool.take()
        }
        if batch.count > 0 { batch.cursor = Self.cursor(next ?? last.place) }
        return batches + [batch]
    }

    /// A cursor is the Path's length as two bytes, high one first, the Path, and the Key.
    private static func cursor(_ place: ItemKey) -> ScanCursor {
        let count = UInt16(truncatingIfNeeded: place.path.count)
        return ScanCursor([UInt8(count >> 8), UInt8(count & 255)] + place.path + place.name)
    }

    private static func itemKey(_ cursor: ScanCursor) throws(StorageError) -> ItemKey {
        let bytes = cursor.bytes
        guard bytes.count > 2 else { throw StorageError(.damagedStore, "a scan cursor has no key") }
        let count = Int(bytes[0]) << 8 | Int(bytes[1])
        guard bytes.count > 2 + count, count > 0 else {
            throw StorageError(.damagedStore, "a scan cursor is cut short")
        }
        return ItemKey(path: Array(bytes[2..<(2 + count)]), name: Array(bytes[(2 + count)...]))
    }
}
