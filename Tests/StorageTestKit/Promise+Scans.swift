import Storage
import TestSupport

extension Promise {
    /// Reading the whole store.
    static let scans: [Promise] = [
        Promise("scanOfAnEmptyStoreDeliversNothing") { harness in
            let store = try harness.makeEmpty()
            try store.scanAll { _ throws(StorageError) in throw StorageError(.io, "a batch from an empty store") }
            for partition in try store.partitions(7) {
                var request = ScanRequest()
                request.partition = partition
                try store.scan(request) { _ throws(StorageError) in
                    throw StorageError(.io, "a batch from an empty store")
                }
            }
        },
        Promise("scanDeliversEveryEntryInAscendingOrder") { harness in
            let store = try harness.makeEmpty()
            try requireEqual(
                store.traits.isAscending, harness.differences[.scansInNoOrder] == nil, "ascendingScan")
            let entries = try sampleEntries(3000, harness, store)
            try requireContents(try store.contents(), entries, "scan")
            try requireContents(try store.contents(ScanRequest(readers: 1)), entries, "scan with one reader")
        },
        Promise("partitionsHoldEveryEntryOnce") { harness in
            let store = try harness.makeEmpty()
            let entries = try sampleEntries(2000, harness, store)
            for count in [0, 1, 2, 7, 64] {
                let partitions = try store.partitions(count)
                try require(partitions.count <= max(count, 1), "\(partitions.count) partitions, asked for \(count)")
                var found: [TestEntry] = []
                for partition in partitions {
                    var request = ScanRequest()
                    request.partition = partition
                    try store.scan(request) { batch in
                        found.append(contentsOf: batch.testEntries)
                        return true
                    }
                }
                try requireContents(store.ordered(found), entries, "partitions(\(count))")
            }
        },
        Promise("anyKeyMayBoundAPartition") { harness in
            let store = try harness.makeEmpty()
            let entries = try sampleEntries(200, harness, store).sorted { $0.key < $1.key }
            var random = SeededRandom(5)
            for _ in 0..<40 {
                let one = entries[Int.random(in: 0..<entries.count, using: &random)].key.bytes
                let lower = StorageKey(Bool.random(using: &random) ? one : Array(one.dropLast()))
                let upper = entries[Int.random(in: 0..<entries.count, using: &random)].key
                var request = ScanRequest()
                request.partition = StoragePartition(from: lower, to: upper)
                var found: [TestEntry] = []
                try store.scan(request) { batch in
                    found.append(contentsOf: batch.testEntries)
                    return true
                }
                let wanted = entries.filter { $0.key >= lower && $0.key < upper }
                try requireContents(store.ordered(found), wanted, "partition from \(lower) to \(upper)")
            }
        },
        Promise("scanGoesOnBehindAnyCursor") { harness in
            let store = try harness.makeEmpty()
            let entries = try sampleEntries(5000, harness, store)
            for partition in try store.partitions(3) {
                var request = ScanRequest()
                request.partition = partition
                var batches: [[TestEntry]] = []
                var cursors: [ScanCursor?] = []
                try store.scan(request) { batch in
                    batches.append(batch.testEntries)
                    cursors.append(batch.cursor)
                    return true
                }
                for (index, cursor) in cursors.enumerated() {
                    guard let cursor else { throw PromiseFailure("batch \(index) has no cursor") }
                    request.cursor = cursor
                    var found: [TestEntry] = []
                    try store.scan(request) { batch in
                        found.append(contentsOf: batch.testEntries)
                        return true
                    }
                    try requireContents(
                        store.ordered(found), batches[(index + 1)...].flatMap { $0 }, "behind batch \(index)")
                }
            }
            try requireContents(try store.contents(), entries, "scan")
        },
        Promise("scanOfKeysHasNoValues") { harness in
            let store = try harness.makeEmpty()
            let entries = try sampleEntries(1500, harness, store)
            let found = try store.contents(ScanRequest(content: .keys))
            try requireContents(found, entries.map { TestEntry($0.key, []) }, "scan")
        },
        Promise("scanEndsWhenNoMoreIsWanted") { harness in
            let store = try harness.makeEmpty()
            let entries = try sampleEntries(5000, harness, store)
            for wanted in [1, 2] {
                var calls = 0
                try store.scanAll { _ in
                    calls += 1
                    return calls < wanted
                }
                try requireEqual(calls, wanted, "batches delivered")
            }
            try requireContents(try store.contents(), entries, "scan after scans that ended early")
        },
        Promise("scanThrowsWhatItsReceiverThrows") { harness in
            let store = try harness.makeEmpty()
            let entries = try sampleEntries(3000, harness, store)
            try requireThrows(.noSpace, "scan") {
                try store.scanAll { _ throws(StorageError) in throw StorageError(.noSpace, "the receiver is full") }
            }
            try requireContents(try store.contents(), entries, "scan after a scan that failed")
        },
        Promise("cancelledScanThrowsCancelled") { harness in
            let store = try harness.makeEmpty()
            _ = try sampleEntries(5000, harness, store)
            var request = ScanRequest()
            request.isCancelled = { true }
            try requireThrows(.cancelled, "scan") { try store.scan(request) { _ in true } }
            let flag = Flag()
            request.isCancelled = { flag.isSet }
            var calls = 0
            try requireThrows(.cancelled, "scan cancelled after the first batch") {
                try store.scan(request) { _ in
                    calls += 1
                    flag.set()
                    return true
                }
            }
            try require(calls >= 1, "cancelled before it began")
        },
        Promise("recycledBatchesCarryNothingOver") { harness in
            let store = try harness.makeEmpty()
            let entries = try sampleEntries(5000, harness, store)
            let request = ScanRequest()
            for _ in 0..<2 {
                var found: [TestEntry] = []
                try store.scanAll(request) { batch in
                    found.append(contentsOf: batch.testEntries)
                    request.pool.recycle(batch)
                    return true
                }
                try requireContents(store.ordered(found), entries, "scan")
            }
        },
        Promise("batchesStayNearTheirTarget") { harness in
            let store = try harness.makeEmpty()
            let value = [UInt8](repeating: 9, count: 40_000)
            try store.fill((0..<200).map { TestEntry(StorageKey("v/\(1000 + $0)"), value) }, perBatch: 20)
            try store.scanAll { batch throws(StorageError) in
                guard batch.byteCount < EntryBatch.targetBytes + 50_000, batch.count > 0 else {
                    throw StorageError(.io, "a batch of \(batch.byteCount) bytes, \(batch.count) entries")
                }
                return true
            }
        },
    ]

    /// Fills a store with seeded entries of several depths and sizes.
    static func sampleEntries(
        _ count: Int, _ harness: any StorageHarness, _ store: any FullStore
    ) throws -> [TestEntry] {
        var random = SeededRandom(42)
        let entries = (0..<count).map { number in
            var path = ""
            for level in 0..<Int.random(in: 0...4, using: &random) {
                path += ["x", "b.c", "b-c", "ü", "dir\(level)"][Int.random(in: 0..<5, using: &random)] + "/"
            }
            let size = number % 50 == 0 ? 3000 : Int.random(in: 0...600, using: &random)
            return TestEntry(
                StorageKey("\(path)k\(number)"), (0..<size).map { UInt8(truncatingIfNeeded: $0 &* number) })
        }
        try store.fill(entries.sorted { $0.key < $1.key }, perBatch: 333)
        return entries
    }
}
