/// The branch pages of a tree under construction, from the one above the leaves (level 0) upwards.
///
/// bbolt needs two children in every branch page, or a later delete aborts it, and keys that equal the first key of
/// the child exactly (bbolt 1.3, node.go: rebalance, spill). Each level therefore holds one complete page back until
/// it is certain that the page after it has two children as well.
struct BranchLevels {
    private struct Run {
        var keys: [UInt8] = []
        var children: [(keySize: Int, page: PageID)] = []

        var size: Int { Layout.pageHeaderSize + children.count * Layout.elementSize + keys.count }

        mutating func append(_ key: Bytes, _ page: PageID) {
            keys.append(contentsOf: key.buffer)
            children.append((key.count, page))
        }

        mutating func clear() {
            keys.removeAll(keepingCapacity: true)
            children.removeAll(keepingCapacity: true)
        }
    }

    private struct Level {
        /// Complete, held back; empty if there is none.
        var previous = Run()
        var current = Run()
        /// Children the level ever received.
        var total = 0

        mutating func holdBack() {
            swap(&previous, &current)
            current.clear()
        }
    }

    private var levels: [Level] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var isEmpty: Bool { levels.isEmpty }

    /// Adds a finished page to a level.
    mutating func push(_ level: Int, _ key: Bytes, _ page: PageID, _ writer: PageWriter) throws(BoltError) {
        if level == levels.count { levels.append(Level()) }
        let count = levels[level].current.children.count
        let isFull = levels[level].current.size + Layout.elementSize + key.count > limit || count >= Layout.maxElements
        if count >= 2, isFull {
            if !levels[level].previous.children.isEmpty {
                try write(levels[level].previous, level, writer)
            }
            levels[level].holdBack()
        }
        levels[level].current.append(key, page)
        levels[level].total += 1
    }

    /// Writes what is held back, level by level, and returns the page that is the root. Not for an empty tree.
    mutating func finish(_ writer: PageWriter) throws(BoltError) -> PageID {
        var level = 0
        while true {
            if levels[level].total == 1, let only = levels[level].current.children.first {
                return only.page
            }
            balance(level)
            if !levels[level].previous.children.isEmpty { try write(levels[level].previous, level, writer) }
            if !levels[level].current.children.isEmpty { try write(levels[level].current, level, writer) }
            level += 1
        }
    }

    /// Gives the last page of a level its second child: from the page held back, or by joining both.
    private mutating func balance(_ level: Int) {
        var previous = levels[level].previous
        var current = levels[level].current
        guard !previous.children.isEmpty, current.children.count == 1 else { return }
        if previous.children.count > 2, let moved = previous.children.popLast() {
            let start = previous.keys.count - moved.keySize
            current.keys.insert(contentsOf: previous.keys[start...], at: 0)
            current.children.insert(moved, at: 0)
            previous.keys.removeSubrange(start...)
        } else {
            previous.keys += current.keys
            previous.children += current.children
            current.clear()
        }
        levels[level].previous = previous
        levels[level].current = current
    }

    private mutating func write(_ run: Run, _ level: Int, _ writer: PageWriter) throws(BoltError) {
        let count = run.children.count
        let id = try writer.beginPage(flags: Layout.branchFlag, count: count, size: run.size)
        var position = count * Layout.elementSize
        try withBytes(run.keys.count, count) { elements throws(BoltError) in
            for (index, child) in run.children.enumerated() {
                let element = elements + index * Layout.elementSize
                element.put(UInt32(position), at: 0)
                element.put(UInt32(child.keySize), at: 4)
                element.put(child.page, at: 8)
                position += child.keySize - Layout.elementSize
            }
            try writer.append(elements, count * Layout.elementSize)
        }
        try run.keys.withRawBytes { bytes throws(BoltError) in
            guard let keys = Bytes(bytes), let first = run.children.first else { return }
            try writer.append(keys.start, keys.count)
            try writer.endPage()
            try push(level + 1, Bytes(keys.start, first.keySize), id, writer)
        }
    }

    private func withBytes(
        _ keyBytes: Int, _ count: Int, _ body: (UnsafeMutableRawPointer) throws(BoltError) -> Void
    ) throws(BoltError) {
        let elements = UnsafeMutableRawPointer.allocate(byteCount: count * Layout.elementSize, alignment: 16)
        defer { elements.deallocate() }
        try body(elements)
    }
}
