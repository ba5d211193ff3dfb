/// Is told of everything that a file holds, in key order.
package protocol BoltVisitor: AnyObject {
    /// A bucket begins: what follows up to its end lies in it.
    ///
    /// - Parameter sequence: The counter in the bucket's header.
    func beginBucket(_ name: [UInt8], sequence: UInt64) throws
    /// An entry of the bucket begun last that has not ended.
    ///
    /// - Parameters:
    ///   - key: Borrowed for the call, like the value; not aligned.
    ///   - value: Perhaps empty.
    func entry(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws
    func endBucket() throws
    /// A branch or leaf page with the pages that continue it.
    ///
    /// - Parameters:
    ///   - overflow: How many continue it.
    ///   - level: 1 for the root of a bucket's tree.
    func page(isLeaf: Bool, overflow: Int, level: Int)
}

extension BoltVisitor {
    package func page(isLeaf: Bool, overflow: Int, level: Int) {}
}

extension BoltReader {
    /// Visits all buckets with all their entries, buckets inside buckets included. Memory is bounded by the depth of the
    /// trees.
    ///
    /// What the visitor was told counts only once this returns: that the file was whole all the time is known then.
    ///
    /// - Throws: `.damaged`, also where pages are shared by several parents; `.unsupported` if a plain value stands among
    ///   the buckets at the top level; `.truncated` and `.io` if the file was changed or could not be read;
    ///   `.invalidInput` after ``close()``; and what the visitor throws.
    package func visitEverything(_ visitor: any BoltVisitor) throws {
        try root.visitEverything(visitor, ScanBudget(file), isTop: true)
    }
}

extension BoltBucket {
    fileprivate func visitEverything(_ visitor: any BoltVisitor, _ budget: ScanBudget, isTop: Bool) throws {
        let pass = TreeWalk(
            file, budget, upper: nil,
            onBucket: { name, _ in
                let name = [UInt8](name)
                guard let inner = try bucket(name) else {
                    throw BoltError(.damaged, file.image.path, "the bucket \(quoted(name)) cannot be found again.")
                }
                try visitor.beginBucket(name, sequence: inner.sequence)
                try inner.visitEverything(visitor, budget, isTop: false)
                try visitor.endBucket()
                return true
            },
            onPage: { page, level in
                visitor.page(isLeaf: page.isLeaf, overflow: page.extent / file.pageSize - 1, level: level)
            })
        _ = try walk(pass, lower: nil) { key, value in
            guard !isTop else {
                throw BoltError(
                    .unsupported, file.image.path,
                    "the entry \(quoted(key)) at the top level is a plain value where only buckets are expected."
                        + " Check that this is the right file.")
            }
            try visitor.entry(key, value)
            return true
        }
    }
}
