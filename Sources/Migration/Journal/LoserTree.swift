import Storage

/// Finds the smallest of the entries that many sorted streams stand at, with one comparison per level.
///
/// A tournament: node `n` of a complete binary tree over the streams remembers the loser of the comparison below it,
/// node 0 the winner of all. Replacing the winner repeats only the comparisons on its way up.
struct LoserTree {
    /// The key a stream stands at; `count` is -1 behind its last entry.
    private struct Head {
        var key: UnsafeRawPointer
        var count: Int
        var age: JournalRecord.Age

        var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: key, count: count) }
    }

    /// The last key taken or found to be gone, and of which age: what is older of it is not taken.
    private struct Newest {
        var key: [UInt8] = []
        var age: JournalRecord.Age?
    }

    private let source: JournalRecords
    private let count: Int
    private let streams: UnsafeMutablePointer<RecordStream>
    private let heads: UnsafeMutablePointer<Head>
    private let losers: UnsafeMutablePointer<Int32>
    private let windows: UnsafeMutableRawPointer
    private let findsNewest: Bool
    private var newest = Newest()

    /// - Parameters:
    ///   - runs: Records that are in order one behind the other, a stream each; not empty.
    ///   - window: Bytes that a stream reads at once.
    ///   - findsNewest: Whether of the entries of one key only the newest is wanted; each run is of one age.
    init(_ source: JournalRecords, _ runs: [Range<Int>], window: Int, findsNewest: Bool) {
        self.source = source
        self.findsNewest = findsNewest
        count = runs.count
        streams = .allocate(capacity: runs.count)
        heads = .allocate(capacity: runs.count)
        losers = .allocate(capacity: runs.count)
        windows = .allocate(byteCount: runs.count * window, alignment: 16)
        for (index, run) in runs.enumerated() {
            let room = windows + index * window
            (streams + index).initialize(to: RecordStream(records: run, window: room, capacity: window))
            (heads + index).initialize(
                to: Head(key: UnsafeRawPointer(room), count: -1, age: source.places[run.lowerBound].age))
            (losers + index).initialize(to: -1)
        }
    }

    func deallocate() {
        for index in 0..<count { streams[index].deallocate() }
        streams.deallocate()
        heads.deallocate()
        losers.deallocate()
        windows.deallocate()
    }

    /// Reads the first entry of every stream.
    func start() throws(StorageError) {
        for index in 0..<count { try advance(index) }
        // Streams enter one after the other; who meets an empty node waits there for an opponent.
        for index in 0..<count {
            var winner = Int32(index)
            var node = (index + count) / 2
            while node > 0 {
                let waiting = losers[node]
                guard waiting >= 0 else { break }
                if isBefore(waiting, winner) {
                    losers[node] = winner
                    winner = waiting
                }
                node /= 2
            }
            losers[node] = winner
        }
    }

    /// Moves the smallest entry into a batch, of several with its key the newest.
    ///
    /// - Returns: `false` if no entry is left.
    mutating func takeSmallest(into batch: EntryBatch) throws(StorageError) -> Bool {
        while heads[Int(losers[0])].count >= 0 {
            let smallest = Int(losers[0])
            let isTaken = !findsNewest || isNewest(heads[smallest])
            if isTaken { try streams[smallest].take(into: batch, source) } else { streams[smallest].pass(source) }
            try advance(smallest)
            replay(smallest)
            if isTaken { return true }
        }
        return false
    }

    /// Whether an entry is to be taken; entries of one key come in the order of their ages, and those of the same
    /// generation are all taken.
    private mutating func isNewest(_ head: Head) -> Bool {
        if let age = newest.age, newest.key.withUnsafeBytes({ compareBytes($0, head.bytes) }) == 0 {
            return age == head.age && !age.isTombstone
        }
        newest.key.removeAll(keepingCapacity: true)
        newest.key.append(contentsOf: head.bytes)
        newest.age = head.age
        return !head.age.isTombstone
    }

    private func replay(_ smallest: Int) {
        var winner = Int32(smallest)
        var node = (smallest + count) / 2
        while node > 0 {
            let other = losers[node]
            if isBefore(other, winner) {
                losers[node] = winner
                winner = other
            }
            node /= 2
        }
        losers[0] = winner
    }

    private func advance(_ index: Int) throws(StorageError) {
        if try streams[index].advance(source) {
            heads[index].key = streams[index].key(source)
            heads[index].count = streams[index].keyCount
        } else {
            heads[index].count = -1
        }
    }

    private func isBefore(_ left: Int32, _ right: Int32) -> Bool {
        let left = heads[Int(left)]
        let right = heads[Int(right)]
        guard left.count >= 0, right.count >= 0 else { return left.count >= 0 }
        let order = compareBytes(left.bytes, right.bytes)
        return order == 0 && findsNewest ? left.age.isBefore(right.age) : order < 0
    }
}
