import Barrier
import Migration
import Storage
import TestSupport
import Testing
import Workers

@Suite struct StructureCheckTests {
    private static func entries(_ count: Int) -> [Entry] {
        var random = SeededRandom(8)
        return (0..<count).map { number in
            let isDamaged = number % 100 == 0
            let value = (isDamaged ? [9, 9, 9, 9, 9] : [0, 0, 0, 1, 2]) + random.bytes(28 + random.below(200))
            return Entry(StorageKey("logical/m\(number % 4)/\(number)"), value)
        }
    }

    /// Whatever the threads and the order, the same is found, and every entry is counted once.
    @Test(arguments: [1, 3, 16])
    func everyEntryIsLookedAtOnce(_ readers: Int) throws {
        let entries = Self.entries(5_000)
        let counters = context()
        let stores: [any StorageSource] = [
            try memory(entries), ScriptedStore.shuffled(entries, seed: readers),
            SegmentedStore(entries, segments: 7, seed: readers),
        ]
        for store in stores {
            let found = try StructureCheck(store, context: counters, readers: readers).run()
            #expect(found.report.entries == 5_000 && found.report.suspicious == 50)
            #expect(found.report.bytes == entries.reduce(0) { $0 + $1.key.bytes.count + $1.value.count })
            #expect(found.report.suspicions.first?.first.first == "logical/m0/0" && found.unreadable == 0)
        }
    }

    @Test func whatCannotBeReadIsCounted() throws {
        let entries = Self.entries(20)
        let gone = Set(entries.prefix(3).map(\.key))
        let found = try StructureCheck(ScriptedStore([entries], unreadable: gone), context: context()).run()
        #expect(found.unreadable == 3 && found.unreadableMessages.count == 3 && found.report.entries == 17)
    }

    @Test func aFailureComesOutAndNothingGoesOn() throws {
        let batches = (0..<50).map { _ in Self.entries(30) }
        let failing = ScriptedStore(batches, failure: StorageError(.io, "the disk is gone"))
        #expect(throws: StorageError.self) { try StructureCheck(failing, context: context()).run() }
        let segments = SegmentedStore(Self.entries(900), segments: 4, seed: 1, failing: 2)
        #expect(throws: (any Error).self) { try StructureCheck(segments, context: context(), readers: 4).run() }
        let cancellation = CancellationToken()
        cancellation.cancel()
        #expect(throws: StorageError.cancelled) {
            try StructureCheck(ScriptedStore(batches), context: context(cancellation)).run()
        }
    }
}
