import Barrier
import Digest
import Glibc
import Storage
import Telemetry
import Workers

/// The copy itself: one pass over the source into the loaders of all destinations, manifest beside it, then each destination
/// read back and held against the manifest.
struct MigrationCopy {
    /// A destination to be filled.
    struct Target {
        let store: any StorageDestination
        /// Its place among the destinations of the summary.
        let place: Int
        /// Whether entries that are there already may be replaced.
        let replacesEntries: Bool
    }

    let source: any StorageSource
    let targets: [Target]
    let options: MigrationOptions
    let context: RunContext
    let state: StateFolder
    /// Where a source that is read over a network is read into first.
    let journal: SourceJournal?
    /// Whether an earlier run of the job has written to the destination and was cut off.
    let isTakenUp: Bool
    /// Throws if somebody may have written to the source meanwhile.
    let checkSource: () throws -> Void

    /// Runs to proven destinations under their final names.
    ///
    /// - Parameter summary: Filled as far as the run comes.
    func run(into summary: inout MigrationSummary) throws {
        let clock = ContinuousClock()
        let begin = clock.now
        let pool = BatchPool.digesting(keepsValues: true)
        let notes = ScanNotes(namesIn: state.unlistedPath, lostIn: state.lostPath, scope: options.scope)
        defer { summary.seconds = (clock.now - begin) / .seconds(1) }
        if let journal {
            try read(into: journal, pool, notes, &summary)
            try refuseOffenders(in: journal, pool)
        }
        if let target = changedTarget { return try bringUpToDate(target, pool, notes, &summary) }
        if options.mode == .warm, !targets.allSatisfy({ $0.store is any KeyValueStore }) {
            let manifest = try copy(into: [], pool, notes, &summary)
            try manifest.sync()
            return
        }
        var loaders: [any BulkLoader] = []
        var published = 0
        defer { for loader in loaders[published...] { loader.abandon() } }
        for target in targets {
            var plan = LoadPlan(replacesEntries: target.replacesEntries, owner: options.owner, pool: pool)
            plan.isCancelled = { [cancellation = context.cancellation] in cancellation.isCancelled }
            loaders.append(try target.store.bulkLoader(plan))
        }
        let manifest = try copy(into: loaders, pool, notes, &summary)
        context.watcher?.show(summary)
        for loader in loaders { try loader.finish() }
        summary.copySeconds = (clock.now - begin) / .seconds(1)
        try checkCancelled()
        let comparisons = try compareWhileSyncing(loaders, manifest, &summary)
        for (target, counts) in zip(targets, comparisons) { summary.destinations[target.place].comparison = counts }
        for (target, counts) in zip(targets, comparisons) where !counts.isAllSame {
            throw differences(counts, at: target.store)
        }
        // What is a copy, byte for byte, of what was authenticated is so as well.
        let compared = zip(targets, comparisons).filter { summary.destinations[$0.0.place].original == nil }
        try summary.proof?.demand(of: compared.reduce(0) { $0 + $1.1.same })
        try release(&summary)
        for loader in loaders {
            try loader.publish()
            published += 1
        }
    }

    /// The last look at the source before what was proven is put in place, which a run that is killed from here on need not do
    /// again. A warm pass proves nothing for good.
    func release(_ summary: inout MigrationSummary) throws {
        try checkCancelled()
        try checkSource()
        context.counters.enter(.finishing)
        guard options.mode != .warm else { return }
        try state.write(StateFolder.provenName, Array("\(summary.keyspaceDigest)\n".utf8))
    }

