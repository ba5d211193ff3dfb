import CSystem
import Storage
import Telemetry
import Workers

extension MigrationCopy {
    /// Threads that read over a network at once: each has an answer, its parsed form and batches at hand, about 7 MiB.
    private static let maximumRemoteReaders = 24

    /// Reads what of the source is not in its journal yet.
    func read(into journal: SourceJournal, _ pool: BatchPool, _ notes: ScanNotes, _ summary: inout MigrationSummary)
        throws
    {
        summary.entriesReadBefore = journal.entriesReadBefore
        if journal.entriesReadBefore > 0 {
            summary.remarks.append(
                "What was odd about items that an earlier run had read is not told again: -dry-run reads and tells it all."
            )
            context.logger.info(
                "going on behind what an earlier run had read", ["entries": .integer(journal.entriesReadBefore)])
        }
        let counters = context.counters
        counters.restart(
            .reading, expectedEntries: source.estimatedEntries(), expectedBytes: source.estimatedBytes(),
            done: (journal.entriesReadBefore, journal.journal.byteCount))
        var request = scanOptions(notes: notes).request
        request.includesDirectoryMarkers = source.traits.keepsDirectoryMarkers
        request.pool = pool
        let reading = JournaledRead(
            store: source, journal: journal.journal, request: request,
            readers: min(readerCount, Self.maximumRemoteReaders), known: journal.known)
        do {
            try reading.run { batch in
                counters.add(entries: batch.count, bytes: batch.byteCount)
                if batch.count > 0 { counters.setPrefix(Array(batch.key(0))) }
            }
        } catch {
            throw MigrationFailure.stage("error reading entry: ", error)
        }
        summary.sourceActivity = source.meter?.activity()
        // Each thread had an answer, its parsed form and its batches; the building of the destination has other needs.
        source.letIdleGo()
        pool.letIdleGo()
        cs_release_freed_memory()
    }

    /// Refuses, before anything is written, entries that the destination could not keep, and more than it has room for.
    func refuseOffenders(in journal: SourceJournal, _ pool: BatchPool) throws {
        var count = SizeCount()
        let choosy = targets.map(\.store).filter { !$0.rules.admitsAll(of: source.rules) }
        if !choosy.isEmpty { try refuseMisfits(in: journal, pool, for: choosy, counting: &count) }
        var size = count.size
        if size.entries == 0 { size = StoreSize(entries: journal.known?.size.entries ?? journal.journal.entryCount) }
        // What earlier passes have put into the journal and is gone since needs no room.
        size.bytes = journal.known?.size.bytes ?? journal.journal.byteCount
        // What an earlier run has written already needs no room any more.
        for target in targets where !target.replacesEntries || !(target.store is any KeyValueStore) {
            if let problem = RoomCheck(destination: target.store).problem(size) {
                throw MigrationFailure.migrating(problem)
            }
        }
    }

    private func refuseMisfits(
        in journal: SourceJournal, _ pool: BatchPool, for destinations: [any StorageDestination],
        counting count: inout SizeCount
    ) throws {
        var offenders = destinations.map { Offenders(rules: $0.rules) }
        var rivals = destinations.map { RivalCheck(source: source, rules: $0.rules) }
        let entries = JournaledEntries(
            journal: journal.journal, store: source, filter: EntryFilter(scope: options.scope),
            unlisted: options.listedOnly ? .leaveOut : .keep, known: journal.known)
        try entries.read(
            pool: pool, isCancelled: { [context] in context.cancellation.isCancelled }, note: { _ in }
        ) { batch throws(StorageError) in
            for place in offenders.indices { offenders[place].check(batch) }
            for index in 0..<batch.count {
                count.add(batch.key(index))
                for place in rivals.indices { try rivals[place].check(batch.key(index), &offenders[place]) }
            }
            pool.recycle(batch)
            return true
        }
        try Offenders.refuse(zip(offenders, destinations), listIn: state)
    }
}
