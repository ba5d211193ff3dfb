import Foundation
import Synchronization
import Testing

@testable import Bolt

/// Files that change while they are mapped: always an error that names the file, never a signal and never a byte that was
/// not in it.
@Suite struct CutFileTests {
    private static let entries = 6_000

    /// A file of a few hundred pages.
    private func build(_ path: String) throws {
        let builder = try BoltBuilder(path: path)
        try builder.beginBucket(Array("data".utf8))
        let value = [UInt8](repeating: 7, count: 700)
        for number in 0..<Self.entries {
            try Array("key-\(100_000 + number)".utf8).withUnsafeBytes { key in
                try value.withUnsafeBytes { try builder.add(key: key, value: $0) }
            }
        }
        try builder.endBucket()
        try builder.finish()
    }

    /// Everything that reads, each to its end.
    private static let readings: [(name: String, body: @Sendable (BoltReader, BoltBucket) throws -> Void)] = [
        ("names", { reader, _ in _ = try reader.bucketNames() }),
        ("visit", { _, bucket in try bucket.visit(from: nil, to: nil) { _, _ in true } }),
        (
            "get",
            { _, bucket in
                for number in 0..<entries {
                    let key = Array("key-\(100_000 + number)".utf8)
                    let value = try key.withUnsafeBytes { try bucket.withValue(forKey: $0) { [UInt8]($0) } }
                    #expect(value?.allSatisfy { $0 == 7 } == true)
                }
            }
        ),
        ("boundaries", { _, bucket in _ = try bucket.approximateBoundaries(count: 8) }),
        (
            "segments",
            { _, bucket in
                var cursor = bucket.makeSegments()
                while let segment = try cursor.next() { _ = try segment.visit { _, _ in true } }
            }
        ),
    ]

    /// At a page's end, in the middle of one, to almost nothing and to nothing; and a write without a change of size.
    @Test(arguments: [4096 * 600, 4096 * 600 + 1000, -1, 9000, 0, nil] as [Int?])
    func aChangedFileIsAnErrorInEveryReading(_ size: Int?) throws {
        for reading in Self.readings {
            try Scratch.with { paths in
                try build(paths[0])
                let reader = try BoltReader(path: paths[0])
                let bucket = try #require(try reader.bucket(Array("data".utf8)))
                try reading.body(reader, bucket)
                // What was read before lies in memory; it must come from the file again.
                reader.releaseResidentPages()
                if let size {
                    let length = size < 0 ? reader.fileSize + size : size
                    #expect(truncate(paths[0], off_t(length)) == 0)
                } else {
                    let file = open(paths[0], O_WRONLY)
                    #expect(pwrite(file, [1], 1, 4096 * 300 + 2000) == 1)
                    close(file)
                }
                let error = refusal { try reading.body(reader, bucket) }
                #expect(
                    error?.code == (size == nil ? .io : .truncated), "\(reading.name): \(String(describing: error))")
                #expect(error?.message.contains(paths[0]) == true)
                // It stays so.
                #expect(refusal { try reading.body(reader, bucket) } != nil)
            }
        }
    }

    /// What this process wrote is flushed behind its back: a later time of the last write is no change then.
    @Test func aFileOfOnesOwnMayBeWrittenBack() throws {
        try Scratch.with { paths in
            try build(paths[0])
            let reader = try BoltReader(path: paths[0], isSettled: false)
            let bucket = try #require(try reader.bucket(Array("data".utf8)))
            #expect(utimes(paths[0], nil) == 0)
            try bucket.visit(from: nil, to: nil) { _, _ in true }
            #expect(truncate(paths[0], 4096 * 600) == 0)
            #expect(refusal { try bucket.visit(from: nil, to: nil) { _, _ in true } }?.code == .truncated)
        }
    }

    /// Threads that meet the same hole at once, one behind the other in what the first has covered, while maps of other files
    /// come and go: each is told, and nobody who reads another file is.
    @Test(arguments: 0..<6)
    func everyThreadIsToldOfTheHole(_ round: Int) throws {
        try Scratch.with { paths in
            try build(paths[0])
            let intact = "\(paths[0]).intact"
            try build(intact)
            defer { unlink(intact) }
            let reader = try BoltReader(path: paths[0])
            let bucket = try #require(try reader.bucket(Array("data".utf8)))
            let other = try BoltReader(path: intact)
            let whole = try #require(try other.bucket(Array("data".utf8)))
            reader.releaseResidentPages()
            #expect(truncate(paths[0], off_t(4096 * (20 + 90 * round))) == 0)
            let told = Atomic<Int>(0)
            let untouched = Atomic<Int>(0)
            let gone = Atomic<Int>(0)
            let threads = 12
            DispatchQueue.concurrentPerform(iterations: threads) { index in
                switch index % 3 {
                case 0:
                    let error = refusal { try bucket.visit(from: nil, to: nil) { _, _ in true } }
                    if error?.code == .truncated { told.add(1, ordering: .relaxed) }
                case 1:
                    var count = 0
                    let error = refusal {
                        try whole.visit(from: nil, to: nil) { _, value in
                            count += value.allSatisfy { $0 == 7 } ? 1 : 0
                            return true
                        }
                    }
                    if error == nil, count == Self.entries { untouched.add(1, ordering: .relaxed) }
                default:
                    // A guard that is taken and given back meanwhile.
                    let error = refusal {
                        for _ in 0..<20 { try BoltReader(path: intact).close() }
                    }
                    if error == nil { gone.add(1, ordering: .relaxed) }
                }
            }
            #expect(told.load(ordering: .relaxed) == threads / 3)
            #expect(untouched.load(ordering: .relaxed) == threads / 3)
            #expect(gone.load(ordering: .relaxed) == threads / 3)
        }
    }

    /// A cut in the middle of a scan by several threads: nothing that was handed out is a hole.
    @Test(arguments: 0..<8)
    func nothingHandedOutIsAHole(_ round: Int) throws {
        try Scratch.with { paths in
            try build(paths[0])
            let reader = try BoltReader(path: paths[0])
            let bucket = try #require(try reader.bucket(Array("data".utf8)))
            var cursor = bucket.makeSegments()
            var good = 0
            let error = refusal {
                while let segment = try cursor.next() {
                    var values: [UInt8] = []
                    _ = try segment.visit { key, value in
                        if good > 500, good % 1000 < 100 { truncate(paths[0], off_t(4096 * (50 + 130 * round))) }
                        good += 1
                        values.append(contentsOf: value)
                        return true
                    }
                    #expect(values.allSatisfy { $0 == 7 })
                }
            }
            #expect(error?.code == .truncated, "\(String(describing: error))")
        }
    }
}
