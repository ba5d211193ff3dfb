import Storage

/// Merges the records of a journal into one ascending sequence of batches, in bounded memory.
struct JournalMerge {
    /// Memory for what is read ahead of all records together.
    private static let windowMemory = 64 << 20
    private static let smallestWindow = 4 << 10
    private static let largestWindow = 256 << 10
    /// Records merged at once; more are merged into fewer before.
    static let maximumStreams = windowMemory / smallestWindow

    private let records: JournalRecords
    private let scratchFolder: String
    private let maximumStreams: Int

    /// - Parameters:
    ///   - scratchFolder: Where a merge of very many records puts what it has merged.
    ///   - maximumStreams: Records merged at once, two at least.
    init(_ records: JournalRecords, scratchFolder: String, maximumStreams: Int) {
        self.records = records
        self.scratchFolder = scratchFolder
        self.maximumStreams = max(maximumStreams, 2)
    }

    /// See ``EntryJournal/merge(pool:isCancelled:_:)``.
    func run(
        pool: BatchPool, isCancelled: () -> Bool, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        var source = records
        var runs = records.places.indices.map { $0..<($0 + 1) }
        var scratch: JournalFile?
        defer { scratch?.close() }
        // Only records of one age can become one record, so there is a run of each at least.
        let ages = Set(records.places.map(\.age))
        while runs.count > max(maximumStreams, ages.count) {
            let longer = try JournalFile.scratch(in: scratchFolder, header: [], partitions: [])
            do throws(StorageError) {
                (source, runs) = try merge(runs, of: source, into: longer, pool: pool, isCancelled: isCancelled)
            } catch {
                longer.close()
                throw error
            }
            scratch?.close()
            scratch = longer
        }
        try merge(runs, of: source, isWhole: true, pool: pool, isCancelled: isCancelled, deliver)
    }

    /// Merges as many runs of one age as can be merged at once into one, and so on through all of them.
    private func merge(
        _ runs: [Range<Int>], of source: JournalRecords, into file: JournalFile, pool: BatchPool,
        isCancelled: () -> Bool
    ) throws(StorageError) -> (JournalRecords, [Range<Int>]) {
        var summary = JournalSummary(partitions: 0)
        var merged: [Range<Int>] = []
        let byAge = Dictionary(grouping: runs) { source.places[$0.lowerBound].age }
        for (age, runs) in byAge.sorted(by: { $1.key.isBefore($0.key) }) {
            var next = 0
            while summary.generation < age.generation { summary.beginGeneration() }
            while next < runs.count {
                let part = Array(runs[next..<min(next + maximumStreams, runs.count)])
                next += part.count
                let begin = summary.records
                try merge(part, of: source, isWhole: false, pool: pool, isCancelled: isCancelled) {
                    batch throws(StorageError) in
                    let step = JournalStep(
                        partition: 0, progress: nil, batch: batch, isTombstone: age.isTombstone)
                    try file.commit([step], &summary)
                    pool.recycle(batch)
                    return true
                }
                merged.append(begin..<summary.records)
            }
        }
        return (try file.records(summary), merged)
    }

    /// - Parameter isWhole: Whether the runs are all there are, so that the newest entry of a key is among them.
    private func merge(
        _ runs: [Range<Int>], of source: JournalRecords, isWhole: Bool, pool: BatchPool, isCancelled: () -> Bool,
        _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        guard !runs.isEmpty else { return }
        let window = max(Self.smallestWindow, min(Self.largestWindow, Self.windowMemory / runs.count) & ~4095)
        var tree = LoserTree(source, runs, window: window, findsNewest: isWhole && source.hasAges)
        defer { tree.deallocate() }
        try tree.start()
        var batch = pool.take()
        guard batch.stampBytes == source.stampBytes, batch.keepsValues == source.keepsValues else {
            throw StorageError(.unsupported, "\(source.path) holds entries in another form than is wanted.")
        }
        while try tree.takeSmallest(into: batch) {
            guard batch.isFull else { continue }
            if isCancelled() { throw StorageError.cancelled }
            guard try deliver(batch) else { return }
            batch = pool.take()
        }
        if batch.count > 0 { _ = try deliver(batch) }
    }
}
