import Glibc

/// Number of a page, counted from the start of the file in units of the page size.
package typealias PageID = UInt64

/// Sizes, limits and flag values of format version 2 (bbolt 1.3 to 1.5: page.go, db.go, bucket.go).
enum Layout {
    /// id u64, flags u16, count u16, overflow u32.
    static let pageHeaderSize = 16
    /// Leaf: flags, pos, ksize, vsize (u32 each). Branch: pos u32, ksize u32, child u64.
    static let elementSize = 16
    /// root page u64 (0 = inline), sequence u64.
    static let bucketHeaderSize = 16
    /// Page header and the 64 bytes of meta behind it.
    static let metaEnd = 80

    static let branchFlag: UInt16 = 0x01
    static let leafFlag: UInt16 = 0x02
    static let metaFlag: UInt16 = 0x04
    static let freeListFlag: UInt16 = 0x10
    /// In a leaf element: the value is a bucket.
    static let bucketEntryFlag: UInt32 = 0x01

    static let magic: UInt32 = 0xED0C_DAED
    static let version: UInt32 = 2
    /// In the meta's free list field: the list is not persisted.
    static let noFreeList = PageID.max

    /// bbolt's MaxKeySize.
    static let maxKeySize = 32_768
    /// Far below bbolt's 2^31 - 2, because the whole page run must stay below 2 GiB.
    static let maxValueSize = 1 << 30
    /// 65,535 aborts bbolt's writer.
    static let maxElements = 65_534

    static let minPageSize = 1_024
    static let maxPageSize = 16 << 20
    /// Deeper trees do not occur: two children a branch would already give 2^64 leaves.
    static let maxTreeDepth = 64
    static let maxBucketNesting = 32

    static func isAllowedPageSize(_ size: Int) -> Bool {
        size >= minPageSize && size <= maxPageSize && size & (size - 1) == 0
    }
}

/// Borrowed bytes that are never null: a key or value inside the map, or an argument for the length of a call.
struct Bytes {
    let start: UnsafeRawPointer
    let count: Int

    @inline(__always)
    init(_ start: UnsafeRawPointer, _ count: Int) {
        self.start = start
        self.count = count
    }

    /// Nil for no bytes.
    init?(_ buffer: UnsafeRawBufferPointer) {
        guard let start = buffer.baseAddress, buffer.count > 0 else { return nil }
        self.init(start, buffer.count)
    }

    @inline(__always)
    var buffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
}

/// Unsigned bytewise, the shorter prefix first: negative, zero or positive as with `memcmp`.
@inline(__always)
func order(_ left: Bytes, _ right: Bytes) -> Int {
    let common = memcmp(left.start, right.start, left.count < right.count ? left.count : right.count)
    return common != 0 ? Int(common) : left.count &- right.count
}

extension UnsafeRawPointer {
    @inline(__always)
    func u16(_ offset: Int) -> UInt16 { UInt16(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
    @inline(__always)
    func u32(_ offset: Int) -> UInt32 { UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    @inline(__always)
    func u64(_ offset: Int) -> UInt64 { UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
}

extension UnsafeMutableRawPointer {
    @inline(__always)
    func put(_ value: some FixedWidthInteger, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value))
    }
}

extension [UInt8] {
    /// As `withUnsafeBytes`, but for typed errors.
    func withRawBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try withUnsafeBufferPointer { buffer throws(E) in try body(UnsafeRawBufferPointer(buffer)) }
    }
}

/// Runs `body` with the bytes of an optional bound; an empty bound counts as none.
func withBound<R, E: Error>(_ bound: [UInt8]?, _ body: (Bytes?) throws(E) -> R) throws(E) -> R {
    guard let bound else { return try body(nil) }
    return try bound.withRawBytes { bytes throws(E) in try body(Bytes(bytes)) }
}
