import Glibc

/// The leaf page being filled: its element array and its keys and values, apart because the array's length is known
/// only when the page is full.
struct LeafRun: ~Copyable {
    private(set) var count = 0
    /// Bytes the page would have now.
    private(set) var size = Layout.pageHeaderSize
    private let limit: Int
    private let elements: UnsafeMutableRawPointer
    private let data: UnsafeMutableRawPointer
    private var dataSize = 0
    private let lastKeyStart: UnsafeMutableRawPointer
    private var lastKeySize = 0

    /// - Parameter limit: Bytes a page may have with more than one element.
    init(limit: Int) {
        self.limit = limit
        let smallestEntry = Layout.elementSize + 1
        let most = min(Layout.maxElements, limit / smallestEntry + 1)
        elements = .allocate(byteCount: most * Layout.elementSize, alignment: 16)
        data = .allocate(byteCount: limit, alignment: 16)
        lastKeyStart = .allocate(byteCount: Layout.maxKeySize, alignment: 16)
    }

    deinit {
        elements.deallocate()
        data.deallocate()
        lastKeyStart.deallocate()
    }

    /// The last key added to the tree, be it on this page or an earlier one.
    var lastKey: Bytes? { lastKeySize == 0 ? nil : Bytes(lastKeyStart, lastKeySize) }

    @inline(__always)
    func isAboveLastKey(_ key: Bytes) -> Bool {
        lastKeySize == 0 || order(Bytes(lastKeyStart, lastKeySize), key) < 0
    }

    /// - Parameter key: At most `Layout.maxKeySize` bytes.
    @inline(__always)
    mutating func setLastKey(_ key: Bytes) {
        memcpy(lastKeyStart, key.start, key.count)
        lastKeySize = key.count
    }

    /// Adds the entry and remembers its key; false, and nothing changed, if the page has no room left.
    @inline(__always)
    mutating func append(_ key: Bytes, _ value: UnsafeRawBufferPointer, flags: UInt32) -> Bool {
        guard size &+ Layout.elementSize &+ key.count &+ value.count <= limit, count < Layout.maxElements else {
            return false
        }
        let element = elements + count &* Layout.elementSize
        element.put(flags, at: 0)
        element.put(UInt32(key.count), at: 8)
        element.put(UInt32(value.count), at: 12)
        memcpy(data + dataSize, key.start, key.count)
        if let start = value.baseAddress { memcpy(data + dataSize + key.count, start, value.count) }
        count &+= 1
        dataSize &+= key.count &+ value.count
        size &+= Layout.elementSize &+ key.count &+ value.count
        setLastKey(key)
        return true
    }

    /// The first key; only if the run is not empty. Overwritten by the next `append` after `clear`.
    var firstKey: Bytes { Bytes(data, Int(UnsafeRawPointer(elements).u32(8))) }

    /// Puts the positions into the element array: from each element to its key, right behind the array.
    private func setPositions() {
        var position = count * Layout.elementSize
        for index in 0..<count {
            let element = elements + index * Layout.elementSize
            element.put(UInt32(position), at: 4)
            position += Int(UnsafeRawPointer(element).u32(8)) + Int(UnsafeRawPointer(element).u32(12))
            position -= Layout.elementSize
        }
    }

    /// Writes the run as a page and keeps its content.
    func write(to writer: PageWriter) throws(BoltError) -> PageID {
        setPositions()
        let id = try writer.beginPage(flags: Layout.leafFlag, count: count, size: size)
        try writer.append(elements, count * Layout.elementSize)
        try writer.append(data, dataSize)
        try writer.endPage()
        return id
    }

    /// The value of an inline bucket entry: bucket header with root 0, then the page image with number 0.
    func inlineBucket(sequence: UInt64) -> [UInt8] {
        setPositions()
        let header = Layout.bucketHeaderSize + Layout.pageHeaderSize
        var image = [UInt8](repeating: 0, count: Layout.bucketHeaderSize + size)
        image.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            start.put(sequence, at: 8)
            start.put(Layout.leafFlag, at: Layout.bucketHeaderSize + 8)
            start.put(UInt16(count), at: Layout.bucketHeaderSize + 10)
            memcpy(start + header, elements, count * Layout.elementSize)
            memcpy(start + header + count * Layout.elementSize, data, dataSize)
        }
        return image
    }

    mutating func clear() {
        count = 0
        dataSize = 0
        size = Layout.pageHeaderSize
    }
}
