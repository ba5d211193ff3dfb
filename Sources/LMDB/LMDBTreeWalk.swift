import CLMDB
import Glibc
import Wording

/// Walks the trees of an LMDB file; see ``LMDBContents`` for the layout.
struct LMDBTreeWalk {
    private static let pageHeader = 16
    private static let nodeHeader = 8
    private static let branchFlag: UInt16 = 1
    private static let leafFlag: UInt16 = 2
    private static let overflowFlag: UInt16 = 4
    private static let metaFlag: UInt16 = 8
    private static let bigDataFlag: UInt16 = 1
    private static let tableFlag: UInt16 = 2
    private static let tableBytes = 48
    private static let maximumKey = 511
    /// The library's cursors hold no more levels.
    private static let maximumDepth = 32
    /// Pages given out in a transaction and not used in it are never written; the file may end before them.
    private static let maximumUnwritten = 1 << 16

    /// A table as the meta page describes it.
    private struct Table {
        var depth: Int
        var entries: UInt64
        var root: UInt64
        var flags: UInt16
    }

    /// The keys of one subtree lie in `lower..<upper`.
    private struct Bounds {
        var lower: [UInt8]?
        var upper: [UInt8]?
    }

    private let descriptor: Int32
    private let path: String
    private var pageSize = 4096
    private var filePages = 0
    private var lastPage = 0
    private var freeList = Table(depth: 0, entries: 0, root: .max, flags: 0)
    private var table = Table(depth: 0, entries: 0, root: .max, flags: 0)
    private var isSeen: [Bool] = []
    /// Pairs of the tree walked last.
    private(set) var pairs: [LMDBContents.Pair] = []
    /// Pairs seen of the tree walked last.
    private var seenPairs: UInt64 = 0
    private var isFreeList = false
    private var keepsPairs = true
    /// The tables that the unnamed one names; `nil` where it may name none.
    private var named: [Table]?

    init(descriptor: Int32, path: String, hasNamedTables: Bool = false) throws(LMDBError) {
        self.descriptor = descriptor
        self.path = path
        if hasNamedTables { named = [] }
        try readMeta()
        isSeen = [Bool](repeating: false, count: min(filePages, lastPage + 1))
    }

    private func damage(_ text: String) -> LMDBError { LMDBError(damage: text, path: path) }

