import Barrier
import Digest
import Storage
import Synchronization
import Telemetry
import Workers

/// A pass over a destination that an earlier pass has filled: both sides are read in step, and only what is otherwise is written.
/// What was the same was read back by that; what was written is read back one by one, or with everything if it is much.
extension MigrationCopy {
    /// The one destination that is brought up to date instead of filled: an earlier pass has filled it, or a run that
    /// was cut off has filled a part.
    var changedTarget: Target? {
        guard options.mode != .whole || isTakenUp && options.start == nil, targets.count == 1,
            let target = targets.first, target.replacesEntries, target.store is any KeyValueStore
        else { return nil }
        return target
    }

    /// Beyond one changed entry in this many, reading everything once more costs less than asking for each.
    private static let fewChanges = 20

    func bringUpToDate(
        _ target: Target, _ pool: BatchPool, _ notes: ScanNotes, _ summary: inout MigrationSummary
    ) throws {
        guard let store = target.store as? any KeyValueStore else { return }
        let clock = ContinuousClock()
        let begin = clock.now
        let changes = try PendingChanges(folder: state.path, pool: pool)
        defer { changes.close() }
        let isWhole = options.mode.concernsWholeDestination
        let manifest = try newManifest(isPending: isWhole)
        var (counts, proof) = try walk(target, store, into: changes, manifest, pool, notes, &summary)
        summary.pass?.changes = changes.counts
        summary.copySeconds = (clock.now - begin) / .seconds(1)
        try checkCancelled()
        if isWhole {
            summary.repaired = changes.counts
            // From here on something may have been written, whatever becomes of the run.
            try state.write(StateFolder.writingName, Array("\(options.mode.rawValue)\n".utf8))
            try EvidenceSigner.removeSignature(of: state.manifestPath)
            try forgetKeyedManifest()
            try state.rename(StateFolder.pendingManifestName, to: StateFolder.manifestName)
        }
        context.counters.restart(.copying, expectedEntries: changes.counts.total)
        do throws(StorageError) {
            // While no loader holds the store.
            try changes.remove(from: store, readers: readerCount, isCancelled: isCancelled)
        } catch {
            throw MigrationFailure.stage("error removing entry: ", error)
        }
        let loader = try target.store.bulkLoader(LoadPlan(replacesEntries: true, owner: options.owner, pool: pool))
        var isPublished = false
        defer { if !isPublished { loader.abandon() } }
        do throws(StorageError) {
            try changes.load(into: loader, context.counters, isCancelled: isCancelled)
            try loader.finish()
        } catch {
            throw MigrationFailure.stage("error writing entry: ", error)
        }
        try checkCancelled()
        if changes.counts.total > summary.totals.entries / Self.fewChanges {
            counts = try compareWhileSyncing([loader], manifest, &summary).first ?? counts
        } else {
            try loader.sync()
            try manifest.sync()
            context.counters.restart(.comparing, expectedEntries: changes.counts.total)
            let collector = try options.barrier.map { (barrier) throws(StorageError) in
                try ProofCollector(barrier, proof)
            }
            if let proven = try proveCopies([loader], &summary).first ?? nil, collector == nil {
                counts = proven
            } else {
                counts = try changes.readBack(
                    from: try loader.written(), unchanged: counts, readers: readerCount, context.counters,
                    proof: collector, isCancelled: isCancelled)
            }
            if let barrier = options.barrier, let collector {
                proof = collector.total
                summary.proof = ProofOutcome(barrier, proof)
            }
            // What was the same before it was compared may have been in memory.
            summary.destinations[target.place].readBack = loader.readBackOrigin
        }
        summary.destinations[target.place].comparison = counts
        guard counts.isAllSame else { throw differences(counts, at: target.store) }
        try summary.proof?.demand(of: counts.same)
        try release(&summary)
        try loader.publish()
        isPublished = true
    }

    private var isCancelled: @Sendable () -> Bool {
        let cancellation = context.cancellation
        return { cancellation.isCancelled }
    }

    private func changedSince(_ store: any StorageDestination) -> NothingWritten {
        NothingWritten(
            MigrationFailure(
                .differences,
                "\(store.kind) \(store.location) does not hold any more what the migration has read from it: it was "
                    + "written to since, "
                    + "or is another store. Nothing was written. Roll back into an empty store instead, with operator "
                    + "migrate."
            ))
    }

