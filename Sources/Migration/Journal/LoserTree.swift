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
    }

    private let source: JournalRecords
    private let count: Int
    private let streams: UnsafeMutablePointer<RecordStream>
    private let heads: UnsafeMutablePointer<Head>
    private let losers: UnsafeMutablePointer<Int32>
    private let windows: UnsafeMutableRawPointer

    /// - Parameters:
    ///   - runs: Records that are in order one behind the other, a stream each; not empty.
    ///   - window: Bytes that a stream reads at once.
    init(_ source: JournalRecords, _ runs: [Range<Int>], window: Int) {
        self.source = source
        count = runs.count
        streams = .allocate(capacity: runs.count)
        heads = .allocate(capacity: runs.count)
        losers = .allocate(capacity: runs.count)
        windows = .allocate(byteCount: runs.count * window, alignment: 16)
        for (index, run) in runs.enumerated() {
            let room = windows + index * window
            (streams + index).initialize(to: RecordStream(records: run, window: room, capacity: window))
            (heads + index).initialize(to: Head(key: UnsafeRawPointer(room), count: -1))
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

    /// Moves the smallest entry into a batch.
    ///
    /// - Returns: `false` if no entry is left.
    func takeSmallest(into batch: EntryBatch) throws(StorageError) -> Bool {
        let smallest = Int(losers[0])
        guard heads[smallest].count >= 0 else { return false }
        try streams[smallest].take(into: batch, source)
        try advance(smallest)
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
        return true
    }

    private func advance(_ index: Int) throws(StorageError) {
        if try streams[index].advance(source) {
            heads[index] = Head(key: streams[index].key(source), count: streams[index].keyCount)
        } else {
            heads[index].count = -1
        }
    }

    private func isBefore(_ left: Int32, _ right: Int32) -> Bool {
        let left = heads[Int(left)]
        let right = heads[Int(right)]
        guard left.count >= 0, right.count >= 0 else { return left.count >= 0 }
        return compareBytes(
            UnsafeRawBufferPointer(start: left.key, count: left.count),
            UnsafeRawBufferPointer(start: right.key, count: right.count)) < 0
    }
}
