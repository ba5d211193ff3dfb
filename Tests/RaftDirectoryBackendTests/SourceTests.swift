import RaftDirectoryBackend
import Storage
import Synchronization
import TestSupport
import Testing

/// Reading directories.
@Suite struct SourceTests {
    @Test(arguments: Fixture.raftDirectories)
    func theDataOfRealServersGivesTheirManifest(_ fixture: Fixture) throws {
        let store = try RaftDirectoryBackend(path: fixture.folder())
        defer { store.close() }
        let lines = try manifest(of: store)
        let isEqual = try lines == fixture.manifest()
        #expect(isEqual)
        #expect(store.remarks.contains { $0.hasPrefix("The data stands at log index ") })
        #expect(try store.sourceFindings().isEmpty)
    }

    @Test(arguments: Fixture.raftDirectories)
    func partitionsHoldEachEntryOnceAndInOrder(_ fixture: Fixture) throws {
        let store = try RaftDirectoryBackend(path: fixture.folder())
        defer { store.close() }
        try Self.checkPartitions(of: store, entries(of: store))
    }

    @Test func largeStoresAreReadWholeInEveryWay() throws {
        let expected = sampleEntries(12_000, seed: 11, largest: 400_000)
        try withDirectory(of: expected) { store, _ in
            let found = try entries(of: store)
            #expect(found == expected)
            try Self.checkPartitions(of: store, expected)
            try Self.checkCursors(of: store, expected)
            var random = SeededRandom(5)
            for _ in 0..<500 {
                let entry = expected[random.below(expected.count)]
                #expect(try store.get(entry.key) == entry.value)
                let absent = StorageKey(entry.key.bytes + [0])
                #expect(try store.get(absent) == nil || expected.contains { $0.key == absent })
            }
        }
    }

    static func checkPartitions(
        of store: RaftDirectoryBackend, _ expected: [Entry], mostParts: Int = .max
    ) throws {
        for count in [1, 3, 8, 64] {
            let partitions = try store.partitions(count)
            #expect(partitions.count <= count)
            #expect(count != 8 || mostParts == 1 || partitions.count > 2)
            for readers in [1, 4] {
                var found: [Entry] = []
                for partition in partitions {
                    var request = ScanRequest(readers: readers)
                    request.partition = partition
                    found += try entries(of: store, request)
                }
                #expect(found == expected)
            }
        }
        let keys = try entries(of: store, ScanRequest(content: .keys))
        #expect(keys.map(\.key) == expected.map(\.key))
        #expect(keys.allSatisfy { $0.value.isEmpty })
    }

    static func checkCursors(of store: RaftDirectoryBackend, _ expected: [Entry]) throws {
        for partition in try store.partitions(3) {
            var request = ScanRequest()
            request.partition = partition
            let whole = try entries(of: store, request)
            var cursors: [(cursor: ScanCursor, read: Int)] = []
            var read = 0
            try store.scan(request) { batch throws(StorageError) in
                read += batch.count
                if let cursor = batch.cursor { cursors.append((cursor, read)) }
                return true
            }
            #expect(!cursors.isEmpty && read == whole.count)
            for (cursor, read) in cursors.enumerated().filter({ $0.offset % 7 == 0 }).map(\.element) + cursors.suffix(2)
            {
                request.cursor = cursor
                #expect(try entries(of: store, request) == Array(whole[read...]))
            }
        }
    }

    @Test(arguments: 1...6)
    func listAgreesWithTheReferenceStore(seed: Int) throws {
        var random = SeededRandom(seed)
        let letters = Array("ab/0.-".utf8)
        var keys: Set<StorageKey> = ["a", "a/", "a//b", "a/b", "a.", "a0", "b/\u{ff}", "b/x/y/z"]
        for _ in 0..<200 {
            keys.insert(StorageKey((0...random.below(7)).map { _ in letters[random.below(letters.count)] }))
        }
        let all = keys.sorted()
        try withDirectory(of: all.map { Entry($0, [1]) }) { store, _ throws in
            let prefixes =
                [""]
                + Set(
                    all.flatMap { key in
                        key.bytes.indices.filter { key.bytes[$0] == UInt8(ascii: "/") }.map {
                            StorageKey(Array(key.bytes[...$0]))
                        }
                    }) + ["none/", "a/none/", "zz/"]
            for prefix in prefixes { #expect(try store.list(prefix) == Self.children(of: prefix, all), "\(prefix)") }
        }
    }

    /// What the storage model says a listing holds.
    private static func children(of prefix: StorageKey, _ keys: [StorageKey]) -> [StorageKey] {
        Set(
            keys.filter { $0.hasPrefix(prefix) && $0 != prefix }.map { key in
                let rest = key.bytes.dropFirst(prefix.bytes.count)
                return StorageKey(Array(rest.firstIndex(of: UInt8(ascii: "/")).map { rest[...$0] } ?? rest))
            }
        ).sorted()
    }

    @Test func aScanStopsWhenItIsToldTo() throws {
        try withDirectory(of: sampleEntries(6_000, seed: 2, largest: 100_000)) { store, _ in
            var count = 0
            try store.scan(ScanRequest()) { _ throws(StorageError) in
                count += 1
                return count < 2
            }
            #expect(count == 2)
            let refusal = StorageError(.limit, "enough")
            #expect(throws: refusal) {
                try store.scan(ScanRequest()) { _ throws(StorageError) in throw refusal }
            }
            let asked = Atomic<Int>(0)
            var request = ScanRequest()
            request.isCancelled = { asked.add(1, ordering: .relaxed).newValue > 3 }
            #expect(throws: StorageError.cancelled) { _ = try entries(of: store, request) }
            #expect(store.estimatedBytes().map { $0 > 1 << 20 } == true)
        }
    }

    @Test func nothingCanBeWrittenAndNothingBeReadAfterClosing() throws {
        try withDirectory(of: sampleEntries(20, seed: 3)) { store, _ in
            // It has no role in which it could be.
            let anything: any StorageBackend = store
            #expect(!(anything is any KeyValueStore) && !(anything is any StorageDestination))
            store.close()
            #expect(throws: StorageError.self) { _ = try store.get("a") }
            #expect(throws: StorageError.self) { _ = try store.list("") }
            #expect(throws: StorageError.self) { _ = try store.partitions(3) }
            #expect(throws: StorageError.self) { _ = try entries(of: store) }
        }
    }
}
