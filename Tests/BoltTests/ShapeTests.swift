import Foundation
import Testing

@testable import Bolt

/// How pages are used is told as the library counts it, and what a file written anew takes is known before.
@Suite struct ShapeTests {
    static let libraryFiles = [
        ["1", "400", "1024", "0", "3000"], ["2", "4000", "4096", "1", "9000"], ["3", "20000", "4096", "0", "300"],
        ["4", "3000", "65536", "1", "200000"], ["5", "40", "4096", "0", "3000000"],
    ]

    @Test(arguments: libraryFiles)
    func theLibrarysFilesAreMeasuredAndWrittenAnew(_ arguments: [String]) throws {
        try Scratch.with(4) { paths in
            try Boltcheck.run(
                "make", paths[0], arguments[0], arguments[1], arguments[2], arguments[3], arguments[4])
            let reader = try BoltReader(path: paths[0])
            defer { reader.close() }
            let shape = try #require(try reader.shape())
            #expect(shape.fileBytes == reader.fileSize && shape.pages == Int(reader.highWaterMark))
            if arguments[3] == "0" { #expect(shape.freePages == Self.freePageIDs(try Scratch.bytes(paths[0]))) }
            #expect(shape.freePages > 0 && shape.leafPages > 0 && shape.overflowPages > 0)

            let builder = try BoltBuilder(path: paths[1], pageSize: reader.pageSize)
            try reader.visitEverything(Copier(builder))
            try builder.finish()
            let copy = try BoltReader(path: paths[1])
            defer { copy.close() }
            #expect(copy.fileSize == shape.compactBytes)
            let after = try #require(try copy.shape())
            #expect(after.freePages == 0 && after.freeListPages == 1 && after.compactBytes == copy.fileSize)
            #expect(after.entries == shape.entries && after.buckets == shape.buckets)
            #expect(after.contentBytes == shape.contentBytes)
            try Boltcheck.run("check", paths[1])
            for (file, dump) in [(paths[0], paths[2]), (paths[1], paths[3])] {
                try Boltcheck.run("dump", file, dump)
            }
            #expect(try Scratch.bytes(paths[2]) == Scratch.bytes(paths[3]))
        }
    }

    /// The number of ids in the free list of the live meta page.
    private static func freePageIDs(_ image: [UInt8]) -> Int {
        image.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return -1 }
            let size = Int(base.u32(0x18))
            let live = base.u64(0x40) > (base + size).u64(0x40) ? base : base + size
            let list = base + Int(live.u64(0x30)) * size
            let count = Int(list.u16(10))
            return count == 0xFFFF ? Int(list.u64(16)) : count
        }
    }

    @Test func aReadingThatIsNotWantedAnyMoreEnds() throws {
        try Scratch.with { paths in
            try Boltcheck.run("make", paths[0], "6", "20000", "4096", "0", "100")
            let reader = try BoltReader(path: paths[0])
            defer { reader.close() }
            #expect(try reader.shape { true } == nil)
        }
    }

    /// Every byte of a small file is changed: the measures or an error, never a trap, never more than the file can hold.
    @Test func anyByteMayBeWrong() throws {
        let image = ExactBytesTests.twoBuckets
        for place in image.indices where image[place] != 0 || place % 4096 < 160 {
            for bit in [0, 3, 7] {
                var damaged = image
                damaged[place] ^= 1 << bit
                fixChecksums(&damaged, 4_096)
                do {
                    let shape = try BoltReader(image: damaged, name: "damaged").shape()
                    #expect((shape?.contentBytes ?? 0) <= image.count && (shape?.freePages ?? 0) >= 0)
                } catch {
                    #expect(error is BoltError, "\(place)")
                }
            }
        }
    }

    @Test func entriesThatOverlapAreRefused() throws {
        for count in 2...60 {
            guard let error = refusal({ try Self.overlapping(count) }) else { continue }
            #expect(error.code == .damaged && error.message.contains("overlap"), "\(error)")
            return
        }
        Issue.record("sixty values of a page each were taken for what a file of five pages holds")
    }

    /// The leaf of `data`, page 2, with so many elements that share the bytes behind them.
    private static func overlapping(_ count: Int) throws -> BoltShape? {
        var image = ExactBytesTests.twoBuckets
        image.withUnsafeMutableBytes { bytes in
            guard let leaf = bytes.baseAddress.map({ $0 + 2 * 4_096 }) else { return }
            leaf.put(UInt16(count), at: 10)
            for index in 0..<count {
                let element = 16 + 16 * index
                let key = 16 + 16 * count + index
                leaf.put(UInt32(0), at: element)
                leaf.put(UInt32(key - element), at: element + 4)
                leaf.put(UInt32(1), at: element + 8)
                leaf.put(UInt32(4_096 - key - 1), at: element + 12)
                leaf.put(UInt8(index + 1), at: key)
            }
        }
        return try BoltReader(image: image, name: "overlapping").shape()
    }
}

/// Writes what it is told of into a builder.
private final class Copier: BoltVisitor {
    private let builder: BoltBuilder
    init(_ builder: BoltBuilder) { self.builder = builder }
    func beginBucket(_ name: [UInt8], sequence: UInt64) throws { try builder.beginBucket(name, sequence: sequence) }
    func entry(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws {
        try builder.add(key: key, value: value)
    }
    func endBucket() throws { try builder.endBucket() }
}
