import Glibc

/// Writes a new bbolt file in one pass: buckets one after the other, each with ascending keys.
///
/// Memory is bounded by one page and two branch pages per level of the tree, plus the names of the top-level buckets.
/// Until `finish` has returned the file has no valid meta page and cannot be opened as a database; build under a
/// temporary name, then rename and sync the directory. Every page is laid out so that bbolt may update the file:
/// exact branch keys, two children in every branch page, a free list.
///
/// For one thread at a time. After an error other than `.invalidInput` the builder only repeats it; call `discard`.
package final class BoltBuilder {
    private let writer: PageWriter
    /// Bytes of a page to fill.
    private let limit: Int
    // Unchecked exclusivity: see TreeBuilder.
    @exclusivity(unchecked) private var current: TreeBuilder?
    /// The buckets around the current one, outermost first.
    private var enclosing: [TreeBuilder] = []
    private var topLevel: [[UInt8]: [UInt8]] = [:]
    @exclusivity(unchecked) private var failure: BoltError?
    private var isFinished = false

    /// Creates the file for its owner only (mode 0600).
    ///
    /// - Parameter path: Must not exist.
    /// - Parameter pageSize: Bytes, a power of two from 1,024 to 16,777,216.
    /// - Parameter fill: The part of a page to fill, 0.1 to 1.0. 0.9 suits a file that will be updated; with 1.0 the
    ///   first update of any page splits it.
    /// - Throws: `.invalidInput` for the numbers; `.io`, with `errno` EEXIST if the file exists.
    package init(path: String, pageSize: Int = 4_096, fill: Double = 0.9) throws(BoltError) {
        limit = try Self.limit(path, pageSize, fill)
        writer = try PageWriter(path: path, pageSize: pageSize)
    }

    /// Builds in an empty file that is open for writing, wherever its path leads.
    ///
    /// - Parameters:
    ///   - descriptor: The builder's to close, whatever happens.
    ///   - path: What to call the file in messages; ``discard()`` removes no name.
    package init(descriptor: Int32, path: String, pageSize: Int, fill: Double = 0.9) throws(BoltError) {
        do throws(BoltError) {
            limit = try Self.limit(path, pageSize, fill)
        } catch {
            close(descriptor)
            throw error
        }
        writer = try PageWriter(descriptor: descriptor, path: path, pageSize: pageSize)
    }

    private static func limit(_ path: String, _ pageSize: Int, _ fill: Double) throws(BoltError) -> Int {
        guard Layout.isAllowedPageSize(pageSize) else {
            throw BoltError(
                .invalidInput, path,
                "a page size of \(pageSize) bytes is impossible; take a power of two from 1024 to 16777216.")
        }
        guard fill >= 0.1, fill <= 1 else {
            throw BoltError(.invalidInput, path, "pages cannot be filled by the factor \(fill); take 0.1 to 1.0.")
        }
        return Int(Double(pageSize) * fill)
    }

    /// Counts what a file would take, and makes none: ``complete()`` ends it, ``bytesWritten`` is then the file's size.
    ///
    /// - Parameter pageSize: As of a file that was read.
    package init(measuring pageSize: Int, fill: Double = 0.9) throws(BoltError) {
        limit = Int(Double(pageSize) * fill)
        writer = try PageWriter(measuring: pageSize)
    }

    /// Bytes produced so far, those still in memory included.
    package var bytesWritten: Int { writer.bytesWritten }

    /// Begins a bucket: at the top level, in any order of names; or, between `beginBucket` and `endBucket` of another,
    /// inside that one, where its name takes part in the ascending order of keys.
    ///
    /// - Parameter name: 1 to 32,768 bytes, new among its siblings.
    /// - Parameter sequence: The counter in the bucket's header.
    /// - Parameter mayBeInline: Whether a small bucket is stored inside its parent's page, as bbolt does.
    /// - Throws: `.invalidInput` for the name; `.io`.
    package func beginBucket(
        _ name: [UInt8], sequence: UInt64 = 0, mayBeInline: Bool = true
    ) throws(BoltError) {
        try requireUsable()
        if let parent = current {
            try name.withRawBytes { bytes throws(BoltError) in _ = try parent.check(bytes) }
            guard enclosing.count + 2 <= Layout.maxBucketNesting else {
                throw invalid("buckets cannot be nested deeper than \(Layout.maxBucketNesting) levels.")
            }
            parent.hasSubBuckets = true
            enclosing.append(parent)
        } else {
            guard !name.isEmpty, name.count <= Layout.maxKeySize else {
                throw invalid(
                    "a bucket name of \(name.count) bytes is impossible; 1 to \(Layout.maxKeySize) are possible.")
            }
            guard topLevel[name] == nil else { throw invalid("the bucket \(quoted(name)) is already there.") }
        }
        current = TreeBuilder(
            name: name, sequence: sequence, mayBeInline: mayBeInline, limit: limit, writer: writer)
    }

    /// Adds an entry to the bucket begun last.
    ///
    /// - Parameter key: 1 to 32,768 bytes, above the last key in unsigned bytewise order; copied.
    /// - Parameter value: 0 bytes to 1 GiB; copied or written before the call returns.
    /// - Throws: `.invalidInput` for key or value, after which the builder is as before; `.io`.
    package func add(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) throws(BoltError) {
        guard let current, failure == nil else { throw unusable() }
        let checked = try current.check(key)
        do throws(BoltError) {
            try current.add(checked, value, flags: 0)
        } catch {
            throw remember(error)
        }
    }

    /// Ends the bucket begun last.
    ///
    /// - Throws: `.invalidInput` if there is none; `.io`.
    package func endBucket() throws(BoltError) {
        guard let ending = current, failure == nil else { throw unusable() }
        do throws(BoltError) {
            let value = try ending.finish()
            current = enclosing.popLast()
            if let parent = current {
                try Self.addBucket(ending.name, value, to: parent)
            } else {
                topLevel[ending.name] = value
            }
        } catch {
            throw remember(error)
        }
    }

    /// Writes root bucket and free list, makes them durable, then the meta pages, and makes those durable; closes the
    /// file. Its length is exactly the number of its pages times the page size.
    ///
    /// - Throws: `.invalidInput` if a bucket has not been ended or the builder is finished already; `.io`.
    package func finish() throws(BoltError) {
        try end(durably: true)
    }

    /// As ``finish()`` without waiting for the disk: the file is whole and can be read, but until ``sync()`` returned it
    /// must not be given the name under which it is looked for.
    package func complete() throws(BoltError) {
        try end(durably: false)
    }

    /// Waits for the disk and closes the file; after ``complete()``. May run beside readers of the file.
    package func sync() throws(BoltError) {
        do throws(BoltError) {
            try writer.makeDurable()
        } catch {
            throw remember(error)
        }
    }

    private func end(durably: Bool) throws(BoltError) {
        try requireUsable()
        guard current == nil else { throw invalid("a bucket was begun and not ended.") }
        do throws(BoltError) {
            let root = TreeBuilder(name: [], sequence: 0, mayBeInline: false, limit: limit, writer: writer)
            for (name, value) in topLevel.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                try Self.addBucket(name, value, to: root)
            }
            let rootPage = try root.finishPaged()
            let freeList = try writer.beginPage(flags: Layout.freeListFlag, count: 0, size: Layout.pageHeaderSize)
            try writer.endPage()
            if durably {
                try writer.finish(root: rootPage, freeList: freeList)
            } else {
                try writer.complete(root: rootPage, freeList: freeList)
            }
            isFinished = true
        } catch {
            throw remember(error)
        }
    }

    /// Closes and deletes the unfinished file. After `finish` it does nothing.
    package func discard() {
        writer.discard()
        isFinished = true
        current = nil
        enclosing = []
    }

    private static func addBucket(_ name: [UInt8], _ value: [UInt8], to parent: TreeBuilder) throws(BoltError) {
        try name.withRawBytes { name throws(BoltError) in
            let key = try parent.check(name)
            try value.withRawBytes { value throws(BoltError) in
                try parent.add(key, value, flags: Layout.bucketEntryFlag)
            }
        }
    }

    private func requireUsable() throws(BoltError) {
        if failure != nil || isFinished { throw unusable() }
    }

    private func unusable() -> BoltError {
        if let failure { return failure }
        return isFinished
            ? invalid("the file is finished or discarded and takes nothing more.")
            : invalid("an entry needs a bucket: begin one first.")
    }

    private func remember(_ error: BoltError) -> BoltError {
        if error.code != .invalidInput { failure = error }
        return error
    }

    private func invalid(_ text: String) -> BoltError { BoltError(.invalidInput, writer.path, text) }
}