    /// Has every copy that a destination keeps on machines of its own prove itself; where all have the source's digest, they hold
    /// its entries, and nothing is read back.
    ///
    /// - Returns: What of each destination needs no comparison any more; `nil` for those that do.
    func proveCopies(
        _ loaders: [any BulkLoader], _ summary: inout MigrationSummary
    ) throws -> [ComparisonCounts?] {
        let cancellation = context.cancellation
        let isWhole = options.destinationScope.isWhole
        var proven: [ComparisonCounts?] = []
        for (loader, target) in zip(loaders, targets) {
            do throws(StorageError) {
                let copies = try loader.proveCopies(
                    keyspaceDigest: isWhole ? summary.keyspaceDigest : nil, isCancelled: { cancellation.isCancelled })
                summary.destinations[target.place].copies = copies
                var counts = ComparisonCounts()
                counts.same = summary.totals.entries
                proven.append(!copies.isEmpty && copies.allSatisfy(\.isEqual) ? counts : nil)
            } catch  where error.code == .cancelled {
                throw error
            } catch {
                // Nodes that have proven nothing hold nothing else for all that is known.
                guard error.code == .damagedStore else { throw MigrationFailure(.failed, error.message, cause: error) }
                // Named entry by entry, before the run fails.
                var proof: ProofTally?
                _ = try? compare(loader, target.store, summary.totals, &proof)
                throw MigrationFailure(.differences, error.message, cause: error)
            }
        }
        return proven
    }

    func checkCancelled() throws {
        if context.cancellation.isCancelled { throw StorageError.cancelled }
    }

    /// - Parameter notes: Of the source; `nil` for a destination, of which everything counts but what stands before `-start`.
    func scanOptions(notes: ScanNotes?) -> DigestedScan.Options {
        var options = DigestedScan.Options()
        let cancellation = context.cancellation
        options.request.readers = readerCount
        options.request.isCancelled = { cancellation.isCancelled }
        if let notes {
            options.request.note = { notes.add($0) }
            options.request.toleratesChanges = self.options.mode == .warm
        }
        let scope = self.options.scope
        options.filter = EntryFilter(scope: notes == nil ? self.options.destinationScope : scope)
        options.spillFolder = state.path
        options.unlisted = self.options.listedOnly ? .leaveOut : .keep
        return options
    }

    /// Threads that may read at once, as many as the user allows: a cold disk gives three to five times more to many.
    var readerCount: Int { max(1, min(options.maximumParallel, ScanRequest.mostReaders)) }

    func copy(
        into loaders: [any BulkLoader], _ pool: BatchPool, _ notes: ScanNotes, _ summary: inout MigrationSummary
    ) throws -> ManifestWriter {
        var scanOptions = scanOptions(notes: notes)
        scanOptions.writesManifestLines = true
        scanOptions.pool = pool
        scanOptions.journal = journal?.journal
        scanOptions.known = journal?.known
        let manifest = try newManifest()
        if let journal = journal?.journal {
            context.counters.restart(
                .copying, expectedEntries: journal.entryCount, expectedBytes: journal.byteCount)
        } else {
            context.counters.restart(.copying, expectedBytes: source.estimatedBytes())
        }
        let census = Census(source, context)
        defer { census.stop() }
        let scan = DigestedScan(source, scanOptions)
        defer { scan.stop() }
        var offenders = targets.map { Offenders(rules: $0.store.rules) }
        var upgrade = SealUpgradeWatch(source)
        do {
            while let batch = try scan.nextBatch() {
                upgrade.take(batch.entries)
                for index in offenders.indices { offenders[index].check(batch.entries) }
                summary.totals.add(batch)
                context.watcher?.showNowAndThen(summary)
                // One entry that cannot be kept, or is lost, ends the copy; the scan goes on to name them all.
                guard offenders.allSatisfy(\.isEmpty), options.allowsLostEntries || !notes.hasLost else {
                    batch.recycle()
                    continue
                }
                do {
                    try manifest.append(batch.manifestLines)
                } catch {
                    throw MigrationFailure.stage("error writing the manifest: ", error)
                }
                tell(batch)
                do throws(StorageError) {
                    batch.entries.share(among: loaders.count)
                    for loader in loaders { try loader.load(batch.entries) }
                } catch {
                    throw MigrationFailure.stage("error writing entry: ", error)
                }
            }
        } catch {
            throw MigrationFailure.stage("error reading entry: ", error)
        }
        try conclude(scanOptions.filter, notes, offenders, upgrade, manifest, &summary)
        return manifest
    }

