import Migration
import Storage
import TestSupport
import Testing

@Suite struct EntrySorterTests {
    private static func sorted(
        _ entries: [Entry], _ folder: String, budget: Int, stopAfter limit: Int = .max
    ) throws -> [Entry] {
        let sorter = try EntrySorter(folder: folder, budget: budget)
        defer { sorter.close() }
        for start in stride(from: 0, to: entries.count, by: 50) {
            for batch in batches(of: Array(entries[start..<min(start + 50, entries.count)])) { try sorter.add(batch) }
        }
        var found: [Entry] = []
        try sorter.merge(pool: BatchPool(), isCancelled: { false }) { batch in
            for index in 0..<batch.count {
                found.append(Entry(StorageKey(copying: batch.key(index)), Array(batch.value(index))))
            }
            return found.count < limit
        }
        return found
    }

    /// With the smallest budgets every batch of 50 entries is a run of its own.
    @Test(arguments: [1, 20_000, 1 << 20, EntrySorter.defaultBudget])
    func entriesComeBackInKeyOrder(budget: Int) throws {
        try Scratch.withFolder { folder in
            var random = SeededRandom(budget)
            let entries = sampleEntries(3_000, seed: budget, largest: 100_000)
            let isSorted = try Self.sorted(entries.shuffled(using: &random), folder, budget: budget) == entries
            #expect(isSorted)
            #expect(Scratch.names(in: folder).isEmpty)
            #expect(try Self.sorted([], folder, budget: budget) == [])
        }
    }

    @Test func hugeValuesAndEveryKeyArePossible() throws {
        try Scratch.withFolder { folder in
            let entries = [
                Entry("", []), Entry(StorageKey([0]), [UInt8](repeating: 1, count: 20 << 20)), Entry("a", []),
                Entry(StorageKey([UInt8](repeating: 0x61, count: 65_536)), [2]), Entry("b", [3]),
                Entry(StorageKey([0xff, 0xff]), [UInt8](repeating: 4, count: 3 << 20)),
            ]
            for budget in [1, EntrySorter.defaultBudget] {
                let isSorted = try Self.sorted(entries.reversed(), folder, budget: budget) == entries
                #expect(isSorted)
            }
        }
    }

    @Test func equalKeysComeOneBehindTheOther() throws {
        try Scratch.withFolder { folder in
            let entries = (0..<600).map { Entry(StorageKey("k\($0 % 7)"), [UInt8($0 & 255), UInt8($0 >> 8)]) }
            let found = try Self.sorted(entries, folder, budget: 1)
            #expect(found.map(\.key) == entries.map(\.key).sorted())
            #expect(Set(found) == Set(entries) && found.count == 600)
        }
    }

    @Test func sortersOfOneFolderDoNotDisturbEachOther() throws {
        try Scratch.withFolder { folder in
            let entries = sampleEntries(1_000, seed: 3)
            let outer = try EntrySorter(folder: folder, budget: 1)
            for batch in batches(of: entries.reversed()) { try outer.add(batch) }
            let isSorted = try Self.sorted(entries.reversed(), folder, budget: 1) == entries
            #expect(isSorted)
            var count = 0
            try outer.merge(pool: BatchPool(), isCancelled: { false }) { batch in
                count += batch.count
                return true
            }
            #expect(count == entries.count)
            outer.close()
            #expect(Scratch.names(in: folder).isEmpty)
        }
    }

    @Test func mergingStopsWhenItIsToldTo() throws {
        try Scratch.withFolder { folder in
            let entries = sampleEntries(4_000, seed: 5)
            let part = try Self.sorted(entries, folder, budget: 1, stopAfter: 1)
            #expect(!part.isEmpty && part.count < entries.count && part == Array(entries[..<part.count]))
            let sorter = try EntrySorter(folder: folder, budget: 1)
            for batch in batches(of: entries) { try sorter.add(batch) }
            #expect(throws: StorageError.cancelled) {
                try sorter.merge(pool: BatchPool(), isCancelled: { true }) { _ in true }
            }
            sorter.close()
            #expect(Scratch.names(in: folder).isEmpty)
            #expect(throws: (any Error).self) { try EntrySorter(folder: "\(folder)/none") }
        }
    }
}
