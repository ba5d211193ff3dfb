package import Storage

/// One entry of a store.
package struct Entry: Hashable, Sendable, Comparable, CustomStringConvertible {
    package var key: StorageKey
    package var value: [UInt8]

    package init(_ key: StorageKey, _ value: [UInt8]) {
        self.key = key
        self.value = value
    }

    package static func < (left: Entry, right: Entry) -> Bool { left.key < right.key }

    package var description: String { "\(key) (\(value.count) bytes)" }
}

/// The entries that one scan delivers, in its order.
package func entries(of store: any StorageSource, _ request: ScanRequest = ScanRequest()) throws -> [Entry] {
    var entries: [Entry] = []
    try store.scan(request) { batch throws(StorageError) in
        for index in 0..<batch.count {
            entries.append(Entry(StorageKey(copying: batch.key(index)), Array(batch.value(index))))
        }
        return true
    }
    return entries
}

/// Entries in batches as full as a backend makes them.
package func batches(of entries: [Entry]) -> [EntryBatch] {
    var batches: [EntryBatch] = []
    var batch = EntryBatch()
    for entry in entries {
        batch.append(key: entry.key, value: entry.value)
        if batch.isFull {
            batches.append(batch)
            batch = EntryBatch()
        }
    }
    return batch.count > 0 ? batches + [batch] : batches
}

/// Entries with keys as servers make them and keys as nobody makes them, in key order, each key once.
///
/// - Parameter largest: Bytes of the largest values, of which there are few.
package func sampleEntries(_ count: Int, seed: Int, largest: Int = 5_000) -> [Entry] {
    var random = SeededRandom(seed)
    var found: [StorageKey: [UInt8]] = [:]
    let folders = ["", "core/", "logical/", "logical/a b/", "sys/token/id/", "_x/y/"]
    while found.count < count {
        var key = Array(folders[random.below(folders.count)].utf8)
        switch random.below(12) {
        case 0: key += random.bytes(1 + random.below(40))
        case 1: key += [UInt8](repeating: UInt8(ascii: "k"), count: 1 + random.below(300))
        case 2: key += Array("\\name\u{0}\u{7f}é".utf8) + random.bytes(2)
        default: key += Array("\(random.below(count * 20))/\(random.below(9))".utf8)
        }
        let size = random.below(50) == 0 ? random.below(largest + 1) : random.below(300)
        var value = random.bytes(min(size, 61))
        while value.count < size { value += value.prefix(size - value.count) }
        found[StorageKey(key)] = value
    }
    return found.map { Entry($0.key, $0.value) }.sorted()
}
