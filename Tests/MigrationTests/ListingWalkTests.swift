import Migration
import Storage
import Testing

@Suite struct ListingWalkTests {
    private func walked(
        _ keys: [String], _ treatment: ListingWalk.Treatment, perBatch: Int, start: StorageKey? = nil
    ) -> (kept: [String], told: [String]) {
        var walk = ListingWalk(treatment, start: start)
        var kept: [String] = []
        var told: [String] = []
        let sorted = keys.map { StorageKey($0) }.sorted()
        for first in stride(from: 0, to: sorted.count, by: perBatch) {
            let batch = EntryBatch(capacity: 64)
            for key in sorted[first..<min(first + perBatch, sorted.count)] { batch.append(key: key, value: []) }
            walk.apply(to: batch) { reason, key in
                told.append("\(reason == .hiddenName ? "hidden" : "unmarked") \(escapedKey(key))")
            }
            kept += (0..<batch.count).map { escapedKey(batch.key($0)) }
        }
        return (kept, told)
    }

    private static let store = [
        "a/", "a/b/", "a/b/c", "a/b-", "a/bc/x", "a/_h/", "a/_h/y", "a/_z", "_top", "plain", "gone/x", "gone/deep/",
        "gone/deep/y",
        "a/b/_q/r/", "a/b/_q/r/s", "a/c/", "e/", "e", "e/f",
    ]
    private static let unseen = [
        "hidden _top", "hidden a/_h/y", "hidden a/_z", "hidden a/b/_q/r/s", "unmarked a/bc/x", "unmarked gone/deep/y",
        "unmarked gone/x",
    ]

    @Test(arguments: [1, 2, 3, 100])
    func tellsWhatListingCannotSee(_ perBatch: Int) {
        let (kept, told) = walked(Self.store, .keep, perBatch: perBatch)
        #expect(told == Self.unseen)
        #expect(kept == Self.store.filter { !$0.hasSuffix("/") }.sorted { StorageKey($0) < StorageKey($1) })
    }

    @Test(arguments: [1, 100])
    func leavesOutWhatListingCannotSee(_ perBatch: Int) {
        let (kept, told) = walked(Self.store, .leaveOut, perBatch: perBatch)
        #expect(told == Self.unseen)
        #expect(kept == ["a/b-", "a/b/c", "e", "e/f", "plain"])
    }

    @Test func entriesBeforeTheStartAreNoConcern() {
        #expect(walked(Self.store, .keep, perBatch: 4, start: "a/bc").told == Self.unseen.suffix(3))
    }
}
