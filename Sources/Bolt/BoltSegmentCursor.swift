extension BoltBucket {
    /// Cuts the entries with lower <= key < upper into consecutive segments, lazily: the cursor reads branch pages
    /// only, and holds one place per level of the tree.
    ///
    /// - Parameter lower: Nil for the beginning.
    /// - Parameter upper: Nil for the end; an empty one lets nothing through.
    package func makeSegments(from lower: [UInt8]? = nil, to upper: [UInt8]? = nil) -> BoltSegmentCursor {
        BoltSegmentCursor(self, lower, upper)
    }
}

/// Deals out the segments of a bucket in ascending, disjoint key order. Used by one thread at a time; the segments
/// themselves may go anywhere.
package struct BoltSegmentCursor: Sendable {
    /// A branch page on the way down and the next child to take.
    private struct Frame {
        let page: PageID
        let window: SliceWindow
        var index: Int
    }

    private let bucket: BoltBucket
    private let budget: ScanBudget
    /// Only until the first segment: all later ones lie above it.
    private var lower: [UInt8]?
    private let upper: [UInt8]?
    private var frames: [Frame] = []
    private var hasStarted = false
    private var isFinished = false

    private var file: PageFile { bucket.file }

    init(_ bucket: BoltBucket, _ lower: [UInt8]?, _ upper: [UInt8]?) {
        self.bucket = bucket
        self.lower = lower
        self.upper = upper
        budget = ScanBudget(bucket.file)
        isFinished = upper?.isEmpty == true
    }

    /// The next segment, or nil at the end. A segment may turn out to hold no entries.
    ///
    /// - Throws: `.damaged`; `.invalidInput` after the reader was closed. After an error the cursor is at its end.
    package mutating func next() throws(BoltError) -> BoltSegment? {
        guard !isFinished else { return nil }
        do throws(BoltError) {
            try file.image.requireOpen()
            let image = file.image
            let result = Result { () throws(BoltError) in try advance() }
            if let segment = try image.trustingFile({ () throws(BoltError) in try result.get() }) { return segment }
            isFinished = true
            return nil
        } catch {
            isFinished = true
            throw error
        }
    }

    private mutating func advance() throws(BoltError) -> BoltSegment? {
        if !hasStarted {
            hasStarted = true
            let top = try bucket.topPage()
            if !top.isInline { try budget.spend(top, file) }
            if let segment = try enter(top, bucket.root, SliceWindow()) { return segment }
        }
        while var frame = frames.popLast() {
            let page = try file.page(frame.page, parent: nil)
            guard frame.index < page.count else { continue }
            let element = try file.branchElement(page, frame.index)
            if let upper, isAtOrAbove(element.key, upper) { return nil }
            let window = try file.window(page, frame.index, within: frame.window.window(file))
            let child = try file.page(element.child, parent: page.id)
            try budget.spend(child, file)
            frame.index += 1
            frames.append(frame)
            if let segment = try enter(child, .page(child.id), SliceWindow(window, file)) { return segment }
        }
        return nil
    }

    /// Makes a segment of a leaf or of a branch page just above the leaves; goes into any other branch page.
    private mutating func enter(
        _ page: Page, _ root: BoltBucket.Root, _ window: SliceWindow
    ) throws(BoltError) -> BoltSegment? {
        var first = 0
        if !page.isLeaf {
            guard frames.count < Layout.maxTreeDepth else {
                throw file.damaged(page.id, "lies deeper than \(Layout.maxTreeDepth) levels")
            }
            try file.checkOrder(page, window.window(file))
            first = try lowerIndex(page)
            let child = try file.page(try file.branchElement(page, first).child, parent: page.id)
            if !child.isLeaf {
                frames.append(Frame(page: page.id, window: window, index: first))
                return nil
            }
        }
        defer { lower = nil }
        let isBelowUpper = upper.flatMap { upper in window.high.map { isAtOrBelow($0.bytes(file), upper) } } ?? false
        return BoltSegment(
            file: file, budget: budget, root: root, depth: frames.count + 1, window: window, lower: lower,
            upper: isBelowUpper ? nil : upper,
            pageBytes: page.extent + (page.isLeaf ? 0 : (page.count - first) * file.pageSize))
    }

    private func lowerIndex(_ page: Page) throws(BoltError) -> Int {
        try withBound(lower) { bound throws(BoltError) in try file.childIndex(page, bound) }
    }

    private func isAtOrAbove(_ key: Bytes, _ bound: [UInt8]) -> Bool {
        withBound(bound) { $0.map { order(key, $0) >= 0 } ?? true }
    }

    private func isAtOrBelow(_ key: Bytes, _ bound: [UInt8]) -> Bool {
        withBound(bound) { $0.map { order(key, $0) <= 0 } ?? false }
    }
}
