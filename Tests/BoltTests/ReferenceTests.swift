import Foundation
import TestSupport
import Testing

@testable import Bolt

/// Files cross between our builder and reader and the original library.
@Suite struct ReferenceTests {
    struct Shape: CustomStringConvertible, Sendable {
        var seed: Int
        var count: Int
        var keys: ClosedRange<Int> = 1...60
        var values: ClosedRange<Int> = 0...200
        /// One value in this many takes its size from `bigValues`.
        var bigEvery = 1_000_000
        var bigValues: ClosedRange<Int> = 0...1
        var pageSize = 4_096
        var fill = 0.9
        var mutations = 2_000
        var description: String {
            "\(count) keys \(keys), values \(values), page \(pageSize), fill \(fill), seed \(seed)"
        }
    }

    static let shapes = [
        Shape(seed: 1, count: 0),
        Shape(seed: 2, count: 1),
        Shape(seed: 3, count: 7, values: 0...0),
        Shape(seed: 4, count: 300, pageSize: 1_024, fill: 0.1),
        Shape(seed: 5, count: 3_000, pageSize: 1_024, fill: 1),
        Shape(seed: 6, count: 3_000, values: 0...1_500, bigEvery: 50, bigValues: 4_000...30_000),
        Shape(seed: 7, count: 120, keys: 1...32_768, pageSize: 1_024),
        Shape(seed: 8, count: 400, keys: 500...4_000, values: 0...3, pageSize: 1_024, fill: 0.5),
        Shape(seed: 9, count: 60, keys: 32_768...32_768, values: 0...10),
        Shape(seed: 10, count: 2_500, bigEvery: 20, bigValues: 60_000...200_000, pageSize: 65_536, fill: 0.7),
        Shape(seed: 11, count: 40, values: 0...3_145_728, fill: 0.5),
        Shape(seed: 12, count: 1_200, keys: 8...8, values: 1_000...1_100, fill: 1),
        Shape(seed: 13, count: 25_000, keys: 12...12, values: 20...40),
        Shape(seed: 14, count: 200_000, keys: 9...9, values: 0...24, fill: 1, mutations: 0),
    ]

    @Test(arguments: shapes)
    func ourFilesAreTheLibrarysFiles(_ shape: Shape) throws {
        try Scratch.with(2) { paths in
            let models = Self.models(shape)
            let builder = try BoltBuilder(path: paths[0], pageSize: shape.pageSize, fill: shape.fill)
            for (name, model) in models.reversed() { try model.build(name, builder) }
            try builder.finish()

            try Boltcheck.run("check", paths[0])
            var expected: [UInt8] = []
            for (name, model) in models { model.dump(name, into: &expected) }
            try Boltcheck.run("dump", paths[0], paths[1])
            #expect(try Scratch.bytes(paths[1]) == expected)
            try Self.readEverything(paths[0], expected)
            try Self.readParts(paths[0], models)

            guard shape.mutations > 0 else { return }
            try Boltcheck.run("mutate", paths[0], "\(shape.seed)", "\(shape.mutations)")
            try Boltcheck.run("dump", paths[0], paths[1])
            try Self.readEverything(paths[0], try Scratch.bytes(paths[1]))
        }
    }

    @Test(arguments: [
        ["1", "400", "1024", "0", "3000"], ["2", "4000", "4096", "1", "9000"], ["3", "20000", "4096", "0", "300"],
        ["4", "3000", "65536", "1", "200000"], ["5", "200", "4096", "0", "3000000"],
    ])
    func theLibrarysFilesAreRead(_ arguments: [String]) throws {
        try Scratch.with(2) { paths in
            try Boltcheck.run(
                "make", paths[0], arguments[0], arguments[1], arguments[2], arguments[3], arguments[4])
            try Boltcheck.run("dump", paths[0], paths[1])
            try Self.readEverything(paths[0], try Scratch.bytes(paths[1]))
            let reader = try BoltReader(path: paths[0])
            #expect(reader.freeListIsPersisted == (arguments[3] == "0"))
            #expect("\(reader.pageSize)" == arguments[2])
        }
    }

    private static func readEverything(_ path: String, _ expected: [UInt8]) throws {
        let reader = try BoltReader(path: path)
        #expect(try dump(reader) == expected)
        reader.releaseResidentPages()
        #expect(try dump(reader, bySegments: true) == expected)
        reader.close()
    }

