/// Bytes inside the file, as an offset, so that they can cross threads without a pointer.
struct FileSlice: Sendable {
    let offset: Int
    let count: Int

    init(_ bytes: Bytes, _ file: PageFile) {
        offset = bytes.start - file.image.base
        count = bytes.count
    }

    func bytes(_ file: PageFile) -> Bytes { Bytes(file.image.base + offset, count) }
}

/// A `Window` that can cross threads.
struct SliceWindow: Sendable {
    var low: FileSlice?
    var high: FileSlice?

    init() {}

    init(_ window: Window, _ file: PageFile) {
        low = window.low.map { FileSlice($0, file) }
        high = window.high.map { FileSlice($0, file) }
    }

    func window(_ file: PageFile) -> Window {
        Window(low: low?.bytes(file), high: high?.bytes(file))
    }
}

/// A run of consecutive entries of one bucket: the leaves under one branch page, or a single leaf. A value that any
/// thread may visit.
package struct BoltSegment: Sendable {
    let file: PageFile
    let budget: ScanBudget
    let root: BoltBucket.Root
    let depth: Int
    let window: SliceWindow
    let lower: [UInt8]?
    let upper: [UInt8]?
    /// About how many bytes of pages a visit touches: the branch page and one plain page a leaf. Overflow pages of
    /// leaves under a branch are not known beforehand and not counted.
    package let pageBytes: Int

    /// Visits the segment's entries in ascending order, within the bounds given to `makeSegments`.
    ///
    /// All segments of one cursor share a budget of page visits, which reveals circles: visit each segment once. A
    /// second round over the bucket takes a new cursor.
    ///
    /// - Parameter body: Receives key and value, borrowed from the map for the call only, not aligned; false stops.
    /// - Returns: False if `body` stopped the visit.
    /// - Throws: `BoltError` (`.damaged`, `.unsupported` for a bucket among the entries, `.invalidInput` after the
    ///   reader was closed), and what `body` throws.
    package func visit(
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Bool
    ) throws -> Bool {
        try file.image.requireOpen()
        return try withBound(lower) { lower in
            try withBound(upper) { upper in
                var pass = TreeWalk(file, budget, upper: upper)
                defer { pass.finish() }
                return try file.image.trusting {
                    // The cursor has already paid for the top page.
                    let top = try topPage()
                    return try pass.walk(top, depth: depth, window.window(file), lower: lower, body) != .stopped
                }
            }
        }
    }

    private func topPage() throws(BoltError) -> Page {
        switch root {
        case .page(let id): try file.page(id, parent: nil)
        case .inline(let offset, let length, let holder):
            try file.inlinePage(offset: offset, length: length, holder: holder)
        }
    }
}
