import Storage
import TestSupport

extension Promise {
    /// Filling the store.
    static let loads: [Promise] = [
        Promise("bulkLoadEqualsPuttingOneByOne") { harness in
            let loaded = try harness.makeEmpty()
            let entries = try sampleEntries(120, harness, loaded)
            let put = try harness.makeEmpty()
            for entry in entries { try put.put(entry.key, entry.value) }
            try requireContents(try put.contents(), entries, "put one by one")
            try requireContents(try loaded.contents(), entries, "bulk load")
        },
        Promise("bulkLoadTakesAnyOrderUnlessItSaysOtherwise") { harness in
            let store = try harness.makeEmpty()
            var random = SeededRandom(3)
            let keys = (0..<2000).map { TestEntry(StorageKey("o/\($0 % 13)/\($0)"), [UInt8($0 & 255)]) }
            let loader = try store.bulkLoader(LoadPlan())
            let isOrdered = loader.needsAscendingKeys
            loader.abandon()
            let target = try harness.makeEmpty()
            try target.fill(isOrdered ? keys.sorted { $0.key < $1.key } : keys.shuffled(using: &random), perBatch: 100)
            try requireContents(try target.contents(), keys, "scan")
        },
        Promise("bulkLoadReplacesWhereThePlanSaysSo") { harness in
            let store = try harness.makeEmpty()
            let old = (0..<300).map { TestEntry(StorageKey("r/\($0)"), Array(repeating: 1, count: 200)) }
            try store.fill(old.sorted { $0.key < $1.key })
            let new = (100..<500).map { TestEntry(StorageKey("r/\($0)"), [2, UInt8($0 & 255)]) }
            try store.fill(new.sorted { $0.key < $1.key }, plan: LoadPlan(replacesEntries: true), perBatch: 64)
            try requireContents(try store.contents(), Array(old[..<100]) + new, "scan")
        },
        Promise("bulkLoadBesideTheMarkerKeepsIt") { harness in
            let store = try harness.makeEmpty()
            try store.put(.migrationMarker, [1, 2, 3])
            try store.fill([TestEntry("core/a", [1]), TestEntry("core/z", [2])])
            try require(try store.get(.migrationMarker) == [1, 2, 3], "the marker is gone")
            try store.delete(.migrationMarker)
            try requireContents(
                try store.contents(), [TestEntry("core/a", [1]), TestEntry("core/z", [2])], "scan")
        },
        Promise("whatTheLoaderWroteCanBeReadBack") { harness in
            let store = try harness.makeEmpty()
            let loader = try store.bulkLoader(LoadPlan())
            let batch = EntryBatch()
            batch.append(key: "a/b", value: [1])
            try loader.load(batch)
            try loader.finish()
            try requireContents(try loader.written().contents(), [TestEntry("a/b", [1])], "written")
            try loader.publish()
            try requireContents(try store.contents(), [TestEntry("a/b", [1])], "published")
        },
        Promise("emptyLoadsAndEmptyBatchesAreHarmless") { harness in
            let store = try harness.makeEmpty()
            try store.fill([])
            let loader = try store.bulkLoader(LoadPlan())
            try loader.load(EntryBatch())
            try loader.load(EntryBatch())
            try loader.finish()
            try requireContents(try store.contents(), [], "scan")
        },
        Promise("abandonedLoadsLeaveAStoreThatCanBeFilled") { harness in
            let store = try harness.makeEmpty()
            let loader = try store.bulkLoader(LoadPlan())
            let batch = EntryBatch()
            batch.append(key: "a", value: [1])
            try loader.load(batch)
            loader.abandon()
            loader.abandon()
            let reopened = try harness.reopen(store)
            try reopened.fill([TestEntry("a", [2])], plan: LoadPlan(replacesEntries: true))
            try requireContents(try reopened.contents(), [TestEntry("a", [2])], "scan")
        },
        Promise("aHundredThousandEntriesComeBack") { harness in
            let store = try harness.makeEmpty()
            let width = harness.manyEntries
            let entries = (0..<width).map { number in
                TestEntry(
                    StorageKey("many/\(number % 97)/\(width + number)"),
                    [UInt8(number & 255), UInt8(number >> 8 & 255)])
            }.sorted { $0.key < $1.key }
            try store.fill(entries)
            try requireContents(try store.contents(), entries, "scan")
            try requireEqual(try store.list("many/").count, 97, "directories")
        },
    ]
}
