import Testing

@testable import Bolt

/// The worked examples of the format, byte by byte.
@Suite struct ExactBytesTests {
    static let freshDatabase = image(
        pages: 4,
        [
            0x0000: "00 00 00 00 00 00 00 00  04 00 00 00 00 00 00 00",
            0x0010: "ed da 0c ed 02 00 00 00  00 10 00 00 00 00 00 00",
            0x0020: "03 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00",
            0x0030: "02 00 00 00 00 00 00 00  04 00 00 00 00 00 00 00",
            0x0040: "00 00 00 00 00 00 00 00  ee fd 89 46 11 6e 51 07",
            0x1000: "01 00 00 00 00 00 00 00  04 00 00 00 00 00 00 00",
            0x1010: "ed da 0c ed 02 00 00 00  00 10 00 00 00 00 00 00",
            0x1020: "03 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00",
            0x1030: "02 00 00 00 00 00 00 00  04 00 00 00 00 00 00 00",
            0x1040: "01 00 00 00 00 00 00 00  0f 48 79 51 1a 35 4c 26",
            0x2000: "02 00 00 00 00 00 00 00  10 00 00 00 00 00 00 00",
            0x3000: "03 00 00 00 00 00 00 00  02 00 00 00 00 00 00 00",
        ])

    static let twoBuckets = image(
        pages: 5,
        [
            0x0000: "00 00 00 00 00 00 00 00  04 00 00 00 00 00 00 00",
            0x0010: "ed da 0c ed 02 00 00 00  00 10 00 00 00 00 00 00",
            0x0020: "03 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00",
            0x0030: "04 00 00 00 00 00 00 00  05 00 00 00 00 00 00 00",
            0x0040: "02 00 00 00 00 00 00 00  2b bd a8 51 22 b6 a3 69",
            0x1000: "01 00 00 00 00 00 00 00  04 00 00 00 00 00 00 00",
            0x1010: "ed da 0c ed 02 00 00 00  00 10 00 00 00 00 00 00",
            0x1020: "03 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00",
            0x1030: "04 00 00 00 00 00 00 00  05 00 00 00 00 00 00 00",
            0x1040: "01 00 00 00 00 00 00 00  c8 de da 30 07 61 b3 0c",
            0x2000: "02 00 00 00 00 00 00 00  02 00 02 00 00 00 00 00",
            0x2010: "00 00 00 00 20 00 00 00  01 00 00 00 01 00 00 00",
            0x2020: "00 00 00 00 12 00 00 00  03 00 00 00 02 00 00 00",
            0x2030: "61 31 62 2f 63 32 32",
            0x3000: "03 00 00 00 00 00 00 00  02 00 02 00 00 00 00 00",
            0x3010: "01 00 00 00 20 00 00 00  06 00 00 00 43 00 00 00",
            0x3020: "01 00 00 00 59 00 00 00  04 00 00 00 10 00 00 00",
            0x3030: "63 6f 6e 66 69 67",
            0x3046: "00 00 00 00 00 00 00 00  02 00 01 00 00 00 00 00",
            0x3056: "00 00 00 00 10 00 00 00  0e 00 00 00 05 00 00 00",
            0x3066: "6c 61 74 65 73 74 5f 69 6e 64 65 78 65 73 08 01 10 ac 02",
            0x3079: "64 61 74 61 02 00 00 00  00 00 00 00",
            0x4000: "04 00 00 00 00 00 00 00  10 00 00 00 00 00 00 00",
        ])

    @Test func buildsTheExampleByteForByte() throws {
        try Scratch.with { paths in
            let builder = try BoltBuilder(path: paths[0])
            try builder.beginBucket(Array("data".utf8), mayBeInline: false)
            try builder.add(Array("a".utf8), Array("1".utf8))
            try builder.add(Array("b/c".utf8), Array("22".utf8))
            try builder.endBucket()
            try builder.beginBucket(Array("config".utf8))
            try builder.add(Array("latest_indexes".utf8), [8, 1, 0x10, 0xAC, 2])
            try builder.endBucket()
            try builder.finish()
            #expect(try Scratch.bytes(paths[0]) == Self.twoBuckets)
            #expect(builder.bytesWritten == Self.twoBuckets.count)
        }
    }

    @Test func readsBothExamples() throws {
        let fresh = try BoltReader(image: Self.freshDatabase, name: "fresh")
        #expect(fresh.txID == 1 && fresh.highWaterMark == 4 && fresh.pageSize == 4_096 && fresh.freeListIsPersisted)
        #expect(try fresh.bucketNames().isEmpty && fresh.notes.isEmpty)

        let two = try BoltReader(image: Self.twoBuckets, name: "two")
        #expect(two.txID == 2)
        var expected: [UInt8] = []
        let config = Model(entries: [(Array("latest_indexes".utf8), [8, 1, 0x10, 0xAC, 2])])
        let data = Model(entries: [(Array("a".utf8), Array("1".utf8)), (Array("b/c".utf8), Array("22".utf8))])
        config.dump(Array("config".utf8), into: &expected)
        data.dump(Array("data".utf8), into: &expected)
        #expect(try dump(two) == expected)
        #expect(try dump(two, bySegments: true) == expected)
    }

    @Test func writesMetaPagesAsTheLibraryDoes() {
        var page = [UInt8](repeating: 0xFF, count: 80)
        for number in [0, 1] {
            let meta = MetaPage(pageSize: 4_096, root: 3, freeList: 2, highWaterMark: 4, txID: UInt64(number))
            page.withUnsafeMutableBytes { bytes in
                if let start = bytes.baseAddress { meta.write(to: start, number: UInt64(number)) }
            }
            #expect(page == Array(Self.freshDatabase[number * 4_096..<number * 4_096 + 80]))
        }
    }

    private static func image(pages: Int, _ parts: [Int: String]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: pages * 4_096)
        for (offset, text) in parts {
            for (index, digits) in text.split(separator: " ").enumerated() {
                bytes[offset + index] = UInt8(digits, radix: 16) ?? 0
            }
        }
        return bytes
    }
}