    /// - Parameter isPending: Whether the run may still refuse to write anything, so that what older ones left stays.
    func newManifest(isPending: Bool = false) throws -> ManifestWriter {
        if !isPending { try forgetKeyedManifest() }
        return try ManifestWriter(
            path: isPending ? "\(state.path)/\(StateFolder.pendingManifestName)" : state.manifestPath,
            header: Manifest.Header(
                sourceKind: source.kind, time: WallTime.now().microseconds, entries: 0, bytes: 0,
                keyspaceDigest: "not finished", version: context.version))
    }

    /// Removes what would be of an older manifest.
    func forgetKeyedManifest() throws {
        try EvidenceSigner.removeSignature(of: state.keyedManifestPath)
        state.remove(StateFolder.keyedManifestName)
    }

    /// Notes what was found in the source, refuses what cannot be copied, and ends the manifest, when all was read.
    func conclude(
        _ filter: EntryFilter, _ notes: ScanNotes, _ offenders: [Offenders], _ upgrade: SealUpgradeWatch,
        _ manifest: ManifestWriter, _ summary: inout MigrationSummary
    ) throws {
        if let journal, let known = journal.known { try known.check(SourceJournal.path(in: state)) }
        summary.leftOut = filter.leftOut
        summary.notes = notes.counts
        summary.noteExamples = notes.examples
        summary.unlistedPath = try notes.finish()
        summary.lost = notes.lost
        summary.lostPath = try notes.finishLost()
        let lost = options.lostProblem(notes.lost, source, listedIn: summary.lostPath)
        try Offenders.refuse(zip(offenders, targets.map(\.store)), and: lost, listIn: state)
        if summary.totals.entries == 0, options.scope.isSelection {
            throw MigrationFailure.migrating(
                "none of the source's entries is selected by -include and -exclude. Nothing was migrated.")
        }
        if summary.totals.entries == 0, options.start == nil {
            throw MigrationFailure.migrating(Preflight.emptySource(source))
        }
        try upgrade.demand()
        summary.keyspaceDigest = try manifest.finish(summary.totals).hexadecimal
    }

    func tell(_ batch: DigestedBatch) {
        context.counters.add(entries: batch.count, bytes: batch.entries.byteCount)
        context.counters.setPrefix(batch.lastFolder)
        guard context.logger.isEnabled(.debug) else { return }
        for index in 0..<batch.count {
            context.logger.debug("copied key", ["path": .key(Array(batch.key(index)))])
        }
    }

    /// What is to be read from the disk must be there first. Whatever else is to be made durable is waited for on a thread of
    /// its own: neither needs the other, and both must be done before anything is put in place.
    func compareWhileSyncing(
        _ loaders: [any BulkLoader], _ manifest: ManifestWriter, _ summary: inout MigrationSummary
    ) throws -> [ComparisonCounts] {
        let readsDisk = options.readsBackFromDisk
        if readsDisk {
            context.counters.enter(.syncing)
            do throws(StorageError) {
                for loader in loaders { try loader.sync() }
            } catch {
                throw MigrationFailure.stage("error writing entry: ", error)
            }
            try checkCancelled()
        }
        let outcome = Monitor<StorageError?>(nil)
        let syncing = try WorkerThread {
            do throws(StorageError) {
                if !readsDisk { for loader in loaders { try loader.sync() } }
                try manifest.sync()
            } catch {
                outcome.change { $0 = error }
            }
        }
        defer { syncing.join() }
        var counts: [ComparisonCounts] = []
        let proven = try proveCopies(loaders, &summary)
        var proof: ProofTally?
        summary.proof = options.barrier.map { ProofOutcome($0) }
        for (index, (loader, target)) in zip(loaders, targets).enumerated() {
            // What has proven to be equal must be read all the same to be authenticated.
            let known = options.barrier == nil ? proven[index] : nil
            if readsDisk, known == nil { loader.readFromDisk() }
            if known == nil, let original = try original(of: loader, in: loaders[..<index], counts) {
                summary.destinations[target.place].original = targets[original].store.location
                counts.append(counts[original])
            } else {
                counts.append(try known ?? compare(loader, target.store, summary.totals, &proof))
            }
            summary.proof?.tally = proof ?? ProofTally()
            summary.destinations[target.place].readBack = loader.readBackOrigin
        }
        context.counters.enter(.syncing)
        syncing.join()
        if let error = outcome.read({ $0 }) { throw MigrationFailure.stage("error writing entry: ", error) }
        return counts
    }