    /// Reads both sides in step.
    ///
    /// - Returns: Counts of what is the same, and of what could not be read; what a proof found of what is the same.
    private func walk(
        _ target: Target, _ store: any KeyValueStore, into changes: PendingChanges, _ manifest: ManifestWriter,
        _ pool: BatchPool, _ notes: ScanNotes, _ summary: inout MigrationSummary
    ) throws -> (counts: ComparisonCounts, proof: ProofTally) {
        var options = scanOptions(notes: notes)
        options.writesManifestLines = true
        options.pool = pool
        options.journal = journal?.journal
        options.known = journal?.known
        context.counters.restart(
            .comparing, expectedEntries: journal?.journal.entryCount, expectedBytes: source.estimatedBytes())
        let scan = DigestedScan(source, options)
        var otherOptions = scanOptions(notes: nil)
        // What is left out is left out of the source; at the destination everything counts.
        otherOptions.unlisted = .keep
        // What cannot be read there is written anew, or removed; the source's entries must all be read.
        let unreadable = UnreadableEntries()
        otherOptions.request.passesOver = { unreadable.add($0) }
        // What was written before it was cut off was written because this had been seen.
        let expected = state.hasWritten ? nil : self.options.rollback?.keyspaceDigest
        otherOptions.writesManifestLines = expected != nil
        otherOptions.barrier = self.options.barrier
        let other = try SummedDestination(DigestedScan(store, otherOptions))
        defer {
            scan.stop()
            other.stop()
        }
        var offenders = Offenders(rules: target.store.rules)
        var upgrade = SealUpgradeWatch(source)
        var totals = summary.totals
        let left = WalkedSource(scan) { batch in
            upgrade.take(batch.entries)
            offenders.check(batch.entries)
            totals.add(batch)
            try manifest.append(batch.manifestLines)
            tell(batch)
        }
        var counts = ComparisonCounts()
        var proof = ProofTally()
        let repair = self.options.mode.concernsWholeDestination ? RepairLimits(self.options) : nil
        do {
            counts = try Comparison(source: left, destination: other).run(report: { verdict, key in
                if verdict != .missing {
                    if verdict == .same, let found = other.proof { proof.count(found, key) }
                    other.index += 1
                }
                let verdict: Verdict = verdict == .missing && unreadable.contains(key) ? .different : verdict
                if verdict != .same { try repair?.check(verdict, key) }
                switch verdict {
                case .same: left.index += 1
                case .missing, .different:
                    if let batch = left.batch { try changes.put(batch.entries, left.index, verdict) }
                    left.index += 1
                case .extra: try changes.remove(key)
                case .unreadable: break
                }
            })
        } catch {
            throw MigrationFailure.stage("error reading entry: ", error)
        }
        for key in unreadable.notAmended() where self.options.destinationScope.contains(key) {
            try key.bytes.withUnsafeBytes { bytes in
                try repair?.checkUnreadable(bytes)
                try changes.remove(bytes)
            }
        }
        try repair?.refuse(destination: target.store)
        if let expected, try other.digest.finish() != expected { throw changedSince(target.store) }
        summary.totals = totals
        try conclude(options.filter, notes, [offenders], upgrade, manifest, &summary)
        try changes.finish()
        var unchanged = ComparisonCounts()
        unchanged.same = counts.same
        return (unchanged, proof)
    }
}

/// The destination's side of the walk, with the digest of all that it holds.
private final class SummedDestination: DigestSource {
    private let scan: DigestedScan
    private var batch: DigestedBatch?
    var digest: KeyspaceDigest
    /// Of the entry that comes next.
    var index = 0

    /// What a proof found of the entry at hand; `nil` where none was made.
    var proof: EntryProof? { batch?.proof(index) }

    init(_ scan: DigestedScan) throws {
        self.scan = scan
        digest = try KeyspaceDigest()
    }

    func next() throws -> (any DigestPage)? {
        batch = try scan.nextBatch()
        index = 0
        guard let batch else { return nil }
        try digest.add(batch.manifestLines)
        return batch
    }

    func stop() { scan.stop() }
}

/// The source's side of the walk, which remembers where it is.
private final class WalkedSource: DigestSource {
    private let scan: DigestedScan
    private let take: (DigestedBatch) throws -> Void
    private(set) var batch: DigestedBatch?
    /// Of the entry that comes next.
    var index = 0

    init(_ scan: DigestedScan, _ take: @escaping (DigestedBatch) throws -> Void) {
        self.scan = scan
        self.take = take
    }

    func next() throws -> (any DigestPage)? {
        batch = try scan.nextBatch()
        index = 0
        if let batch { try take(batch) }
        return batch
    }

    func stop() { scan.stop() }
}
