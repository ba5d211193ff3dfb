import Storage
import Synchronization
import TestSupport
import Testing
import Workers

@testable import Migration

@Suite struct JournalTests {
    /// Random batches over random partitions against a plain sort; every second journal is opened again first.
    @Test(arguments: 1...12)
    func entriesComeBackInKeyOrderAsTheyCame(seed: Int) throws {
        var random = SeededRandom(seed)
        let form = JournalForm.allCases[seed % 3]
        let isDurable = seed.isMultiple(of: 2)
        let records = [0, 1, 2, 3, 17, 120, 400, 2_000][random.below(8)]
        try Scratch.withFolder { folder in
            let path = "\(folder)/journal.lmdb"
            var journal = try isDurable ? EntryJournal(durableAt: path) : EntryJournal(scratchIn: folder)
            let partitions = 1 + random.below(5)
            try journal.begin(header: Array("job".utf8), partitions: partitions)
            let pool = form.pool()
            var wanted: [JournaledEntry] = []
            for _ in 0..<records {
                let batch = pool.take()
                for _ in 0..<random.below(records > 400 ? 4 : 30) {
                    let key = Array("\(random.below(9))/\(random.below(2_000))".utf8) + random.bytes(random.below(3))
                    let size = [0, 1, 31, 32, 33, random.below(900), random.below(900), random.below(900)]
                    let count = random.below(400) == 0 ? 300_000 : size[random.below(8)]
                    let value = [UInt8](repeating: UInt8(random.below(256)), count: count)
                    batch.append(key: StorageKey(key), value: value)
                }
                batch.cursor = ScanCursor(random.bytes(4))
                wanted += journaledEntries(of: batch)
                try journal.append(batch, partition: random.below(partitions), pool: pool)
            }
            try journal.drain()
            if isDurable {
                journal.close()
                journal = try EntryJournal(durableAt: path)
                #expect(journal.header == Array("job".utf8) && journal.partitions.count == partitions)
            } else {
                #expect(Scratch.names(in: folder).isEmpty)
            }
            #expect(journal.entryCount == wanted.count)
            #expect(journal.byteCount == wanted.reduce(0) { $0 + $1.key.bytes.count + $1.valueCount })
            wanted.sort()
            // Twice, and with so few streams at once that parts are merged before.
            for maximumStreams in [JournalMerge.maximumStreams, 7] {
                let isEqual = try merged(journal, pool, maximumStreams: maximumStreams) == wanted
                #expect(isEqual)
            }
            journal.remove()
            #expect(Scratch.names(in: folder).isEmpty)
        }
    }

    @Test func hugeValuesAndEveryKeyArePossible() throws {
        try Scratch.withFolder { folder in
            let entries = [
                Entry("", []), Entry(StorageKey([0]), [UInt8](repeating: 1, count: 20 << 20)), Entry("a", []),
                Entry(StorageKey([UInt8](repeating: 0x61, count: 65_536)), [2]), Entry("b", [3]),
                Entry(StorageKey([UInt8](repeating: 0x62, count: 400_000)), [2]),
                Entry(StorageKey([0xff, 0xff]), [UInt8](repeating: 4, count: 3 << 20)),
            ]
            let journal = try EntryJournal(scratchIn: folder)
            try journal.begin(header: [], partitions: 1)
            for batch in batches(of: entries.reversed()) {
                try journal.append(batch, partition: 0, pool: BatchPool())
            }
            for _ in 0..<2 {
                let isSorted = try contents(of: journal) == entries
                #expect(isSorted)
            }
        }
    }

    @Test func manyThreadsFillAndFewBatchesWait() throws {
        try Scratch.withFolder { folder in
            let journal = try EntryJournal(scratchIn: folder)
            try journal.begin(header: [], partitions: 8)
            let pool = BatchPool()
            try withWorkers(8) { partition in
                for number in 0..<60 {
                    let batch = pool.take()
                    for index in 0..<9 {
                        batch.append(
                            key: StorageKey("\(index)/\(partition)/\(number)"),
                            value: [UInt8](repeating: UInt8(partition), count: 100_000))
                    }
                    try journal.append(batch, partition: partition, pool: pool)
                }
                try journal.finish(partition: partition)
            }
            try journal.drain()
            #expect((0..<8).allSatisfy { journal.progress(of: $0) == .finished })
            #expect(journal.entryCount == 8 * 60 * 9)
            var keys: [StorageKey] = []
            try journal.merge(pool: pool, isCancelled: { false }) { batch in
                for index in 0..<batch.count { keys.append(StorageKey(copying: batch.key(index))) }
                pool.recycle(batch)
                return true
            }
            #expect(keys.count == journal.entryCount && keys == keys.sorted())
        }
    }

