import Dispatch
import Synchronization
import Testing

@testable import Bolt

/// Several threads read one bucket, and a file large enough that pages are given back meanwhile.
@Suite struct ParallelTests {
    @Test func segmentsAndPartsAreReadFromManyThreads() throws {
        try Scratch.with { paths in
            let count = 3_000
            let value = [UInt8](repeating: 7, count: 20_000)
            let builder = try BoltBuilder(path: paths[0])
            try builder.beginBucket(Array("data".utf8))
            for index in 0..<UInt32(count) {
                try builder.add(withUnsafeBytes(of: index.bigEndian) { [UInt8]($0) }, value)
            }
            try builder.endBucket()
            try builder.finish()

            let reader = try BoltReader(path: paths[0])
            let bucket = try #require(try reader.bucket(Array("data".utf8)))
            let boundaries = try bucket.approximateBoundaries(count: 4)
            #expect(boundaries.count == 3)
            let cursor = Mutex(bucket.makeSegments())
            let seen = Mutex(Array(repeating: 0, count: count))
            let failures = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 4) { part in
                do {
                    while let segment = try cursor.withLock({ cursor in try cursor.next() }) {
                        _ = try segment.visit { key, value in
                            Self.note(key, value, seen)
                        }
                    }
                    let lower = part == 0 ? nil : boundaries[part - 1]
                    try bucket.visit(from: lower, to: part == 3 ? nil : boundaries[part]) { key, value in
                        Self.note(key, value, seen)
                    }
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
            }
            #expect(failures.withLock { $0 }.isEmpty)
            #expect(seen.withLock { $0.allSatisfy { $0 == 2 } })
        }
    }

    private static func note(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ seen: borrowing Mutex<[Int]>
    ) -> Bool {
        let index = Int(UInt32(bigEndian: key.loadUnaligned(as: UInt32.self)))
        let isIntact = value.count == 20_000 && value.first == 7 && value.last == 7
        seen.withLock { $0[index] += isIntact ? 1 : 100 }
        return true
    }
}
