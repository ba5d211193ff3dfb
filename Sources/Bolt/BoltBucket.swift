/// A bucket of an open file: point lookups, ordered visits, and the cutting into parts for parallel readers.
///
/// A value; may be used from any number of threads. Keeps the file mapped. Every operation throws `.damaged` when the
/// pages it meets contradict the format, and `.invalidInput` after the reader was closed.
package struct BoltBucket: Sendable {
    /// Where the entries are.
    enum Root: Sendable {
        case page(PageID)
        /// The leaf image inside page `holder`, which starts at byte `offset` of the file.
        case inline(offset: Int, length: Int, holder: PageID)
    }

    let file: PageFile
    let root: Root
    /// The counter a user of bbolt may keep in the bucket's header; 0 in files of Vault.
    package let sequence: UInt64
    let nesting: Int

    /// Runs `body` on the value of the entry with exactly this key.
    ///
    /// - Parameter key: Borrowed for the call. An empty key is never present.
    /// - Parameter body: Receives the value, borrowed from the map for the call only, not aligned.
    /// - Returns: What `body` returned, or nil if there is no such entry.
    /// - Throws: `BoltError`, with `.unsupported` if the entry is a bucket; and what `body` throws.
    package func withValue<R>(
        forKey key: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> R
    ) throws -> R? {
        guard let key = Bytes(key) else { return nil }
        return try file.image.trusting {
            guard let (page, element) = try find(key) else { return nil }
            guard !element.isBucket else { throw file.wrongKind(page, key, isBucket: true) }
            return try body(element.value.buffer)
        }
    }

    /// The bucket of that name inside this one, or nil.
    ///
    /// - Throws: `.damaged`; `.unsupported` if the entry is a plain value.
    package func bucket(_ name: [UInt8]) throws(BoltError) -> BoltBucket? {
        try withBound(name) { key throws(BoltError) in
            guard let key else { return nil }
            return try file.image.trustingFile { () throws(BoltError) in
                guard let (page, element) = try find(key) else { return nil }
                guard element.isBucket else { throw file.wrongKind(page, key, isBucket: false) }
                return try open(element.value, in: page, name: key)
            }
        }
    }

    /// The names of the buckets directly inside this one, in ascending order.
    package func bucketNames() throws(BoltError) -> [[UInt8]] {
        try bucketNames(refusingValues: false)
    }

    /// Visits the entries with lower <= key < upper in ascending order.
    ///
    /// - Parameter lower: Nil for the beginning.
    /// - Parameter upper: Nil for the end; an empty one lets nothing through.
    /// - Parameter body: Receives key and value, borrowed from the map for the call only, not aligned; false stops.
    /// - Throws: `BoltError`, with `.unsupported` if an entry in the range is a bucket; and what `body` throws.
    package func visit(
        from lower: [UInt8]?, to upper: [UInt8]?,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        guard upper?.isEmpty != true else { return }
        _ = try withBound(lower) { lower in
            try withBound(upper) { upper in
                try walk(TreeWalk(file, ScanBudget(file), upper: upper), lower: lower, body)
            }
        }
    }

    func bucketNames(refusingValues: Bool) throws(BoltError) -> [[UInt8]] {
        var names: [[UInt8]] = []
        var plain: [UInt8]?
        let collector: TreeWalk.Visitor = { key, _ in
            names.append([UInt8](key))
            return true
        }
        let pass = TreeWalk(file, ScanBudget(file), upper: nil, onBucket: collector)
        let result: Result<TreeWalk.Outcome, any Error> = Result {
            try walk(pass, lower: nil) { key, _ in
                if refusingValues { plain = [UInt8](key) }
                return !refusingValues
            }
        }
        if case .failure(let error) = result { throw asBoltError(error) }
        if let plain {
            throw BoltError(
                .unsupported, file.image.path,
                "the entry \(quoted(plain)) at the top level is a plain value where only buckets are expected."
                    + " Check that this is the right file.")
        }
        return names
    }

    func walk(_ pass: TreeWalk, lower: Bytes?, _ body: TreeWalk.Visitor) throws -> TreeWalk.Outcome {
        try file.image.requireOpen()
        var pass = pass
        defer { pass.finish() }
        return try file.image.trusting {
            let top = try topPage()
            if !top.isInline { try pass.budget.spend(top, file) }
            return try pass.walk(top, depth: 1, Window(), lower: lower, body)
        }
    }

    func topPage() throws(BoltError) -> Page {
        switch root {
        case .page(let id): try file.page(id, parent: nil)
        case .inline(let offset, let length, let holder):
            try file.inlinePage(offset: offset, length: length, holder: holder)
        }
    }

    /// The walk throws nothing else as long as the visitor does not.
    private func asBoltError(_ error: any Error) -> BoltError {
        error as? BoltError ?? BoltError(.io, file.image.path, "\(error)")
    }
}