    @Test func aDurableJournalIsFoundAgainAndBegunAnew() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/journal.lmdb"
            let source = JournalSource(seed: 3, count: 300)
            var journal = try EntryJournal(durableAt: path)
            #expect(journal.header == nil && journal.partitions.count == 0 && journal.note("x") == nil)
            #expect(throws: StorageError.self) { try journal.setNote("x", [1]) }
            #expect(Scratch.names(in: folder).isEmpty)
            for round in 1...2 {
                try journal.begin(header: [UInt8(round)], partitions: JournalSource.partitions)
                #expect(journal.entryCount == 0 && journal.progress(of: 0) == .notStarted && journal.note("x") == nil)
                for partition in 0..<3 { try source.fill(journal, partition, seed: round) }
                try journal.setNote("x", [UInt8](repeating: 7, count: 100_000 * round))
                try journal.setNote("é/\u{0}", [])
                // What was taken is written when the journal is closed, and it can be closed twice.
                journal.close()
                journal.close()
                #expect(throws: StorageError.self) { try journal.finish(partition: 0) }
                journal = try EntryJournal(durableAt: path)
                #expect(Scratch.names(in: folder) == ["journal.lmdb"])
                #expect(journal.header == [UInt8(round)] && journal.partitions.count == JournalSource.partitions)
                #expect(journal.note("x")?.count == 100_000 * round && journal.note("é/\u{0}") == [])
                #expect(journal.note("position/1") == Array("300".utf8))
                #expect(journal.progress(of: 2) == .finished && journal.progress(of: 3) == .notStarted)
                let second = #expect(throws: StorageError.self) { try EntryJournal(durableAt: path) }
                #expect(second?.code == .inUse)
                let isWhole = try contents(of: journal) == source.entries(before: [300, 300, 300, 0])
                #expect(isWhole)
            }
            try source.fill(journal, 3, seed: 3)
            let isWhole = try contents(of: journal) == source.entries(before: [300, 300, 300, 300])
            #expect(isWhole)
            journal.close()
            EntryJournal.remove(at: path)
            #expect(Scratch.names(in: folder).isEmpty)
        }
    }

    @Test func anEmptyBatchOnlyMovesItsPartition() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/journal.lmdb"
            var journal = try EntryJournal(durableAt: path)
            try journal.begin(header: [], partitions: 2)
            let pool = BatchPool()
            let batch = pool.take()
            batch.cursor = ScanCursor([1, 2, 3])
            try journal.append(batch, partition: 1, pool: pool)
            try journal.drain()
            #expect(journal.progress(of: 1) == .at(ScanCursor([1, 2, 3])))
            journal.close()
            journal = try EntryJournal(durableAt: path)
            #expect(journal.progress(of: 1) == .at(ScanCursor([1, 2, 3])) && journal.progress(of: 0) == .notStarted)
            #expect(journal.entryCount == 0)
            #expect(try contents(of: journal) == [])
        }
    }

    @Test func journalsOfOneFolderDoNotDisturbEachOther() throws {
        try Scratch.withFolder { folder in
            let journals = try (0..<3).map { _ in try EntryJournal(scratchIn: folder) }
            for (number, journal) in journals.enumerated() {
                try journal.begin(header: [], partitions: 1)
                let batch = EntryBatch()
                batch.append(key: "k", value: [UInt8(number)])
                try journal.append(batch, partition: 0, pool: BatchPool())
            }
            for (number, journal) in journals.enumerated() {
                #expect(try contents(of: journal) == [Entry("k", [UInt8(number)])])
            }
        }
    }

    @Test func whatDoesNotFitIsRefused() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/journal.lmdb"
            let journal = try EntryJournal(durableAt: path)
            try journal.begin(header: [], partitions: 1)
            let stamped = JournalForm.stamped.pool()
            func batch(_ pool: BatchPool, cursor: ScanCursor?) -> EntryBatch {
                let batch = pool.take()
                batch.append(key: "k", value: [1])
                batch.cursor = cursor
                return batch
            }
            func refusal(_ batch: EntryBatch) -> StorageError.Code? {
                #expect(throws: StorageError.self) { try journal.append(batch, partition: 0, pool: stamped) }?.code
            }
            #expect(refusal(batch(stamped, cursor: nil)) == .unsupported)
            try journal.append(batch(stamped, cursor: ScanCursor([])), partition: 0, pool: stamped)
            for form in [JournalForm.plain, .keysOnly] {
                #expect(refusal(batch(form.pool(), cursor: ScanCursor([]))) == .unsupported)
                let error = #expect(throws: StorageError.self) { try merged(journal, form.pool()) }
                #expect(error?.code == .unsupported)
            }
            let failing = BatchPool { FailingStamper() }
            #expect(refusal(batch(failing, cursor: ScanCursor([]))) == .io)
            #expect(try merged(journal, stamped).count == 1)
            #expect(throws: StorageError.self) { try EntryJournal(scratchIn: "\(folder)/none") }
            let homeless = try EntryJournal(durableAt: "\(folder)/none/journal.lmdb")
            #expect(throws: StorageError.self) { try homeless.begin(header: [], partitions: 1) }
        }
    }

    @Test func mergingStopsWhenItIsToldTo() throws {
        try Scratch.withFolder { folder in
            let journal = try EntryJournal(scratchIn: folder)
            try journal.begin(header: [], partitions: 1)
            let entries = sampleEntries(4_000, seed: 5)
            for batch in batches(of: entries) { try journal.append(batch, partition: 0, pool: BatchPool()) }
            var count = 0
            try journal.merge(pool: BatchPool(), isCancelled: { false }) { batch in
                count += batch.count
                return false
            }
            #expect(count > 0 && count < entries.count)
            for maximumStreams in [1_000, 2] {
                #expect(throws: StorageError.cancelled) {
                    try journal.merge(pool: BatchPool(), maximumStreams: maximumStreams, isCancelled: { true }) { _ in
                        true
                    }
                }
            }
            #expect(throws: StorageError(.io, "full")) {
                try journal.merge(pool: BatchPool(), isCancelled: { false }) { _ throws(StorageError) in
                    throw StorageError(.io, "full")
                }
            }
            let isWhole = try contents(of: journal) == entries
            #expect(isWhole)
        }
    }
}

private final class FailingStamper: ValueStamper {
    let stampBytes = 12

    func stamp(_ value: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) -> Bool { false }
}
