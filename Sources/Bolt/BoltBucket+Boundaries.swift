extension BoltBucket {
    /// Keys that cut the bucket into about equal parts, judged by the number of pages, for parallel readers: the
    /// parts are the ranges below the first key, between neighbours, and from the last key on.
    ///
    /// Reads branch pages from the top down until there are several candidates a part; memory is bounded by `count`
    /// times the children of a branch page.
    ///
    /// - Parameter count: The number of parts wished for.
    /// - Returns: At most `count - 1` keys, strictly ascending, copied; fewer, down to none, for a small bucket.
    /// - Throws: `.damaged`; `.invalidInput` after the reader was closed.
    package func approximateBoundaries(count: Int) throws(BoltError) -> [[UInt8]] {
        try file.image.requireOpen()
        guard count > 1 else { return [] }
        return try file.image.trustingFile { () throws(BoltError) in try boundaries(count) }
    }

    private func boundaries(_ count: Int) throws(BoltError) -> [[UInt8]] {
        let candidatesPerPart = 16
        let enough = count.multipliedReportingOverflow(by: candidatesPerPart)
        let wanted = enough.overflow ? Int.max : enough.partialValue
        let top = try topPage()
        guard !top.isLeaf else { return [] }
        let budget = ScanBudget(file)
        try budget.spend(top, file)

        var level: [Subtree] = try children(top, Window())
        for _ in 0..<Layout.maxTreeDepth where level.count < wanted {
            var deeper: [Subtree] = []
            var hasBranches = false
            for subtree in level {
                let page = try file.page(subtree.page, parent: subtree.parent)
                if page.isLeaf {
                    deeper.append(subtree)
                } else {
                    hasBranches = true
                    try budget.spend(page, file)
                    deeper.append(contentsOf: try children(page, subtree.window))
                }
            }
            guard hasBranches else { break }
            level = deeper
        }
        // Part p begins at subtree p * n / count; equal starts, when there are fewer subtrees than parts, count once.
        let parts = min(count, level.count)
        return (1..<max(1, parts)).compactMap { part in
            level[part * level.count / parts].window.low.map { [UInt8]($0.buffer) }
        }
    }

    private struct Subtree {
        let page: PageID
        let parent: PageID
        let window: Window
    }

    private func children(_ page: Page, _ window: Window) throws(BoltError) -> [Subtree] {
        try file.checkOrder(page, window)
        var result: [Subtree] = []
        result.reserveCapacity(page.count)
        for index in 0..<page.count {
            let child = try file.branchElement(page, index).child
            result.append(
                Subtree(page: child, parent: page.id, window: try file.window(page, index, within: window)))
        }
        return result
    }
}
