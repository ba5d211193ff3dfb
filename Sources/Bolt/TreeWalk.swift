/// One pass of one thread over a subtree, in key order.
struct TreeWalk {
    enum Outcome { case completed, reachedUpper, stopped }
    typealias Visitor = (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool

    let file: PageFile
    let budget: ScanBudget
    let upper: Bytes?
    /// Nil if a bucket among the entries is an error.
    let onBucket: Visitor?
    /// Told of every page with its level, counted from 1 at the tree's root; not of inline buckets.
    let onPage: ((Page, Int) -> Void)?
    private var meter = TouchMeter()

    init(
        _ file: PageFile, _ budget: ScanBudget, upper: Bytes?, onBucket: Visitor? = nil,
        onPage: ((Page, Int) -> Void)? = nil
    ) {
        self.file = file
        self.budget = budget
        self.upper = upper
        self.onBucket = onBucket
        self.onPage = onPage
    }

    /// Visits the tree whose top page has been paid for. `lower` matters for its first entries only.
    mutating func walk(
        _ page: Page, depth: Int, _ window: Window, lower: Bytes?, _ visitor: Visitor
    ) throws -> Outcome {
        if !page.isInline {
            meter.touch(page, file)
            onPage?(page, depth)
        }
        return page.isLeaf
            ? try visitLeaf(page, window, lower: lower, visitor)
            : try visitBranch(page, depth: depth, window, lower: lower, visitor)
    }

    /// To be called when the pass is over, however it ended.
    mutating func finish() {
        meter.report(file)
    }

    private mutating func visitBranch(
        _ page: Page, depth: Int, _ window: Window, lower: Bytes?, _ visitor: Visitor
    ) throws -> Outcome {
        guard depth < Layout.maxTreeDepth else {
            throw file.damaged(page.id, "lies deeper than \(Layout.maxTreeDepth) levels")
        }
        try file.checkOrder(page, window)
        var lower = lower
        for index in try file.childIndex(page, lower)..<page.count {
            let element = try file.branchElement(page, index)
            // A first child may hold keys below its branch key only in a damaged file, so nothing is missed here.
            if let upper, order(element.key, upper) >= 0 { return .reachedUpper }
            let inner = try file.window(page, index, within: window)
            let child = try file.page(element.child, parent: page.id)
            try budget.spend(child, file)
            let outcome = try walk(child, depth: depth + 1, inner, lower: lower, visitor)
            guard outcome == .completed else { return outcome }
            lower = nil
        }
        return .completed
    }

    private func visitLeaf(_ page: Page, _ window: Window, lower: Bytes?, _ visitor: Visitor) throws -> Outcome {
        guard page.count > 0 else { return .completed }
        var index = 0
        if let lower { index = try file.lowerBound(page, lower) }
        let last = try file.leafElement(page, page.count - 1).key
        if let high = window.high, order(last, high) >= 0 {
            throw file.orderDamage(page, page.count - 1, last, "not below the next branch key")
        }
        var end = page.count
        if let upper, order(last, upper) >= 0 { end = try file.lowerBound(page, upper) }
        guard index < end else { return end < page.count ? .reachedUpper : .completed }

        var element = try file.leafElement(page, index)
        if let low = window.low, order(element.key, low) < 0 {
            throw file.orderDamage(page, index, element.key, "below its branch key")
        }
        while true {
            if element.isBucket {
                guard let onBucket else { throw file.wrongKind(page, element.key, isBucket: true) }
                guard try onBucket(element.key.buffer, element.value.buffer) else { return .stopped }
            } else {
                guard try visitor(element.key.buffer, element.value.buffer) else { return .stopped }
            }
            index &+= 1
            if index >= end { break }
            let next = try file.leafElement(page, index)
            guard order(element.key, next.key) < 0 else {
                throw file.orderDamage(page, index, next.key, "not above the key before it")
            }
            element = next
        }
        return end < page.count ? .reachedUpper : .completed
    }
}
