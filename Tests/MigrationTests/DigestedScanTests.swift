import Digest
import Storage
import Synchronization
import TestSupport
import Testing
import Workers

@testable import Migration

@Suite struct DigestedScanTests {
    private static func entries(_ keys: String) -> [Entry] {
        keys.split(separator: " ").map { Entry(StorageKey("\($0)"), [1]) }
    }

    @Test func everyEntryComesOnceWithItsDigestAndIsTallied() throws {
        let entries = sampleEntries(5_000, seed: 4, largest: 200_000)
        var options = DigestedScan.Options()
        options.writesManifestLines = true
        let scan = DigestedScan(try memory(entries), options)
        defer { scan.stop() }
        var totals = KeyspaceTotals()
        var index = 0
        while let batch = try scan.nextBatch() {
            totals.add(batch)
            for place in 0..<batch.count {
                #expect(StorageKey(copying: batch.key(place)) == entries[index].key)
                #expect(try batch.hexadecimalDigest(place) == entryDigest(entries[index].value))
                index += 1
            }
            batch.recycle()
        }
        #expect(index == entries.count && totals.entries == index)
        // Entries outside folders share the empty prefix.
        var wanted: [StorageKey: PrefixTally] = [:]
        for entry in entries {
            let bytes = entry.key.bytes
            let prefix = bytes.firstIndex(of: UInt8(ascii: "/")).map { Array(bytes[...$0]) } ?? []
            wanted[StorageKey(prefix), default: PrefixTally(prefix: prefix, entries: 0, bytes: 0)].entries += 1
            wanted[StorageKey(prefix)]?.bytes += bytes.count + entry.value.count
        }
        if wanted.count < 1000 {
            #expect(Dictionary(uniqueKeysWithValues: totals.prefixes.map { (StorageKey($0.prefix), $0) }) == wanted)
        }
        #expect(totals.prefixes.reduce(0) { $0 + $1.bytes } == totals.bytes)
    }

    @Test(arguments: [
        ("a b", "d c", "key c after d"), ("a b", "b c", "key b twice"), ("a a", "b", "key a twice"),
        ("b c", "a", "key a after c"), ("a", "a", "key a twice"),
    ])
    func keysOutOfOrderAreErrorsInTheirPlace(first: String, second: String, words: String) throws {
        let store = ScriptedStore([Self.entries("A B"), [], Self.entries(first), Self.entries(second)])
        let scan = DigestedScan(store, DigestedScan.Options())
        defer { scan.stop() }
        #expect(try scan.nextBatch()?.count == 2)
        let error = #expect(throws: StorageError.self) { while try scan.nextBatch() != nil {} }
        #expect(error?.code == .damagedStore)
        #expect(error?.message.contains(words) == true)
        #expect(error?.key != nil)
    }

