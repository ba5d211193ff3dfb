import Glibc

/// What an LMDB file holds, read with plain reads and checked on the way.
///
/// The library itself follows whatever page numbers, offsets and lengths it finds; on a damaged file that ends in a
/// crash or in pages overwritten. This reader walks both trees of the file (the table and the free list) and finds every
/// contradiction, so that a file which passes can be given to the library. Values are not looked at, only located.
///
/// The layout is that of LMDB 0.9 (`libraries/liblmdb/mdb.c`: `MDB_page`, `MDB_node`, `MDB_meta`), data version 1:
///
/// | Structure | Fields, little-endian |
/// | --- | --- |
/// | page, 16 bytes | number u64, padding u16, flags u16, end of offsets u16 and begin of nodes u16 (overflow: pages u32) |
/// | node, 8 bytes | data size u32 (branch: page number u48 with the flags), flags u16, key size u16; key, data |
/// | meta, at 16 in pages 0 and 1 | magic u32, version u32, address u64, map size u64, two tables, last page u64, transaction u64 |
/// | table, 48 bytes | page size (of the free list's table) u32, flags u16, depth u16, three counts u64, entries u64, root u64 |
package struct LMDBContents {
    /// A pair, its value as a range of bytes in the file.
    package struct Pair: Sendable {
        package let key: [UInt8]
        package let value: Range<Int>
    }

    /// All pairs, in key order.
    package let pairs: [Pair]

    /// Reads a file that nobody writes to.
    ///
    /// - Parameter descriptor: The file, open for reading.
    /// - Throws: ``LMDBError`` with `isDamage` for any contradiction, else that of a failed read.
    package init(descriptor: Int32, path: String) throws(LMDBError) {
        var walk = try LMDBTreeWalk(descriptor: descriptor, path: path)
        try walk.readTable()
        try walk.checkFreeList()
        pairs = walk.pairs
    }

    /// Checks a file with named tables that nobody writes to, keeping nothing of what it holds.
    ///
    /// - Throws: As ``init(descriptor:path:)``.
    package static func check(tablesOf descriptor: Int32, path: String) throws(LMDBError) {
        var walk = try LMDBTreeWalk(descriptor: descriptor, path: path, hasNamedTables: true)
        try walk.checkNamedTables()
        try walk.checkFreeList()
    }
}

/// Reads bytes of a file, all or none.
package func readFully(
    _ descriptor: Int32, at offset: Int, into room: UnsafeMutableRawBufferPointer
) -> FileReadOutcome {
    var done = 0
    while done < room.count {
        let count = pread(descriptor, room.baseAddress.map { $0 + done }, room.count - done, off_t(offset + done))
        if count < 0 {
            if errno == EINTR { continue }
            return .failed(errno)
        }
        if count == 0 { return .ended }
        done += count
    }
    return .complete
}

/// How reading from a file ended.
package enum FileReadOutcome: Equatable, Sendable {
    case complete
    /// The file ends before.
    case ended
    /// The system refused, with this `errno`.
    case failed(Int32)
}
