import Wording

/// The 64 bytes behind the header of pages 0 and 1 (bbolt 1.3, db.go: type meta).
///
/// | offset in page | type | field |
/// |---|---|---|
/// | 0x10 | u32 | magic |
/// | 0x14 | u32 | version |
/// | 0x18 | u32 | page size |
/// | 0x1c | u32 | flags, unused |
/// | 0x20 | u64 | root page |
/// | 0x28 | u64 | sequence of the root bucket |
/// | 0x30 | u64 | free list page, or all ones |
/// | 0x38 | u64 | high-water mark |
/// | 0x40 | u64 | transaction |
/// | 0x48 | u64 | FNV-1a over 0x10 … 0x47 |
struct MetaPage: Equatable {
    var pageSize: Int
    var root: PageID
    var freeList: PageID
    var highWaterMark: PageID
    var txID: UInt64

    /// Why a place does not hold a usable meta page.
    enum Refusal: Error, Equatable {
        case noMagic, bigEndian
        case version(UInt32)
        case checksum
        case pageSize(UInt32)
        case header

        var text: String {
            switch self {
            case .noMagic: "is not a meta page"
            case .bigEndian: "was written by a big-endian computer"
            case .version(let number): "has format version \(number)"
            case .checksum: "has a wrong checksum (an interrupted commit)"
            case .pageSize(let size): "names an impossible page size of \(size) \(plural(size, "byte"))"
            case .header: "has a wrong page header"
            }
        }
    }

    /// Reads the meta at `start`, of which at least `Layout.metaEnd` bytes are readable. The tests come in bbolt's
    /// order (magic, version, checksum); page size and header, which bbolt takes as they are, come last.
    static func read(_ start: UnsafeRawPointer, number: UInt64) -> Result<MetaPage, Refusal> {
        guard start.u32(0x10) == Layout.magic else {
            let isBigEndian = start.u32(0x10).byteSwapped == Layout.magic
            return .failure(isBigEndian ? .bigEndian : .noMagic)
        }
        guard start.u32(0x14) == Layout.version else { return .failure(.version(start.u32(0x14))) }
        guard start.u64(0x48) == checksum(start) else { return .failure(.checksum) }
        let size = start.u32(0x18)
        guard Layout.isAllowedPageSize(Int(size)) else { return .failure(.pageSize(size)) }
        guard start.u64(0) == number, start.u16(8) == Layout.metaFlag else { return .failure(.header) }
        return .success(
            MetaPage(
                pageSize: Int(size), root: start.u64(0x20), freeList: start.u64(0x30),
                highWaterMark: start.u64(0x38), txID: start.u64(0x40)))
    }

    /// Writes header and meta into the first 80 bytes at `start`.
    func write(to start: UnsafeMutableRawPointer, number: UInt64) {
        start.initializeMemory(as: UInt8.self, repeating: 0, count: Layout.metaEnd)
        start.put(number, at: 0)
        start.put(Layout.metaFlag, at: 8)
        start.put(Layout.magic, at: 0x10)
        start.put(Layout.version, at: 0x14)
        start.put(UInt32(pageSize), at: 0x18)
        start.put(root, at: 0x20)
        start.put(freeList, at: 0x30)
        start.put(highWaterMark, at: 0x38)
        start.put(txID, at: 0x40)
        start.put(Self.checksum(UnsafeRawPointer(start)), at: 0x48)
    }

    /// FNV-1a, 64 bits, over the 56 bytes from 0x10 on.
    static func checksum(_ start: UnsafeRawPointer) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for offset in 0x10..<0x48 {
            hash = (hash ^ UInt64(start.load(fromByteOffset: offset, as: UInt8.self))) &* 0x100_0000_01B3
        }
        return hash
    }
}
