import DynamoDBFormat
package import JSON
package import Storage

/// Turns the pages of a scan into batches of entries. For one thread at a time.
package struct PageReader {
    private let location: String
    private var reader = ItemReader()

    /// - Parameter location: Names the table in errors.
    package init(location: String) {
        self.location = location
    }

    /// Entries of a page in batches, each with the cursor behind it; the last one may be empty.
    ///
    /// - Parameter reply: What Scan answered, borrowed for the call.
    /// - Throws: `.io` if this is no page, `.damagedStore` if it is not one of a Vault table, `.damagedEntry` for an
    ///   entry that cannot be read, unless the request passes over it.
    package mutating func batches(of reply: JSONNode, _ request: ScanRequest) throws(StorageError) -> [EntryBatch] {
        let (items, next) = try VaultTable.contents(ofPage: reply)
        return try batches(of: items, next, request)
    }

    /// - Parameter next: Where the next page begins; `nil` behind the last one.
    mutating func batches(
        of items: JSONElements, _ next: ItemKey?, _ request: ScanRequest
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
            guard try reader.append(item, parts, to: batch, request), batch.isFull else { continue }
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

    /// The item behind which a scan goes on.
    static func place(of cursor: ScanCursor) throws(StorageError) -> ItemKey {
        let bytes = cursor.bytes
        guard bytes.count > 2 else { throw StorageError(.damagedStore, "a scan cursor has no key") }
        let count = Int(bytes[0]) << 8 | Int(bytes[1])
        guard bytes.count > 2 + count, count > 0 else {
            throw StorageError(.damagedStore, "a scan cursor is cut short")
        }
        return ItemKey(path: Array(bytes[2..<(2 + count)]), name: Array(bytes[(2 + count)...]))
    }
}
