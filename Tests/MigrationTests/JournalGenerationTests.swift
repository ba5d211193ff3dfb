import Storage
import TestSupport
import Testing

@testable import Migration

@Suite struct JournalGenerationTests {
    /// Random generations of entries and tombstones against a dictionary; every second journal is opened again between.
    @Test(arguments: 1...8)
    func theNewestEntryOfEachKeyComesBack(seed: Int) throws {
        var random = SeededRandom(seed)
        let form = JournalForm.allCases[seed % 3]
        let isDurable = seed.isMultiple(of: 2)
        try Scratch.withFolder { folder in
            let path = "\(folder)/journal.lmdb"
            var journal = try isDurable ? EntryJournal(durableAt: path) : EntryJournal(scratchIn: folder)
            try journal.begin(header: [], partitions: 2)
            let pool = form.pool()
            var wanted: [StorageKey: JournaledEntry] = [:]
            for generation in 0..<(1 + random.below(5)) {
                if generation > 0 { try journal.beginGeneration() }
                #expect(journal.generation == generation)
                var touched: Set<StorageKey> = []
                for _ in 0..<random.below(40) {
                    let batch = pool.take()
                    let removes = generation > 0 && random.below(3) == 0
                    for _ in 0..<random.below(20) {
                        let key = StorageKey("\(random.below(6))/\(random.below(80))")
                        guard touched.insert(key).inserted else { continue }
                        let count = random.below(50) == 0 ? 300_000 : random.below(600)
                        batch.append(
                            key: key, value: removes ? [] : [UInt8](repeating: UInt8(random.below(256)), count: count))
                        wanted[key] = nil
                    }
                    batch.cursor = ScanCursor(random.bytes(3))
                    guard !removes else {
                        try journal.appendTombstones(batch, partition: random.below(2), pool: pool)
                        continue
                    }
                    for entry in journaledEntries(of: batch) { wanted[entry.key] = entry }
                    try journal.append(batch, partition: random.below(2), pool: pool)
                }
                guard isDurable else { continue }
                journal.close()
                journal = try EntryJournal(durableAt: path)
            }
            // As many records as there are ages at least must be merged at once; with so few, parts are merged before.
            for maximumStreams in [JournalMerge.maximumStreams, 3, 1] {
                let isEqual =
                    try merged(journal, pool, maximumStreams: maximumStreams)
                    == wanted.values.sorted { $0.key < $1.key }
                #expect(isEqual, "\(maximumStreams) streams")
            }
        }
    }

    @Test func inOneGenerationEntriesStandAgainstTombstonesAndEachOther() throws {
        try Scratch.withFolder { folder in
            let journal = try EntryJournal(scratchIn: folder)
            try journal.begin(header: [], partitions: 1)
            func add(_ entries: [Entry], areTombstones: Bool = false) throws {
                let batch = EntryBatch()
                for entry in entries { batch.append(key: entry.key, value: entry.value) }
                if areTombstones {
                    try journal.appendTombstones(batch, partition: 0, pool: BatchPool())
                } else {
                    try journal.append(batch, partition: 0, pool: BatchPool())
                }
            }
            try add([Entry("a", [1]), Entry("b", [1]), Entry("c", [1]), Entry("d", [1])])
            try journal.beginGeneration()
            try add([Entry("a", []), Entry("b", []), Entry("none", [])], areTombstones: true)
            try add([Entry("b", [2]), Entry("c", [2])])
            // Twice in one generation: a store that is no map, and whoever takes the entries must see that.
            try add([Entry("c", [3])])
            let found = try contents(of: journal)
            #expect(found == [Entry("b", [2]), Entry("c", [2]), Entry("c", [3]), Entry("d", [1])])
        }
    }

    @Test func aGenerationBeginsWithNoPartitionRead() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/journal.lmdb"
            let source = JournalSource(seed: 21, count: 200)
            var journal = try EntryJournal(durableAt: path)
            try journal.begin(header: [1], partitions: JournalSource.partitions)
            for partition in 0..<JournalSource.partitions { try source.fill(journal, partition, seed: partition) }
            try journal.beginGeneration()
            #expect((0..<JournalSource.partitions).allSatisfy { journal.progress(of: $0) == .notStarted })
            try source.fill(journal, 2, seed: 7)
            journal.close()
            journal = try EntryJournal(durableAt: path)
            #expect(journal.generation == 1 && journal.header == [1])
            #expect(journal.progress(of: 0) == .notStarted && journal.progress(of: 2) == .finished)
            // All entries of the third partition are there twice, and given once.
            #expect(journal.entryCount == 1_000)
            let given = try contents(of: journal)
            let keys = Set(source.entries[2].map(\.key))
            #expect(given.filter { keys.contains($0.key) } == source.entries[2].sortedFully())
            #expect(Set(given.map(\.key)) == Set(source.entries.joined().map(\.key)))
        }
    }

    @Test func thePartitionsAreKept() throws {
        let key = StorageKey([0, 0xff, 0x2f])
        let partitions: [StoragePartition] =
            [.whole, StoragePartition(from: "", to: key), StoragePartition(from: key, to: nil)]
            + StoragePartition.segments(3) + [
                StoragePartition(from: nil, to: StorageKey([UInt8](repeating: 97, count: 70_000)))
            ]
        try Scratch.withFolder { folder in
            let path = "\(folder)/journal.lmdb"
            let journal = try EntryJournal(durableAt: path)
            try journal.begin(header: [], partitions: partitions)
            #expect(journal.partitions == partitions)
            journal.close()
            let again = try EntryJournal(durableAt: path)
            #expect(again.partitions == partitions)
        }
        let encoded = PartitionList.encoded(partitions)
        // A list that is cut short is none, except where a partition ends.
        let whole = (0...encoded.count).filter { PartitionList.decoded(Array(encoded.prefix($0))) != nil }
        #expect(whole.count == partitions.count + 1)
        var random = SeededRandom(fuzz: 1)
        for _ in 0..<Effort.rounds(2_000) {
            let bytes = random.bytes(random.below(40)).map { random.below(3) == 0 ? $0 % 5 : $0 }
            guard let read = PartitionList.decoded(bytes) else { continue }
            #expect(PartitionList.encoded(read) == bytes)
        }
    }
}

/// What a later version has written is told from what is damaged.
@Suite struct JournalVersionTests {
    @Test func aLaterVersionIsNoDamage() {
        let own = JournalSummary(partitions: 1).encoded
        #expect(!JournalSummary.isNewer(own) && JournalSummary(own) != nil)
        var later = own
        later[0] += 1
        #expect(JournalSummary.isNewer(later) && JournalSummary(later) == nil)
        var earlier = own
        earlier[0] -= 1
        #expect(!JournalSummary.isNewer(earlier) && JournalSummary(earlier) == nil)
        #expect(!JournalSummary.isNewer([]) && !JournalSummary.isNewer([UInt8](repeating: 0xff, count: 72)))
    }
}