    @Test func anErrorComesBehindWhatWasReadBeforeIt() throws {
        let batches = (0..<20).map { Self.entries("k\(100 + $0)") }
        let scan = DigestedScan(ScriptedStore(batches, failure: StorageError(.io, "gone")), DigestedScan.Options())
        defer { scan.stop() }
        for _ in batches { #expect(try scan.nextBatch()?.count == 1) }
        #expect(throws: StorageError(.io, "gone")) { try scan.nextBatch() }
        #expect(try scan.nextBatch() == nil)
    }

    @Test(arguments: [0, 1, 5])
    func stopInTheMiddleEndsEveryThread(taken: Int) throws {
        let store = ScriptedStore((0..<500).map { Self.entries("k\(1000 + $0)") })
        let scan = DigestedScan(store, DigestedScan.Options())
        for _ in 0..<taken { #expect(try scan.nextBatch() != nil) }
        // Waits for all threads, so that the scan is over when it returns.
        scan.stop()
        #expect(store.endedScans.load(ordering: .relaxed) == 1)
        scan.stop()
        #expect(try scan.nextBatch() == nil)
    }

    @Test func whatIsNoDataIsLeftOutAndCounted() throws {
        let store = try memory(Self.entries("core/lock core/lock2 core/migration core/migration/x a b c"))
        #expect(try lines(of: store) == lines(of: memory(Self.entries("core/lock2 core/migration/x a b c"))))
        for isAscending in [true, false] {
            let filter = EntryFilter(start: "b")
            var options = DigestedScan.Options()
            options.filter = filter
            let all = Self.entries("a b c core/lock core/migration")
            try Scratch.withFolder { folder throws in
                options.spillFolder = folder
                let scan = DigestedScan(ScriptedStore([all], isAscending: isAscending), options)
                defer { scan.stop() }
                #expect(try lines(of: scan) == lines(of: memory(Self.entries("b c"))))
            }
            #expect(
                filter.leftOut == [
                    "lock of the active node (core/lock)": 1,
                    "before -start": 1,
                ])
        }
    }

    @Test(arguments: 1...3)
    func aStoreWithoutOrderGivesWhatItsSortedTwinGives(seed: Int) throws {
        let entries = sampleEntries(4_000, seed: seed, largest: 3_000_000)
        try Scratch.withFolder { folder in
            let isEqual =
                try lines(of: ScriptedStore.shuffled(entries, seed: seed), spillFolder: folder)
                == lines(of: memory(entries))
            #expect(isEqual)
            #expect(Scratch.names(in: folder).isEmpty)
            // Without a folder of the caller's one of its own is made, and removed.
            let isEqualInOwnFolder =
                try lines(of: ScriptedStore.shuffled(entries, seed: seed)) == lines(of: memory(entries))
            #expect(isEqualInOwnFolder)
            // An entry that comes twice is found once everything is in order.
            let twice = ScriptedStore([entries, [entries[7]]], isAscending: false)
            let disorder = #expect(throws: StorageError.self) { try lines(of: twice, spillFolder: folder) }
            #expect(disorder?.message.contains("twice") == true)
            #expect(Scratch.names(in: folder).isEmpty)
        }
    }

    @Test(arguments: [1, 2, 5, 40])
    func allPartsOfAStoreWithoutOrderAreRead(segments: Int) throws {
        let entries = sampleEntries(3_000, seed: segments, largest: 100_000)
        for start in [nil, entries[1_000].key] {
            try Scratch.withFolder { folder in
                let store = SegmentedStore(entries, segments: segments, seed: segments)
                let found = try lines(of: store, spillFolder: folder, start: start)
                let isEqual = try found == lines(of: memory(entries.filter { $0.key >= start ?? "" }))
                #expect(isEqual)
                #expect(Scratch.names(in: folder).isEmpty)
            }
        }
    }

    @Test func aPartThatFailsOrACallerThatStopsEndsAllParts() throws {
        let entries = sampleEntries(3_000, seed: 2)
        try Scratch.withFolder { folder in
            let failing = SegmentedStore(entries, segments: 6, seed: 2, failing: 1)
            let error = #expect(throws: StorageError.self) { try lines(of: failing, spillFolder: folder) }
            #expect(error == StorageError(.io, "segment 1 is gone"))
            let hasBegun = BoundedQueue<Void>(capacity: 1)
            let goesOn = BoundedQueue<Void>(capacity: 1)
            let store = SegmentedStore(entries, segments: 6, seed: 2) { _ in
                hasBegun.push(())
                hasBegun.close()
                _ = goesOn.pop()
            }
            var options = DigestedScan.Options()
            options.spillFolder = folder
            options.request.readers = 2
            let scan = DigestedScan(store, options)
            _ = hasBegun.pop()
            let stopper = try WorkerThread { scan.stop() }
            // Readers wait until the scan is told to stop.
            try waitUntil("the scan is told to stop") { scan.isStopping }
            goesOn.close()
            stopper.join()
            #expect(store.delivered.withLock { $0.reduce(0, +) } <= 2)
            #expect(Scratch.names(in: folder).isEmpty)
        }
    }

    @Test func cancellingEndsAScanWithThatError() throws {
        let isCancelled = Mutex(false)
        var options = DigestedScan.Options()
        options.request.isCancelled = { isCancelled.withLock { $0 } }
        let store = ScriptedStore((0..<500).map { Self.entries("k\(1000 + $0)") })
        let scan = DigestedScan(store, options)
        defer { scan.stop() }
        #expect(try scan.nextBatch() != nil)
        isCancelled.withLock { $0 = true }
        #expect(throws: StorageError.cancelled) { while try scan.nextBatch() != nil {} }
    }
}
