/// How a file's pages are used, and what a file written anew would take.
package struct BoltShape: Sendable, Equatable {
    /// Bytes in the file, behind its last page included.
    package var fileBytes = 0
    /// Bytes a page.
    package var pageSize = 0
    /// Pages up to the high-water mark; what lies behind is room that the file has grown by.
    package var pages = 0
    package var branchPages = 0
    package var leafPages = 0
    /// Pages that only continue a branch or leaf page.
    package var overflowPages = 0
    /// Pages of the persisted free list; 0 where it is not persisted.
    package var freeListPages = 0
    /// Levels of the deepest bucket's tree; 1 for a single leaf.
    package var depth = 0
    /// Buckets of every level.
    package var buckets = 0
    package var entries = 0
    /// Bytes of all keys and values.
    package var contentBytes = 0
    /// Bytes of a file with the same content as ``BoltBuilder`` writes it.
    package var compactBytes = 0

    package init() {}

    /// Pages that hold nothing: deleted and rewritten entries leave them behind, and they are used again for new ones.
    ///
    /// Negative only if pages are shared, which ``BoltReader/shape(fill:isCancelled:)`` refuses.
    package var freePages: Int { pages - 2 - branchPages - leafPages - overflowPages - freeListPages }

    /// Bytes that a file written anew is smaller; 0 if it is not.
    package var givenBackBytes: Int { max(0, fileBytes - compactBytes) }
}

extension BoltReader {
    /// Reads every page that is in use and measures. Memory is bounded as of a builder.
    ///
    /// - Parameters:
    ///   - fill: The part of a page that the file written anew would fill.
    ///   - isCancelled: Asked now and then; `true` ends the reading.
    /// - Returns: `nil` if it was cancelled.
    /// - Throws: As ``visitEverything(_:)``; `.damaged` also where pages in use and the free list, or the entries, do not
    ///   fit into the file.
    package func shape(fill: Double = 0.9, isCancelled: @escaping () -> Bool = { false }) throws -> BoltShape? {
        let measure = ShapeVisitor(self, try BoltBuilder(measuring: pageSize, fill: fill), isCancelled)
        measure.shape.fileBytes = fileSize
        measure.shape.pageSize = pageSize
        measure.shape.pages = Int(clamping: highWaterMark)
        measure.shape.freeListPages = try freeListPages()
        do {
            try visitEverything(measure)
        } catch is ShapeVisitor.Cancelled {
            return nil
        }
        try measure.builder.complete()
        measure.shape.compactBytes = measure.builder.bytesWritten
        guard measure.shape.freePages >= 0 else {
            throw file.damaged(0, "counts \(highWaterMark) pages, fewer than are in use: pages are shared")
        }
        return measure.shape
    }

    private func freeListPages() throws(BoltError) -> Int {
        guard let freeList else { return 0 }
        return try file.image.trustingFile { () throws(BoltError) in
            // That the page itself lies in the file was seen when it was opened.
            let start = file.image.base + Int(freeList) * pageSize
            let (kind, overflow) = (start.u16(8), UInt64(start.u32(12)))
            guard start.u64(0) == freeList, kind == Layout.freeListFlag, overflow <= highWaterMark - freeList - 1 else {
                throw file.damaged(freeList, "is named as the free list and is none")
            }
            return Int(overflow) + 1
        }
    }
}

/// Counts, and lets a builder that writes nothing lay the content out.
private final class ShapeVisitor: BoltVisitor {
    struct Cancelled: Error {}

    private static let askEvery = 4096

    var shape = BoltShape()
    let builder: BoltBuilder
    private let reader: BoltReader
    private let isCancelled: () -> Bool

    init(_ reader: BoltReader, _ builder: BoltBuilder, _ isCancelled: @escaping () -> Bool) {
        self.reader = reader
        self.builder = builder
        self.isCancelled = isCancelled
    }

    func beginBucket(_ name: [UInt8], sequence: UInt64) throws {
        shape.buckets += 1
        try builder.beginBucket(name, sequence: sequence)
    }

    func entry(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws {
        shape.entries += 1
        shape.contentBytes += key.count + value.count
        // Elements that share bytes could make a small file swell to any size.
        guard shape.contentBytes <= reader.fileSize else {
            throw reader.file.damaged(0, "leads to entries of more bytes than the file has: they overlap")
        }
        if shape.entries.isMultiple(of: Self.askEvery), isCancelled() { throw Cancelled() }
        try builder.add(key: key, value: value)
    }

    func endBucket() throws { try builder.endBucket() }

    func page(isLeaf: Bool, overflow: Int, level: Int) {
        if isLeaf { shape.leafPages += 1 } else { shape.branchPages += 1 }
        shape.overflowPages += overflow
        shape.depth = max(shape.depth, level)
    }
}
