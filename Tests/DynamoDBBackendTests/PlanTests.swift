import Storage
import TestSupport
import Testing

@testable import DynamoDBBackend

@Suite struct PlanTests {
    /// Units and items that writing the entries takes, by the estimator.
    private func estimate(_ entries: [(key: String, value: Int)]) -> ServicePlan {
        let estimator = DynamoDBWriteEstimator(limit: DynamoDBSettings.CapacityLimit(), provisioned: nil)
        let batch = EntryBatch()
        for entry in entries {
            batch.append(key: StorageKey(entry.key), value: [UInt8](repeating: 1, count: entry.value))
        }
        batch.sortByKey()
        estimator.add(batch)
        return estimator.plan()
    }

    @Test func directoriesAreCountedOnce() {
        var random = SeededRandom(7)
        for _ in 0..<300 {
            // Names that are beginnings of one another, with bytes before and behind the slash.
            var keys: Set<String> = []
            for _ in 0..<random.below(40) {
                let parts = (0...random.below(4)).map { _ in ["a", "ab", "a-", "a0", "b", "_"][random.below(6)] }
                keys.insert(parts.joined(separator: "/"))
            }
            var directories: Set<String> = []
            for key in keys {
                var parts = key.split(separator: "/").dropLast()
                while !parts.isEmpty {
                    directories.insert(parts.joined(separator: "/"))
                    parts = parts.dropLast()
                }
            }
            #expect(estimate(keys.map { ($0, 1) }).units == keys.count + directories.count, "\(keys.sorted())")
        }
    }

    /// An item has the bytes of its attributes' names, of Path and Key, and of its value.
    @Test(arguments: [
        ("k", 1024 - 12 - 2, 1), ("k", 1024 - 12 - 1, 2), ("d/k", 1024 - 12 - 2, 2), ("d/k", 1024 - 12 - 1, 3),
    ])
    func itemsAreRoundedUp(_ key: String, _ value: Int, _ units: Int) {
        #expect(estimate([(key, value)]).units == units)
    }
}
