import Storage

/// Where the newest value of a changed key lies.
enum ValuePlace: Sendable, Equatable {
    /// There is none any more.
    case deleted
    /// In the data of one entry of the log.
    case entry(UInt64, offset: Int, count: Int)
    /// In a command that was joined from pieces; its number.
    case joined(Int, offset: Int, count: Int)
    /// The record of the piece that an entry of the log is.
    case chunk(UInt64)
}

/// A key that the log's tail has changed.
struct ChangedKey: Sendable {
    let key: [UInt8]
    var place: ValuePlace
    /// The entry that did it last.
    var index: UInt64
}

/// The changed keys in order, without their values.
///
/// New keys go into a short run that is merged into the long one when it is full: many keys cost little more than their
/// sorting.
struct ChangedKeys: Sendable {
    private static let shortRun = 4096

    private var settled: [ChangedKey] = []
    private var recent: [ChangedKey] = []
    /// About what the keys take of memory.
    private(set) var memoryBytes = 0

    /// Sets what became of a key.
    mutating func set(_ key: UnsafeRawBufferPointer, _ place: ValuePlace, _ index: UInt64) {
        let inSettled = Self.place(of: key, in: settled)
        if Self.has(key, settled, inSettled) {
            settled[inSettled].place = place
            settled[inSettled].index = index
            return
        }
        let inRecent = Self.place(of: key, in: recent)
        if Self.has(key, recent, inRecent) {
            recent[inRecent].place = place
            recent[inRecent].index = index
            return
        }
        memoryBytes += key.count + 2 * MemoryLayout<ChangedKey>.stride
        recent.insert(ChangedKey(key: Array(key), place: place, index: index), at: inRecent)
        if recent.count >= Self.shortRun { settle() }
    }

    /// What became of a key; `nil` if nothing did.
    func find(_ key: UnsafeRawBufferPointer) -> ChangedKey? {
        for run in [settled, recent] {
            let place = Self.place(of: key, in: run)
            if Self.has(key, run, place) { return run[place] }
        }
        return nil
    }

    /// The changed keys that begin with these bytes.
    func under(_ prefix: [UInt8]) -> [ChangedKey] {
        func part(_ run: [ChangedKey]) -> ArraySlice<ChangedKey> {
            let start = prefix.withUnsafeBytes { Self.place(of: $0, in: run) }
            return run[start...].prefix { $0.key.starts(with: prefix) }
        }
        return Self.merged(part(settled), part(recent))
    }

    /// All of them, in order.
    mutating func all() -> [ChangedKey] {
        settle()
        return settled
    }

    private mutating func settle() {
        guard !recent.isEmpty else { return }
        settled = Self.merged(settled[...], recent[...])
        recent = []
    }

    private static func merged(
        _ left: ArraySlice<ChangedKey>, _ right: ArraySlice<ChangedKey>
    ) -> [ChangedKey] {
        var result: [ChangedKey] = []
        result.reserveCapacity(left.count + right.count)
        var (left, right) = (left, right)
        while let one = left.first, let other = right.first {
            if one.key.lexicographicallyPrecedes(other.key) {
                result.append(one)
                left = left.dropFirst()
            } else {
                result.append(other)
                right = right.dropFirst()
            }
        }
        return result + left + right
    }

    /// Where a key is, or would be.
    static func place(of key: UnsafeRawBufferPointer, in run: [ChangedKey]) -> Int {
        var (low, high) = (0, run.count)
        while low < high {
            let middle = (low + high) / 2
            if run[middle].key.withUnsafeBytes({ compareBytes($0, key) }) < 0 {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    private static func has(_ key: UnsafeRawBufferPointer, _ run: [ChangedKey], _ place: Int) -> Bool {
        place < run.count && run[place].key.withUnsafeBytes { compareBytes($0, key) == 0 }
    }
}
