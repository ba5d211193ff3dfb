import Storage

/// The first keys, in their order, of however many are added: the same ones whatever the order they come in, and on however
/// many threads.
struct FirstKeys: Sendable, Equatable {
    /// A key is at most 64 KiB; of one beyond this only the beginning is kept.
    private static let mostKeyBytes = 1024

    let most: Int
    /// Ascending.
    private(set) var keys: [StorageKey] = []
    /// How many were added.
    private(set) var count = 0

    /// - Parameter most: How many are kept.
    init(most: Int) { self.most = most }

    mutating func add(_ key: UnsafeRawBufferPointer) {
        count += 1
        // Most stores give their keys in order, so that this ends it.
        if keys.count == most, let last = keys.last, last.bytes.withBytes({ compareBytes($0, key) }) <= 0 { return }
        insert(StorageKey(copying: UnsafeRawBufferPointer(rebasing: key.prefix(Self.mostKeyBytes))))
    }

    mutating func add(_ other: FirstKeys) {
        count += other.count
        for key in other.keys { insert(key) }
    }

    private mutating func insert(_ key: StorageKey) {
        let place = keys.firstIndex { key < $0 } ?? keys.count
        guard place < most else { return }
        keys.insert(key, at: place)
        if keys.count > most { keys.removeLast() }
    }
}
