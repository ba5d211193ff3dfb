package import Storage

/// An entry apart from any batch.
package struct TestEntry: Hashable, Sendable {
    package let key: StorageKey
    package let value: [UInt8]

    package init(_ key: StorageKey, _ value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

extension StorageSource {
    /// Entries in the order they came, or in key order if the store promises none.
    package func ordered(_ entries: [TestEntry]) -> [TestEntry] {
        traits.isAscending ? entries : entries.sorted { $0.key < $1.key }
    }

    /// Every entry a scan delivers, in the order it does if the store promises one.
    package func contents(_ request: ScanRequest = ScanRequest()) throws -> [TestEntry] {
        var found: [TestEntry] = []
        try scanAll(request) { batch in
            found.append(contentsOf: batch.testEntries)
            return true
        }
        return ordered(found)
    }
}

extension StorageDestination {
    /// Fills the store through its bulk loader, in batches of at most `perBatch` entries.
    package func fill(_ entries: [TestEntry], plan: LoadPlan = LoadPlan(), perBatch: Int = 1000) throws {
        let loader = try bulkLoader(plan)
        do {
            for start in stride(from: 0, to: entries.count, by: perBatch) {
                let batch = EntryBatch(capacity: 4096)
                for entry in entries[start..<min(start + perBatch, entries.count)] {
                    batch.append(key: entry.key, value: entry.value)
                }
                try loader.load(batch)
            }
            try loader.finish()
            try loader.publish()
        } catch {
            loader.abandon()
            throw error
        }
    }
}

extension EntryBatch {
    /// The entries, copied.
    package var testEntries: [TestEntry] {
        (0..<count).map { TestEntry(StorageKey(copying: key($0)), Array(value($0))) }
    }
}

/// Fails unless a store holds exactly `wanted`, in ascending order of keys.
package func requireContents(_ found: [TestEntry], _ wanted: [TestEntry], _ what: String) throws {
    let wanted = wanted.sorted { $0.key < $1.key }
    if found == wanted { return }
    for (place, pair) in zip(found, wanted).enumerated() where pair.0 != pair.1 {
        let problem = pair.0.key == pair.1.key ? "another value than was put" : "\(pair.0.key) instead of \(pair.1.key)"
        throw PromiseFailure("\(what): entry \(place) is \(problem)")
    }
    throw PromiseFailure("\(what): \(found.count) entries instead of \(wanted.count)")
}