    /// Lookups, ranges, segments from a key on, and boundaries against the sorted entries of "data".
    private static func readParts(_ path: String, _ models: [(name: [UInt8], Model)]) throws {
        let reader = try BoltReader(path: path)
        guard let entries = models.first(where: { $0.name == Array("data".utf8) })?.1.entries, !entries.isEmpty,
            let bucket = try reader.bucket(Array("data".utf8))
        else { return }
        var random = SeededRandom(entries.count)
        for _ in 0..<60 {
            let (key, value) = entries[random.below(entries.count)]
            let found = try key.withUnsafeBytes { try bucket.withValue(forKey: $0) { [UInt8]($0) } }
            #expect(found == value)
            let absent = try (key + [0]).withUnsafeBytes { try bucket.withValue(forKey: $0) { [UInt8]($0) } }
            #expect(absent == nil || entries.contains { $0.key == key + [0] })

            let first = random.below(entries.count)
            let last = min(entries.count, first + random.below(300))
            let lower = random.below(2) == 0 ? entries[first].key : entries[first].key.dropLast() + [0xFF]
            let upper = last < entries.count ? entries[last].key : nil
            let wanted = entries[max(0, first)..<max(first, last)].map(\.key).filter {
                !$0.lexicographicallyPrecedes(lower)
            }
            var visited: [[UInt8]] = []
            try bucket.visit(from: lower, to: upper) { key, _ in
                visited.append([UInt8](key))
                return true
            }
            let exact = upper.map { lower.lexicographicallyPrecedes($0) } ?? true ? visited : []
            #expect(exact.allSatisfy { !$0.lexicographicallyPrecedes(lower) })
            #expect(Set(wanted).isSubset(of: Set(visited)) && (lower != entries[first].key || wanted == visited))

            var cut: [[UInt8]] = []
            var cursor = bucket.makeSegments(from: lower, to: upper)
            while let segment = try cursor.next() {
                let went = try segment.visit { key, _ in
                    cut.append([UInt8](key))
                    return true
                }
                #expect(went)
            }
            #expect(cut == visited)
        }
        let boundaries = try bucket.approximateBoundaries(count: 4)
        #expect(boundaries.count <= 3)
        var total = 0
        for (lower, upper) in zip([nil] + boundaries, boundaries + [nil]) {
            var part = 0
            try bucket.visit(from: lower, to: upper) { _, _ in
                part += 1
                return true
            }
            total += part
            #expect(entries.count < 20_000 || (entries.count / 8...entries.count / 2).contains(part))
        }
        #expect(total == entries.count)
    }

    private static func models(_ shape: Shape) -> [(name: [UInt8], Model)] {
        var random = SeededRandom(shape.seed)
        let pool = random.bytes(1 << 16)
        var data = Model(mayBeInline: shape.seed % 2 == 0)
        for index in 0..<shape.count {
            let key = key(index, random.below(shape.keys.count) + shape.keys.lowerBound, &random)
            let sizes = random.below(shape.bigEvery) == 0 ? shape.bigValues : shape.values
            var value: [UInt8] = []
            let size = sizes.lowerBound + random.below(sizes.count)
            while value.count < size {
                let start = random.below(pool.count / 2)
                value += pool[start..<min(pool.count, start + size - value.count)]
            }
            data.entries.append((key, value))
        }
        if shape.keys.count > 1 { data.entries = sortedAndUnique(data.entries) }
        var nested = Model(entries: [([0x01], [1]), ([0x70], []), ([0xFF], [2])])
        for index in 0..<20 {
            var inner = Model(sequence: UInt64(index))
            for key in 0..<index * 4 { inner.entries.append(([UInt8(key)], random.bytes(key * 3))) }
            if index == 7 { inner.buckets = [(Array("deep".utf8), Model(entries: [([1], [2])]))] }
            if index == 7 { inner.entries.removeAll { $0.key[0] > 0x60 } }
            nested.buckets.append(([0x60, UInt8(index * 7)], inner))
        }
        return [(Array("data".utf8), data), (Array("empty".utf8), Model(sequence: 9)), (Array("nested".utf8), nested)]
    }

    /// Ascending with the index if all keys have one length of 4 or more, anything otherwise.
    private static func key(_ index: Int, _ length: Int, _ random: inout SeededRandom) -> [UInt8] {
        var key = random.bytes(length)
        let place = withUnsafeBytes(of: UInt32(index).bigEndian) { [UInt8]($0) }
        if length >= 8 { key.replaceSubrange(0..<4, with: place) }
        return key
    }

    private static func sortedAndUnique(_ entries: [([UInt8], [UInt8])]) -> [([UInt8], [UInt8])] {
        var last: [UInt8]?
        return entries.sorted { $0.0.lexicographicallyPrecedes($1.0) }.filter { entry in
            defer { last = entry.0 }
            return entry.0 != last
        }
    }
}
