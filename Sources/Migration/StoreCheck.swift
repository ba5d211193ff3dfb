package import Barrier
package import Storage
import Synchronization
import Telemetry
import Workers

/// Compares a store by content with another one, or with a manifest, reading only.
package struct StoreCheck {
    /// What a store is held against.
    package enum Reference {
        case store(any StorageSource)
        /// With the secret of a keyed one.
        case manifest(path: String, key: ManifestKey? = nil)
    }

    private let reference: Reference
    private let destination: any StorageSource
    private let scope: KeyScope
    private let destinationScope: KeyScope
    private let context: RunContext
    private let readers: Int
    private let spillFolder: String?
    private let unlisted: ListingWalk.Treatment
    private let allowsLostEntries: Bool
    private let resumption: CheckResumption?
    private let journals: CheckJournals?
    private let barrier: OpenedBarrier?

    /// What a comparison found.
    package struct Result: Sendable {
        package var counts = ComparisonCounts()
        /// Entries of the source.
        package var totals = KeyspaceTotals()
        /// Keyspace digests of both sides, hexadecimal.
        package var sourceDigest = ""
        package var destinationDigest = ""
        package var seconds = 0.0
        /// Entries that could not be read, with the reason; the first of them.
        package var unreadable: [String] = []
        /// What else was found in the source, by kind, and the first of it.
        package var notes: [ScanNote.Reason: Int] = [:]
        package var noteExamples: [ScanNote] = []
        /// Entries of the source that were left out on purpose, by reason.
        package var leftOut: [String: Int] = [:]
        /// Entries of the source of which only the name is left.
        package var lost = LostEntries()
        /// The same of the destination.
        package var lostAtDestination = LostEntries()
        /// What an earlier run had compared and this one has not: it is in the counts, and in nothing else.
        package var earlier: CheckProgress?
        /// What a proof found of the destination's entries; `nil` if none was made.
        package var proof: ProofTally?
    }

    /// - Parameters:
    ///   - destinationScope: What of the destination counts, if not the same.
    ///   - spillFolder: Where stores that give no order are sorted, if not below `TMPDIR`.
    ///   - unlisted: What becomes of entries that the listing of the source, or of the one store, cannot see.
    ///   - resumption: Keeps the progress of two stores in key order, and gives that of an earlier run.
    ///   - journals: Keeps what is read of stores in no order, and has what an earlier run has read.
    ///   - barrier: Authenticates every entry of the destination on the way.
    ///   - allowsLostEntries: Whether entries that a crash left without content count as absent; else as unreadable.
    package init(
        _ destination: any StorageSource, against reference: Reference, scope: KeyScope,
        destinationScope: KeyScope? = nil,
        context: RunContext,
        readers: Int = 8, spillFolder: String? = nil, unlisted: ListingWalk.Treatment = .keep,
        allowsLostEntries: Bool = false, resumption: CheckResumption? = nil, journals: CheckJournals? = nil,
        barrier: OpenedBarrier? = nil
    ) {
        self.reference = reference
        self.destination = destination
        self.scope = resumption?.remaining(of: scope) ?? scope
        self.destinationScope = destinationScope ?? self.scope
        self.resumption = resumption
        self.journals = journals
        self.context = context
        self.readers = readers
        self.spillFolder = spillFolder
        self.unlisted = unlisted
        self.allowsLostEntries = allowsLostEntries
        self.barrier = barrier
    }

    /// Runs the comparison.
    ///
    /// - Parameter report: Told of every key in order; at the end of those that neither side could read. Against a keyed
    ///   manifest the order is that of the hashed keys, and a key that only the manifest has is told as its hash.
    package func run(
        report: (Verdict, UnsafeRawBufferPointer) throws -> Void = { _, _ in }
    ) throws -> Result {
        let clock = ContinuousClock()
        let begin = clock.now
        context.counters.restart(.comparing)
        let unreadable = UnreadableEntries()
        let notes = ScanNotes(scope: scope)
        let notesAtDestination = ScanNotes(scope: scope)
        let filter = EntryFilter(scope: scope)
        var hashed: HashedNames?
        let (left, right): (any SummedSource, any SummedSource)
        switch reference {
        case .store(let source):
            let first = options(source, unreadable, filter, notes, unlisted)
            let second = options(
                destination, unreadable, EntryFilter(scope: destinationScope), notesAtDestination, .keep, barrier)
            let kept = try read(source, first, Self.sourceName)
            let keptToo = try read(destination, second, Self.destinationName)
            if kept != nil || keptToo != nil { context.counters.restart(.comparing) }
            left = try DigestingSource(scan(source, first, kept), context.counters)
            right = try DigestingSource(scan(destination, second, keptToo), nil)
        case .manifest(let path, let key):
            // What is damaged is told before anything is compared with it, unless it can be read only once.
            if SavedManifest.canBeReadTwice(path) { try SavedManifest.verify(path, key: key) }
            left = try SavedManifest(path: path, scope: scope, key: key)
            let store = try DigestingSource(
                scan(destination, options(destination, unreadable, filter, notes, unlisted)), context.counters)
            let isCancelled = { @Sendable [cancellation = context.cancellation] in cancellation.isCancelled }
            right = try key.map { try KeyedStore(store, $0, spillFolder, isCancelled: isCancelled) } ?? store
            hashed = key.map { HashedNames($0) { unreadable.keys } }
        }
        defer {
            left.stop()
            right.stop()
        }
        var result = Result()
        result.earlier = resumption?.earlier
        for difference in result.earlier?.differences ?? [] {
            try difference.key.bytes.withUnsafeBytes { try report(difference.verdict, $0) }
        }
        let isClean = { unreadable.isEmpty && notes.isEmpty && notesAtDestination.isEmpty }
        result.counts = try Comparison(source: left, destination: right).run(
            amend: { verdict, name in
                let key = verdict == .missing ? hashed?.key(of: name) : nil
                let isUnreadable =
                    key.map { $0.bytes.withUnsafeBytes(unreadable.contains) } ?? unreadable.contains(name)
                return isUnreadable ? .unreadable : verdict
            },
            report: { verdict, name in
                let key = verdict == .unreadable ? hashed?.key(of: name) : nil
                guard let key else {
                    try report(verdict, name)
                    try resumption?.pass(verdict, name, isClean: isClean)
                    return
                }
                try key.bytes.withUnsafeBytes { try report(verdict, $0) }
            })
        if let earlier = result.earlier { result.counts = earlier.counts.adding(result.counts) }
        // Keys that neither side could read never came up in the comparison.
        for key in unreadable.notAmended() {
            result.counts.unreadable += 1
            try key.bytes.withUnsafeBytes { try report(.unreadable, $0) }
        }
        result.sourceDigest = try left.finish()
        result.destinationDigest = try right.finish()
        if case .store = reference { result.totals = left.totals } else { result.totals = right.totals }
        result.proof = (right as? DigestingSource)?.proof
        result.seconds = (clock.now - begin) / .seconds(1)
        result.unreadable = unreadable.messages
        result.notes = notes.counts
        result.noteExamples = notes.examples
        result.leftOut = filter.leftOut
        result.lost = notes.lost
        result.lostAtDestination = notesAtDestination.lost
        return result
    }

    /// The sides' names in files of ``CheckJournals``.
    package static let sourceName = "source"
    package static let destinationName = "destination"

    /// Reads a store into the journal that is kept of it; `nil` if none is.
    private func read(_ store: any StorageSource, _ options: DigestedScan.Options, _ side: String) throws
        -> EntryJournal?
    {
        guard let journals, journals.keeps(side) else { return nil }
        context.counters.restart(
            .reading, expectedEntries: store.estimatedEntries(), expectedBytes: store.estimatedBytes())
        let journal = try journals.read(store, side, options.request) { [counters = context.counters] batch in
            counters.add(entries: batch.count, bytes: batch.byteCount)
            if batch.count > 0 { counters.setPrefix(Array(batch.key(0))) }
        }
        if journals.hasForgotten(side) {
            context.logger.warn(
                "nothing is kept of what was read: it holds what is told while it is read only",
                ["side": .string(side), "store": .string("\(store.kind) \(store.location)")])
        }
        return journal
    }

    private func scan(
        _ store: any StorageSource, _ options: DigestedScan.Options, _ journal: EntryJournal? = nil
    ) -> DigestedScan {
        var options = options
        options.journal = journal
        return DigestedScan(store, options)
    }

    private func options(
        _ store: any StorageSource, _ unreadable: UnreadableEntries, _ filter: EntryFilter, _ notes: ScanNotes,
        _ unlisted: ListingWalk.Treatment, _ barrier: OpenedBarrier? = nil
    ) -> DigestedScan.Options {
        var options = DigestedScan.Options()
        options.barrier = barrier
        options.request.readers = readers
        options.request.isCancelled = { [cancellation = context.cancellation] in cancellation.isCancelled }
        options.request.passesOver = { [scope] error in
            // What is out of it was perhaps read all the same.
            if let key = error.key, !scope.contains(key) { return true }
            return unreadable.add(error)
        }
        options.request.note = { [allowsLostEntries] note in
            notes.add(note)
            guard note.reason == .zeroLengthFile, let key = note.key, notes.isConcern(key), !allowsLostEntries else {
                return
            }
            _ = unreadable.add(
                StorageError(
                    .damagedEntry,
                    "\(note.place) has zero length: the entry \(key) is lost. Restore the file from a backup.", key: key
                ))
        }
        if let sample = filter.scope.sample { options.request.wants = { sample.contains($0) } }
        options.filter = filter
        options.writesManifestLines = true
        options.spillFolder = spillFolder
        options.unlisted = unlisted
        return options
    }
}