    private func bytes(at offset: Int, count: Int) throws(LMDBError) -> [UInt8] {
        var outcome = FileReadOutcome.complete
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, size in
            let wanted = UnsafeMutableRawBufferPointer(start: room.baseAddress, count: count)
            outcome = readFully(descriptor, at: offset, into: wanted)
            size = outcome == .complete ? count : 0
        }
        switch outcome {
        case .complete: return bytes
        case .ended: throw damage("the file ends in the middle of what it says it holds")
        case .failed(let number): throw LMDBError(call: "read", code: number, path: path)
        }
    }

    // MARK: Meta pages

    /// Reads both meta pages and takes the one of the later transaction, as the library does.
    private mutating func readMeta() throws(LMDBError) {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw LMDBError(call: "fstat", code: errno, path: path) }
        guard info.st_mode & S_IFMT == S_IFREG else { throw damage("this is no file") }
        let size = Int(info.st_size)
        guard size >= 2 * 512 else { throw damage("the file is too short") }
        let first = try bytes(at: 0, count: 512)
        let pageSize = Int(first.number(at: 16 + 24, as: UInt32.self))
        guard pageSize >= 512, pageSize <= 32768, pageSize & (pageSize - 1) == 0, size >= 2 * pageSize else {
            throw damage("the file has no page size of LMDB")
        }
        self.pageSize = pageSize
        filePages = size / pageSize
        let second = try bytes(at: pageSize, count: 512)
        for (number, meta) in [first, second].enumerated() {
            guard meta.number(at: 0, as: UInt64.self) == number,
                meta.number(at: 10, as: UInt16.self) & Self.metaFlag != 0,
                meta.number(at: 16, as: UInt32.self) == 0xbeef_c0de, meta.number(at: 20, as: UInt32.self) == 1,
                meta.number(at: 16 + 24, as: UInt32.self) == pageSize
            else { throw damage("meta page \(number) is not one of LMDB 0.9") }
        }
        let transactions = [first, second].map { $0.number(at: 16 + 128, as: UInt64.self) }
        let meta = transactions[0] < transactions[1] ? second : first
        guard max(transactions[0], transactions[1]) < 1 << 56 else { throw damage("the transaction number is absurd") }
        freeList = Self.table(meta, at: 16 + 24)
        table = Self.table(meta, at: 16 + 72)
        let last = meta.number(at: 16 + 120, as: UInt64.self)
        guard last >= 1, last < UInt64(filePages + Self.maximumUnwritten) else {
            throw damage("page \(last) is said to be the last, and the file has \(filePages)")
        }
        lastPage = Int(last)
        // Only the free list's keys are integers. Its upper byte keeps flags of the environment (`mm_flags`).
        guard freeList.flags & 0xff == UInt16(MDB_INTEGERKEY), table.flags == 0 else {
            throw damage("the table's flags are wrong")
        }
    }

    private static func table(_ meta: [UInt8], at offset: Int) -> Table {
        Table(
            depth: Int(meta.number(at: offset + 6, as: UInt16.self)),
            entries: meta.number(at: offset + 32, as: UInt64.self),
            root: meta.number(at: offset + 40, as: UInt64.self),
            flags: meta.number(at: offset + 4, as: UInt16.self))
    }

    // MARK: Trees

    /// Collects the pairs of the table.
    mutating func readTable() throws(LMDBError) {
        try walk(table)
    }

    /// Walks through the tables that the unnamed one names, keeping nothing of what they hold.
    mutating func checkNamedTables() throws(LMDBError) {
        keepsPairs = false
        defer { keepsPairs = true }
        try walk(table)
        let tables = named ?? []
        guard seenPairs == UInt64(tables.count) else { throw damage("there are entries beside the tables") }
        named = nil
        for table in tables { try walk(table) }
    }

    /// Checks the free list: no page in it may be in use, or be there twice.
    mutating func checkFreeList() throws(LMDBError) {
        let tablePairs = pairs
        defer { pairs = tablePairs }
        isFreeList = true
        keepsPairs = true
        try walk(freeList)
        for pair in pairs {
            let list = try bytes(at: pair.value.lowerBound, count: pair.value.count)
            guard list.count >= 8, list.count.isMultiple(of: 8) else { throw damage("a free list is cut off") }
            let count = list.number(at: 0, as: UInt64.self)
            guard count < UInt64(list.count / 8) else { throw damage("a free list is longer than its room") }
            var earlier = UInt64.max
            for index in 0..<Int(count) {
                let page = list.number(at: 8 + 8 * index, as: UInt64.self)
                guard page >= 2, page <= UInt64(lastPage), page < earlier else {
                    throw damage("a free list names page \(page) out of place")
                }
                earlier = page
                try see(page, isWritten: false)
            }
        }
    }

    private mutating func walk(_ table: Table) throws(LMDBError) {
        pairs = []
        seenPairs = 0
        guard table.root != .max else {
            guard table.entries == 0 else { throw damage("a table has entries and no pages") }
            return
        }
        guard table.depth >= 1, table.depth <= Self.maximumDepth else {
            throw damage("a table has \(table.depth) \(plural(table.depth, "level"))")
        }
        try readPage(table.root, level: table.depth, Bounds())
        guard seenPairs == table.entries else {
            throw damage(
                "a table has \(seenPairs) of its \(table.entries) \(plural(table.entries, "entry", "entries"))")
        }
    }

    /// Marks a page as used, which happens once to every page.
    private mutating func see(_ page: UInt64, isWritten: Bool = true) throws(LMDBError) {
        guard page >= 2, page <= UInt64(lastPage), !isWritten || page < UInt64(filePages) else {
            throw damage("page \(page) does not exist")
        }
        guard page < isSeen.count else { return }
        guard !isSeen[Int(page)] else { throw damage("page \(page) is used twice") }
        isSeen[Int(page)] = true
    }

    /// - Parameter level: 1 for a leaf.
    private mutating func readPage(_ number: UInt64, level: Int, _ bounds: Bounds) throws(LMDBError) {
        try see(number)
        let page = try bytes(at: Int(number) * pageSize, count: pageSize)
        let end = Int(page.number(at: 12, as: UInt16.self))
        let begin = Int(page.number(at: 14, as: UInt16.self))
        guard page.number(at: 0, as: UInt64.self) == number,
            page.number(at: 10, as: UInt16.self) == (level == 1 ? Self.leafFlag : Self.branchFlag),
            end > Self.pageHeader, end.isMultiple(of: 2), end <= begin, begin <= pageSize
        else { throw damage("page \(number) is none of the tree") }
        let count = (end - Self.pageHeader) / 2
        var earlier = bounds.lower
        var nodes: [Range<Int>] = []
        var children: [(page: UInt64, key: [UInt8])] = []
        for index in 0..<count {
            let offset = Int(page.number(at: Self.pageHeader + 2 * index, as: UInt16.self))
            guard offset >= begin, offset <= pageSize - Self.nodeHeader else {
                throw damage("page \(number) is damaged")
            }
            let keySize = Int(page.number(at: offset + 6, as: UInt16.self))
            let data = offset + Self.nodeHeader + keySize
            guard keySize <= Self.maximumKey, data <= pageSize else { throw damage("page \(number) is damaged") }
            let key = Array(page[(offset + Self.nodeHeader)..<data])
            // The first key of a branch page stands for everything below the second; the library never looks at it.
            if level == 1 || index > 0 {
                let isFirstOfBounds = level == 1 && index == 0
                guard isAscending(earlier, key, allowsEqual: isFirstOfBounds), isAscending(key, bounds.upper) else {
                    throw damage("page \(number) is out of order")
                }
                earlier = key
            }
            if level == 1 {
                nodes.append(offset..<(try readLeafNode(page, number, key, data, header: offset)))
            } else {
                nodes.append(offset..<data)
                let low = UInt64(page.number(at: offset, as: UInt32.self))
                children.append((low | UInt64(page.number(at: offset + 4, as: UInt16.self)) << 32, key))
            }
        }
        guard Self.fill(nodes, begin..<pageSize) else { throw damage("page \(number) is damaged") }
        for (index, child) in children.enumerated() {
            let lower = index == 0 ? bounds.lower : child.key
            let upper = index + 1 < children.count ? children[index + 1].key : bounds.upper
            try readPage(child.page, level: level - 1, Bounds(lower: lower, upper: upper))
        }
    }

    /// Whether nodes, each rounded up to an even size, lie side by side and take up all the room: the library moves what lies
    /// below a node that it removes, by the size that the node says it has.
    private static func fill(_ nodes: [Range<Int>], _ room: Range<Int>) -> Bool {
        var place = room.lowerBound
        for node in nodes.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard node.lowerBound == place else { return false }
            place = node.lowerBound + (node.count + 1) & ~1
        }
        return place == room.upperBound
    }

    /// - Returns: Where in the page the node ends.
    private mutating func readLeafNode(
        _ page: [UInt8], _ number: UInt64, _ key: [UInt8], _ data: Int, header offset: Int
    ) throws(LMDBError) -> Int {
        let size = Int(page.number(at: offset, as: UInt32.self))
        guard !key.isEmpty, !isFreeList || key.count == 8 else { throw damage("page \(number) has a wrong key") }
        switch page.number(at: offset + 4, as: UInt16.self) {
        case 0:
            guard size <= pageSize - data else { throw damage("page \(number) is damaged") }
            let start = Int(number) * pageSize + data
            keep(key, start..<(start + size))
            return data + size
        case Self.tableFlag where named != nil && !isFreeList:
            guard size == Self.tableBytes, size <= pageSize - data else { throw damage("page \(number) is damaged") }
            let found = Self.table(page, at: data)
            guard found.flags == 0, named?.count ?? 0 < 128 else { throw damage("a table's flags are wrong") }
            named?.append(found)
            seenPairs += 1
            return data + size
        case Self.bigDataFlag:
            guard data + 8 <= pageSize else { throw damage("page \(number) is damaged") }
            let first = page.number(at: data, as: UInt64.self)
            let start = try readOverflow(first, size: size)
            keep(key, start..<(start + size))
            return data + 8
        default: throw damage("page \(number) has a node of a kind that is never written")
        }
    }

    private mutating func keep(_ key: [UInt8], _ value: Range<Int>) {
        seenPairs += 1
        if keepsPairs { pairs.append(LMDBContents.Pair(key: key, value: value)) }
    }

    /// Checks the pages of a value that is too large for a leaf page.
    ///
    /// - Returns: Where in the file the value begins.
    private mutating func readOverflow(_ first: UInt64, size: Int) throws(LMDBError) -> Int {
        try see(first)
        let header = try bytes(at: Int(first) * pageSize, count: Self.pageHeader)
        let count = Int(header.number(at: 12, as: UInt32.self))
        guard header.number(at: 0, as: UInt64.self) == first,
            header.number(at: 10, as: UInt16.self) == Self.overflowFlag,
            count >= 1, count * pageSize >= Self.pageHeader + size, Int(first) + count <= filePages
        else { throw damage("page \(first) does not begin a large value") }
        for page in 1..<max(count, 1) { try see(first + UInt64(page)) }
        return Int(first) * pageSize + Self.pageHeader
    }

    private func isAscending(_ left: [UInt8]?, _ right: [UInt8]?, allowsEqual: Bool = false) -> Bool {
        guard let left, let right else { return true }
        if left == right { return allowsEqual }
        if isFreeList {
            guard left.count == 8, right.count == 8 else { return false }
            return left.number(at: 0, as: UInt64.self) < right.number(at: 0, as: UInt64.self)
        }
        return left.lexicographicallyPrecedes(right)
    }
}

extension [UInt8] {
    /// A little-endian number inside the array; the caller has checked that it is.
    fileprivate func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number {
        precondition(offset >= 0 && offset + MemoryLayout<Number>.size <= count, "a number beyond the bytes")
        return withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
    }
}
