import Foundation
import Testing

@testable import Bolt

/// Locks, files that are none, cut files, and the choice of the meta page.
@Suite struct FileEdgeTests {
    @Test func honoursTheLibrarysLock() throws {
        try Scratch.with { paths in
            try Data(ExactBytesTests.twoBuckets).write(to: URL(filePath: paths[0]))
            let other = open(paths[0], O_RDWR)
            defer { close(other) }
            #expect(flock(other, LOCK_EX | LOCK_NB) == 0)
            #expect(refusal { try BoltReader(path: paths[0]) }?.code == .inUse)
            #expect(flock(other, LOCK_UN) == 0)

            let reader = try BoltReader(path: paths[0])
            let second = try BoltReader(path: paths[0])
            second.close()
            #expect(flock(other, LOCK_EX | LOCK_NB) != 0)
            let bucket = try #require(try reader.bucket(Array("data".utf8)))
            var cursor = bucket.makeSegments()
            let segment = try #require(try cursor.next())
            reader.close()
            reader.close()
            #expect(flock(other, LOCK_EX | LOCK_NB) == 0)
            #expect(refusal { try reader.bucketNames() }?.code == .invalidInput)
            #expect(refusal { try bucket.visit(from: nil, to: nil) { _, _ in true } }?.code == .invalidInput)
            #expect(refusal { try segment.visit { _, _ in true } }?.code == .invalidInput)
        }
    }

    @Test func aBucketKeepsTheFileOpen() throws {
        try Scratch.with { paths in
            try Data(ExactBytesTests.twoBuckets).write(to: URL(filePath: paths[0]))
            let bucket = try #require(try BoltReader(path: paths[0]).bucket(Array("data".utf8)))
            let value = try [UInt8]("a".utf8).withUnsafeBytes { try bucket.withValue(forKey: $0) { [UInt8]($0) } }
            #expect(value == Array("1".utf8))
        }
    }

    @Test func namesFilesThatAreNone() throws {
        try Scratch.with { paths in
            #expect(refusal { try BoltReader(path: paths[0]) }?.code == .notFound)
            #expect(refusal { try BoltReader(path: "/tmp") }?.code == .unsupported)
            #expect(refusal { try BoltReader(path: "/dev/null") }?.code == .unsupported)
            try Data().write(to: URL(filePath: paths[0]))
            #expect(refusal { try BoltReader(path: paths[0]) }?.code == .truncated)
            try Data(repeating: 0, count: 9_000).write(to: URL(filePath: paths[0]))
            #expect(refusal { try BoltReader(path: paths[0]) }?.code == .damaged)
        }
    }

    @Test func refusesEveryCutFile() {
        for size in stride(from: 0, to: ExactBytesTests.twoBuckets.count, by: 97) {
            let error = refusal { try BoltReader(image: Array(ExactBytesTests.twoBuckets[..<size]), name: "cut") }
            #expect(error?.code == .truncated || error?.code == .damaged, "\(size)")
        }
        // The free space after the high-water mark means nothing.
        let long = ExactBytesTests.twoBuckets + [UInt8](repeating: 0xEE, count: 5_000)
        #expect(throws: Never.self) { try dump(BoltReader(image: long, name: "long")) }
    }

    @Test(arguments: [0, 1])
    func fallsBackToTheOtherMetaPage(_ number: Int) throws {
        var image = ExactBytesTests.twoBuckets
        image[number * 4_096 + 0x48] ^= 1
        let reader = try BoltReader(image: image, name: "torn")
        #expect(reader.txID == (number == 0 ? 1 : 2))
        #expect(reader.notes.count == 1 && reader.notes[0].contains("wrong checksum"))
        image[(1 - number) * 4_096 + 0x48] ^= 1
        #expect(refusal { try BoltReader(image: image, name: "torn") }?.code == .damaged)
    }

    @Test func doesNotFallBackFromFieldsOutOfRange() throws {
        for (offset, value) in [(0x20, UInt64(1)), (0x20, 5), (0x30, 5), (0x30, 1), (0x38, 2), (0x38, 6), (0x38, .max)]
        {
            let image = changedMeta(offset, value)
            let error = refusal { try BoltReader(image: image, name: "meta") }
            #expect(error?.code == (offset == 0x38 && value > 5 ? .truncated : .damaged), "\(offset) \(value)")
        }
        let reader = try BoltReader(image: changedMeta(0x30, .max), name: "meta")
        #expect(!reader.freeListIsPersisted)
    }

    @Test func recognisesOtherByteOrdersAndVersions() {
        var image = ExactBytesTests.twoBuckets
        for start in [0x10, 0x1010] { image.replaceSubrange(start..<start + 4, with: [0xED, 0x0C, 0xDA, 0xED]) }
        let foreign = refusal { try BoltReader(image: image, name: "foreign") }
        #expect(foreign?.code == .unsupported && foreign?.message.contains("big-endian") == true)
        image = ExactBytesTests.twoBuckets
        for start in [0x14, 0x1014] { image[start] = 3 }
        #expect(refusal { try BoltReader(image: image, name: "newer") }?.code == .unsupported)
    }

    private func changedMeta(_ offset: Int, _ value: UInt64) -> [UInt8] {
        var image = ExactBytesTests.twoBuckets
        withUnsafeBytes(of: value.littleEndian) { image.replaceSubrange(offset..<offset + 8, with: $0) }
        fixChecksums(&image, 4_096)
        return image
    }
}

/// The error `body` ends with, or nil.
func refusal<R>(_ body: () throws -> R) -> BoltError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? BoltError
    }
}

/// Gives both meta pages the checksum of their present content.
func fixChecksums(_ image: inout [UInt8], _ pageSize: Int) {
    image.withUnsafeMutableBytes { bytes in
        guard let start = bytes.baseAddress else { return }
        for page in [start, start + pageSize] { page.put(MetaPage.checksum(UnsafeRawPointer(page)), at: 0x48) }
    }
}