    /// The place of the destination, among those that are proven already, of which one is a copy byte for byte.
    private func original(
        of loader: any BulkLoader, in others: ArraySlice<any BulkLoader>, _ counts: [ComparisonCounts]
    ) throws -> Int? {
        for (index, other) in others.enumerated() where counts[index].isAllSame {
            if try loader.isCopy(of: other) { return index }
        }
        return nil
    }

    /// Reads the destination back from where it was written.
    func compare(
        _ loader: any BulkLoader, _ destination: any StorageDestination, _ totals: KeyspaceTotals,
        _ proof: inout ProofTally?
    ) throws -> ComparisonCounts {
        context.counters.restart(.comparing, expectedEntries: totals.entries, expectedBytes: totals.bytes)
        let written = try loader.written()
        defer { if written !== destination { written.close() } }
        var scanOptions = scanOptions(notes: nil)
        scanOptions.writesManifestLines = true
        // What is left out is left out of the source; at the destination everything counts.
        scanOptions.unlisted = .keep
        scanOptions.barrier = options.barrier
        let scan = CountingScan(DigestedScan(written, scanOptions), context.counters)
        defer {
            scan.stop()
            if let more = scan.proof { proof = (proof ?? ProofTally()).adding(more) }
        }
        var told = 0
        return try ManifestComparison(manifest: state.manifestPath, scan: scan).run { verdict, key in
            guard told < 20 else { return }
            told += 1
            context.logger.error(
                "the destination differs", ["verdict": .string(verdict.sign), "path": .key(Array(key))])
        }
    }

    func differences(
        _ counts: ComparisonCounts, at destination: any StorageDestination
    ) -> MigrationFailure {
        let place = targets.count > 1 ? " (\(destination.kind) \(destination.location))" : ""
        return MigrationFailure(
            .differences,
            "the destination\(place) does not hold what the source gave: \(counts.missing) missing, "
                + "\(counts.different) different, \(counts.extra) only at the destination. "
                + "It was not released: a Raft directory or an archive is not put in place, any other keeps its migration "
                + "marker. "
                + "If entries are only at the destination, empty it; else look for another writer or a failing disk, and "
                + "run again.")
    }
}

/// Passes batches on and counts them for the progress display.
final class CountingScan: LinedDigestSource {
    private let inner: DigestedScan
    private let counters: ProgressCounters
    /// What a proof found of the entries so far; `nil` where none is made.
    private(set) var proof: ProofTally?

    init(_ inner: DigestedScan, _ counters: ProgressCounters) {
        self.inner = inner
        self.counters = counters
    }

    func nextBatch() throws -> DigestedBatch? {
        guard let batch = try inner.nextBatch() else { return nil }
        counters.add(entries: batch.count, bytes: batch.entries.byteCount)
        counters.setPrefix(batch.lastFolder)
        if let more = batch.proof { proof = (proof ?? ProofTally()).adding(more) }
        return batch
    }

    func next() throws -> (any DigestPage)? { try nextBatch() }

    func stop() { inner.stop() }
}

/// Processors that this process may use.
let processorCount = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
