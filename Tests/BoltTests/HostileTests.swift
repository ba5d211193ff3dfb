import TestSupport
import Testing

@testable import Bolt

/// Files changed at random or on purpose: an error that names the place, or the entries; never a trap or a hang. The
/// images lie in front of an inaccessible page, so that reading past the end would trap as well.
@Suite struct HostileTests {
    static let rounds = Array(0..<(Effort.isThorough ? 40 : 12))
    static let imagesPerRound = Effort.rounds(600)

    @Test(arguments: rounds)
    func survivesSeededMutations(_ round: Int) throws {
        let original = try Self.images.get()[round % 3]
        let pageSize = Int(original[0x18]) | Int(original[0x19]) << 8
        for number in 0..<Self.imagesPerRound {
            var random = SeededRandom(fuzz: round * 1_000_000 + number)
            var image = original
            for _ in 0...random.below(3) { Self.mutate(&image, pageSize, &random) }
            if random.below(4) != 0, image.count >= 2 * pageSize { fixChecksums(&image, pageSize) }
            Self.readAll(image, "seed \(round) \(number)")
        }
    }

    @Test(arguments: 0..<5)
    func survivesEverySingleByteChange(_ page: Int) {
        for offset in page * 4_096..<(page + 1) * 4_096 where offset % 4_096 < 160 || offset % 64 == 0 {
            for change in [0x01, 0x80, 0xFF] as [UInt8] {
                var image = ExactBytesTests.twoBuckets
                image[offset] ^= change
                fixChecksums(&image, 4_096)
                Self.readAll(image, "byte \(offset)")
            }
        }
    }

