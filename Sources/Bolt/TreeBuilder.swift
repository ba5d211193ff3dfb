/// One bucket's tree under construction.
final class TreeBuilder {
    let name: [UInt8]
    private let writer: PageWriter
    private let sequence: UInt64
    private let mayBeInline: Bool
    // Unchecked exclusivity: a check per entry costs a sixth of the whole, and nothing called here comes back.
    @exclusivity(unchecked) private var leaf: LeafRun
    private var branches: BranchLevels

    /// - Parameter limit: Bytes of a page to fill.
    init(name: [UInt8], sequence: UInt64, mayBeInline: Bool, limit: Int, writer: PageWriter) {
        self.name = name
        self.sequence = sequence
        self.mayBeInline = mayBeInline
        self.writer = writer
        leaf = LeafRun(limit: limit)
        branches = BranchLevels(limit: limit)
    }

    /// Refuses a key that could not be added next.
    @inline(__always)
    func check(_ buffer: UnsafeRawBufferPointer) throws(BoltError) -> Bytes {
        guard let key = Bytes(buffer), key.count <= Layout.maxKeySize else {
            throw BoltError(
                .invalidInput, writer.path,
                "a key of \(buffer.count) bytes cannot be stored in bbolt; 1 to \(Layout.maxKeySize) are possible.")
        }
        guard leaf.isAboveLastKey(key) else { throw outOfOrder(key) }
        return key
    }

    @inline(__always)
    func add(_ key: Bytes, _ value: UnsafeRawBufferPointer, flags: UInt32) throws(BoltError) {
        guard value.count <= Layout.maxValueSize else {
            throw BoltError(
                .invalidInput, writer.path,
                "the value of \(quoted(key.buffer)) has \(value.count) bytes; \(Layout.maxValueSize) are possible.")
        }
        if leaf.append(key, value, flags: flags) { return }
        try flushLeaf()
        if !leaf.append(key, value, flags: flags) {
            try writeAlone(key, value, flags: flags)
            leaf.setLastKey(key)
        }
    }

    /// Writes the rest of the tree.
    ///
    /// - Returns: The value of the bucket's entry in its parent: 16 bytes, or the whole bucket if it is small.
    func finish() throws(BoltError) -> [UInt8] {
        // bbolt 1.3, bucket.go: inlineable. A sub-bucket never gets here: it has made its parent not inlinable.
        if mayBeInline, !hasSubBuckets, branches.isEmpty, leaf.size <= writer.pageSize / 4 {
            return leaf.inlineBucket(sequence: sequence)
        }
        let root = try finishPaged()
        var header = [UInt8](repeating: 0, count: Layout.bucketHeaderSize)
        header.withUnsafeMutableBytes { bytes in
            bytes.baseAddress?.put(root, at: 0)
            bytes.baseAddress?.put(sequence, at: 8)
        }
        return header
    }

    /// As `finish`, but never inline: returns the number of the root page.
    func finishPaged() throws(BoltError) -> PageID {
        if branches.isEmpty, leaf.count == 0 { return try leaf.write(to: writer) }
        try flushLeaf()
        return try branches.finish(writer)
    }

    /// To be set as soon as an entry is a bucket.
    var hasSubBuckets = false

    private func flushLeaf() throws(BoltError) {
        guard leaf.count > 0 else { return }
        let id = try leaf.write(to: writer)
        try branches.push(0, leaf.firstKey, id, writer)
        leaf.clear()
    }

    /// A leaf, with overflow pages as needed, for one entry that is larger than the limit.
    private func writeAlone(_ key: Bytes, _ value: UnsafeRawBufferPointer, flags: UInt32) throws(BoltError) {
        let size = Layout.pageHeaderSize + Layout.elementSize + key.count + value.count
        let id = try writer.beginPage(flags: Layout.leafFlag, count: 1, size: size)
        let element: (UInt32, UInt32, UInt32, UInt32) = (
            flags.littleEndian, UInt32(Layout.elementSize).littleEndian, UInt32(key.count).littleEndian,
            UInt32(value.count).littleEndian
        )
        try withUnsafeBytes(of: element) { bytes throws(BoltError) in
            if let start = bytes.baseAddress { try writer.append(start, bytes.count) }
        }
        try writer.append(key.start, key.count)
        if let start = value.baseAddress { try writer.append(start, value.count) }
        try writer.endPage()
        try branches.push(0, key, id, writer)
    }

    private func outOfOrder(_ key: Bytes) -> BoltError {
        let last = leaf.lastKey.map { quoted($0.buffer) } ?? "nothing"
        return BoltError(
            .invalidInput, writer.path,
            "the key \(quoted(key.buffer)) comes after \(last); keys must be strictly ascending.")
    }
}