    @Test func namesCirclesAndSharedPages() throws {
        // A root branch page whose children are all the same empty leaf: only the budget of visits stops this.
        var image = [UInt8](repeating: 0, count: 6 * 4_096)
        image.replaceSubrange(0..<2 * 4_096, with: ExactBytesTests.twoBuckets[..<(2 * 4_096)])
        let children = 100
        image.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            for (page, flags, count) in [(2, UInt16(2), 0), (3, 2, 1), (4, 1, children)] {
                (start + page * 4_096).put(UInt64(page), at: 0)
                (start + page * 4_096).put(flags, at: 8)
                (start + page * 4_096).put(UInt16(count), at: 10)
            }
            for index in 0..<children {
                let element = start + 4 * 4_096 + 16 + index * 16
                element.put(UInt32((children - index) * 16 + index), at: 0)
                element.put(UInt32(1), at: 4)
                element.put(UInt64(2), at: 8)
                (start + 4 * 4_096 + 16 + children * 16).put(UInt8(index + 1), at: index)
            }
            let element = start + 3 * 4_096 + 16
            element.put(UInt32(1), at: 0)
            element.put(UInt32(16), at: 4)
            element.put(UInt32(1), at: 8)
            element.put(UInt32(16), at: 12)
            element.put(UInt8(0x64), at: 16)
            element.put(UInt64(4), at: 17)
        }
        fixChecksums(&image, 4_096)
        let bucket = try #require(try BoltReader(image: image, name: "shared").bucket([0x64]))
        let error = refusal { try bucket.visit(from: nil, to: nil) { _, _ in true } }
        #expect(error?.code == .damaged && error?.page == 2 && error?.message.contains("more page visits") == true)
        // Element 0 of the branch page points to the branch page itself.
        image[4 * 4_096 + 16 + 8] = 4
        let circle = try #require(try BoltReader(image: image, name: "circle").bucket([0x64]))
        let other = refusal { try circle.visit(from: nil, to: nil) { _, _ in true } }
        #expect(other?.page == 4 && other?.message.contains("points to itself") == true)
    }

    /// Two of ours and one of the library's.
    private static let images: Result<[[UInt8]], any Error> = Result {
        try Scratch.with(3) { paths in
            for (path, pageSize) in [(paths[0], 1_024), (paths[1], 4_096)] {
                var random = SeededRandom(pageSize)
                let builder = try BoltBuilder(path: path, pageSize: pageSize)
                var data = Model()
                for index in 0..<90 {
                    let size = index == 40 ? 2_500 : random.below(pageSize / 12)
                    data.entries.append(([0x61, UInt8(index)] + random.bytes(random.below(50)), random.bytes(size)))
                }
                try data.build(Array("data".utf8), builder)
                var nested = Model(buckets: [([1], Model(entries: [([1], [2]), ([2], [3])])), ([2], Model())])
                nested.buckets.append(([3], Model(entries: [([7], random.bytes(pageSize))])))
                try nested.build(Array("nested".utf8), builder)
                try Model(entries: [([9], [9])]).build(Array("small".utf8), builder)
                try builder.finish()
            }
            try Boltcheck.run("make", paths[2], "5", "80", "1024", "0", "2000")
            var images = try paths.map { try Scratch.bytes($0) }
            // What lies behind the high-water mark would only swallow mutations.
            let used = try BoltReader(image: images[2], name: "library").highWaterMark
            images[2].removeSubrange((Int(used) * 1_024)...)
            return images
        }
    }

    /// A file that claims one page, and a page that claims one further page behind the last.
    @Test(arguments: [(0, 0x38, 1, 8), (2, 12, 1, 4)])
    func countsInTheSingular(_ change: (page: Int, offset: Int, value: Int, width: Int)) throws {
        for page in change.page == 0 ? [0, 1] : [2, 3, 4] {
            var image = ExactBytesTests.twoBuckets
            Self.put(UInt64(change.value), change.width, page * 4_096 + change.offset, &image)
            if change.page == 0 { Self.put(UInt64(change.value), change.width, 4_096 + change.offset, &image) }
            fixChecksums(&image, 4_096)
            Self.readAll(image, "page \(page)")
        }
    }

    private static func mutate(_ image: inout [UInt8], _ pageSize: Int, _ random: inout SeededRandom) {
        guard image.count >= 4 * pageSize else { return }
        let pages = image.count / pageSize
        let page = random.below(pages) * pageSize
        switch random.below(8) {
        case 0: image[random.below(image.count)] ^= UInt8(1 + random.below(255))
        case 1, 2:
            // A header or element field, set to a value at an edge.
            let width = [2, 4, 8][random.below(3)]
            let offset = page + random.below(24) * 4
            let limit = UInt64(pages)
            let value = [0, 1, 2, limit - 1, limit, limit + 1, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, .max][
                random.below(11)]
            put(value, width, offset, &image)
        case 3: image.removeLast(random.below(image.count / 2))
        case 4:
            // One page in place of another, with or without its own number.
            let other = random.below(pages) * pageSize
            let bytes = Array(image[page..<page + pageSize])
            image.replaceSubrange(other..<other + pageSize, with: bytes)
            if random.below(2) == 0 { put(UInt64(other / pageSize), 8, other, &image) }
        case 5: put(UInt64(random.below(pages)), 8, page + 24 + 16 * random.below(6), &image)
        case 6: put(UInt64(page / pageSize), 8, page + 24 + 16 * random.below(4), &image)
        default:
            put(
                random.next() >> UInt64(random.below(60)), 8, (random.below(2) * pageSize) + 0x10 + 8 * random.below(7),
                &image)
        }
    }

    private static func put(_ value: UInt64, _ width: Int, _ offset: Int, _ image: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes in
            for index in 0..<width where offset + index < image.count { image[offset + index] = bytes[index] }
        }
    }

    private static func readAll(_ image: [UInt8], _ what: String) {
        judge(what) {
            let reader = try BoltReader(image: image, name: "hostile")
            judge(what) {
                for name in try reader.bucketNames() {
                    judge(what) { if let bucket = try reader.bucket(name) { readAll(bucket, 0, what) } }
                }
            }
        }
    }

    private static func readAll(_ bucket: BoltBucket, _ depth: Int, _ what: String) {
        var keys: [[UInt8]] = []
        judge(what) {
            try bucket.visit(from: nil, to: nil) { key, value in
                keys.append([UInt8](key))
                _ = value.last
                return true
            }
        }
        for (left, right) in zip(keys, keys.dropFirst()) where !left.lexicographicallyPrecedes(right) {
            Issue.record("\(what): keys out of order")
        }
        judge(what) {
            var cursor = bucket.makeSegments(from: keys.count > 3 ? keys[2] : nil)
            while let segment = try cursor.next() {
                judge(what) { _ = try segment.visit { key, value in value.count >= 0 && key.first != nil } }
            }
        }
        judge(what) { _ = try bucket.approximateBoundaries(count: 3) }
        for key in [keys.last ?? [1], [0x61, 40]] {
            judge(what) { _ = try key.withUnsafeBytes { try bucket.withValue(forKey: $0) { $0.count } } }
        }
        judge(what) {
            for name in try bucket.bucketNames() where depth < 3 {
                judge(what) { if let inner = try bucket.bucket(name) { readAll(inner, depth + 1, what) } }
            }
        }
    }

    /// Only errors of ours may come out, and damage must be placed.
    private static func judge(_ what: String, _ body: () throws -> Void) {
        do {
            try body()
        } catch let error as BoltError {
            if error.code == .damaged, error.page == nil || !error.message.contains("page") {
                Issue.record("\(what): \(error) names no place")
            }
            let plurals = countsOfOneInThePlural(in: error.message)
            if !plurals.isEmpty { Issue.record("\(what): \(plurals)") }
        } catch {
            Issue.record("\(what): \(error)")
        }
    }
}
