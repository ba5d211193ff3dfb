import Files
import Glibc
import Storage
import Telemetry

/// A migration between two open stores, phase by phase. Each phase ends in a state from which the same command goes on,
/// whatever kills it:
///
/// | Phase | What it leaves, if it is killed there | What the next run does |
/// | --- | --- | --- |
/// | ``findEarlierRun()`` | a state folder | begins again |
/// | ``confirmProven()`` | what was there: a proven destination, markers | confirms again |
/// | ``look()`` | nothing | begins again |
/// | ``guardStores()`` | a building folder, markers of this job, an empty journal | takes them for its own |
/// | ``copyAndProve()`` | the same, entries under a marker or in the building folder, what the journal holds | reads on behind the journal, replaces entries, builds anew |
/// | ``conclude(tell:)`` | a proven destination and `proven` in the state folder | confirms it, and tells of it |
final class MigrationPhases {
    private let source: any StorageSource
    private let destination: any StorageDestination
    /// Opens what stands under the destination's name to be read.
    private let reopening: () throws(MigrationFailure) -> any StorageSource
    private let options: MigrationOptions
    private let context: RunContext
    private let preflight: Preflight
    private let markers: MarkerKeeper
    /// The fingerprint of the two stores.
    private let job: String
    private let statePath: String
    private var isContinuation = false
    private var summary: MigrationSummary

    /// - Throws: If both sides are one store, or no place for the run's state can be found.
    init(
        source: any StorageSource, destination: any StorageDestination,
        reopening: @escaping () throws(MigrationFailure) -> any StorageSource, options: MigrationOptions,
        context: RunContext, stop: StopRequest, remarks: [String]
    ) throws {
        self.source = source
        self.destination = destination
        self.reopening = reopening
        self.options = options
        self.context = context
        preflight = Preflight(source: source, destination: destination, options: options, context: context)
        try preflight.refuseSameStore()
        job = try StateFolder.fingerprint(source: source.identity, destination: destination.identity)
        markers = MarkerKeeper(source: source, destination: destination, job: job, options: options, stop: stop)
        statePath = try Self.statePath(source, destination, job, options, context)
        summary = MigrationSummary()
        summary.sourceKind = source.kind
        summary.sourceLocation = source.location
        summary.destinationKind = destination.kind
        summary.destinationLocation = destination.location
        summary.start = options.start
        summary.remarks = remarks
    }

    /// Reads the whole source and writes nothing.
    ///
    /// - Returns: What a run would do.
    func rehearse() throws -> MigrationSummary {
        isContinuation = try markers.check()
        var findings = try preflight.look(isContinuation: isContinuation)
        do throws(StorageError) {
            try StateFolderContents.check(statePath, job, probesLock: true)
        } catch {
            findings.obstacles.append(error.message)
        }
        summary.remarks += findings.remarks
        summary.isDryRun = true
        summary.isContinuation = isContinuation
        let rehearsal = try preflight.readAll(into: &summary, after: findings.survey)
        try preflight.refuseObstacles(findings.adding(rehearsal), listIn: nil)
        describeSeal()
        return summary
    }

    /// Runs all phases.
    func run(tell: (MigrationSummary) throws -> Void) throws {
        let name = "\(source.kind) \(source.location) -> \(destination.kind) \(destination.location)"
        let state = try StateFolder(path: statePath, fingerprint: job, job: name)
        defer { state.close() }
        let findings: Preflight.Findings
        do {
            try findEarlierRun()
            if try confirmProven(state) { return try conclude(state, tell: tell) }
            findings = try look(state)
            try destination.claim("\(MigrationMarker.processName) (\(name))")
        } catch {
            state.discardIfNew()
            throw error
        }
        let journal = try openJournal(state, isSourceInUse: findings.isSourceInUse)
        defer { journal?.journal.close() }
        let marker = try guardStores(journal)
        try copyAndProve(journal, marker, state)
        try conclude(state, tell: tell)
    }

    /// Looks for what an earlier run of this job left on the two sides.
    private func findEarlierRun() throws {
        isContinuation = try markers.check()
        if options.hasReadOnlySource, try source.get(.migrationMarker) != nil {
            summary.remarks.append(
                "The source carries the migration marker of an earlier run, which -read-only-source leaves where it "
                    + "is: no server starts on the source until -reset has removed it.")
        }
    }

    /// A run that was killed after its destination was proven: holds both sides against each other once more, and tidies up.
    ///
    /// - Returns: Whether the destination is there, whole and equal to the source; then nothing is left to do.
    private func confirmProven(_ state: StateFolder) throws -> Bool {
        let before = summary
        guard state.hasProvenRun, try confirm(state) else {
            summary = before
            state.remove(StateFolder.provenName)
            return false
        }
        // What the run that was killed said of its source holds as before, and needs the same flags.
        let again = try preflight.lookAtSource()
        try preflight.refuseObstacles(again, listIn: state)
        summary.remarks += again.remarks
        destination.removeRemains()
        try markers.clearDestination()
        summary.remarks += markers.clearSource(context.logger)
        EntryJournal.remove(at: SourceJournal.path(in: state))
        return true
    }

    /// Looks at both sides before anything is written.
    private func look(_ state: StateFolder) throws -> Preflight.Findings {
        let findings = try preflight.look(isContinuation: isContinuation)
        try preflight.refuseObstacles(findings, listIn: state)
        summary.remarks += findings.remarks
        summary.isContinuation = isContinuation
        return findings
    }

    /// Keeps servers and other runs from both sides.
    ///
    /// - Returns: The marker that was set.
    private func guardStores(_ journal: SourceJournal?) throws -> [UInt8] {
        let marker = markers.newMarker()
        try journal?.expect(marker: marker)
        try markers.set(marker)
        return marker
    }

    /// Copies, reads the destination back and puts it in place. The source's marker is taken back, whatever comes.
    private func copyAndProve(_ journal: SourceJournal?, _ marker: [UInt8], _ state: StateFolder) throws {
        do {
            // Told in the result as well, however the run ends.
            defer { summary.remarks += markers.clearSource(context.logger) }
            let copy = MigrationCopy(
                source: source, destination: destination, options: options, context: context, state: state,
                journal: journal, checkSource: { [markers] in try markers.checkSource(marker) })
            try preflight.refuseWhatCame(isContinuation: isContinuation) { try markers.clearDestination() }
            try copy.run(replacesEntries: isContinuation || options.start != nil, into: &summary)
            try markers.clearDestination()
        } catch {
            keep(journal, after: error)
            summary.sourceActivity = source.meter?.activity()
            do {
                try RunReport(summary, version: context.version, failure: "\(error)").write(in: state)
            } catch {
                // The run's own failure matters more and is about to be told.
                context.logger.warn("the report could not be written", ["error": .string("\(error)")])
            }
            throw error
        }
        journal?.journal.remove()
    }

    /// Writes the report and tells of the outcome, while a kill would still be taken up by the next run.
    private func conclude(_ state: StateFolder, tell: (MigrationSummary) throws -> Void) throws {
        describeSeal()
        // Markers have been asked for and taken back since the source was read.
        summary.sourceActivity = source.meter?.activity()
        summary.destinationActivity = destination.meter?.activity()
        summary.manifestPath = state.manifestPath
        summary.reportPath = state.reportPath
        do {
            try RunReport(summary, version: context.version, failure: nil).write(in: state)
        } catch {
            // The destination is proven and in place; a run that failed for its report would never end otherwise.
            context.logger.warn("the report could not be written", ["error": .string("\(error)")])
            summary.reportPath = nil
            summary.remarks.append("The report could not be written (\(error)); the migration is done all the same.")
        }
        try tell(summary)
        state.remove(StateFolder.provenName)
    }
}

extension MigrationPhases {
    /// The state folder's path, which must not touch a store of the run.
    private static func statePath(
        _ source: any StorageSource, _ destination: any StorageDestination, _ job: String,
        _ options: MigrationOptions, _ context: RunContext
    ) throws -> String {
        let named =
            if let folder = options.stateFolder { folder } else {
                try StateFolder.defaultPath(
                    destination: destination, fingerprint: job, environment: context.environment)
            }
        let path = resolvedPath(named)
        for store in [source, destination] as [any StorageBackend] {
            guard let place = store.identity.path, liesWithin(path, place) || liesWithin(place, path) else { continue }
            throw MigrationFailure.migrating(
                "the state folder \(path) and the \(store.kind) store \(place) lie within one another: manifest, report and "
                    + "lock would mix with its entries. Name another folder with -state-dir.")
        }
        return path
    }

    /// The journal of a source that is read over a network.
    private func openJournal(_ state: StateFolder, isSourceInUse: Bool) throws -> SourceJournal? {
        guard source.isRemote else { return nil }
        return try SourceJournal(
            source, partitionCount: options.maximumParallel, job: job, in: state, options: options,
            isSourceInUse: isSourceInUse, logger: context.logger)
    }

    /// Leaves the journal to the next run, and says so.
    private func keep(_ journal: SourceJournal?, after error: any Error) {
        guard let journal else { return }
        if journal.isSourceInUse { return journal.journal.remove() }
        let entries = journal.journal
        // What was compared and differs may have been changed by a failing disk below the journal.
        if let failure = error as? MigrationFailure, failure.kind == .differences { return entries.remove() }
        guard entries.entryCount > 0 else { return }
        context.logger.info(
            "what was read is kept and taken up with -source-unchanged, or while the source carries this run's marker",
            ["entries": .integer(entries.entryCount)])
    }

    /// Compares both sides once more.
    private func confirm(_ state: StateFolder) throws -> Bool {
        let written: any StorageSource
        do throws(MigrationFailure) {
            written = try reopening()
        } catch {
            // A server that was started on it since may have changed it, and what was proven of it is still to be told.
            if error.concernsStoreInUse { throw error }
            return false
        }
        defer { written.close() }
        let check = StoreCheck(
            source: source, destination: written, start: options.start, context: context,
            readers: options.maximumParallel, spillFolder: state.path,
            unlisted: options.listedOnly ? .leaveOut : .keep, allowsLostEntries: options.allowsLostEntries)
        let result = try check.run()
        guard result.counts.isAllSame, result.totals.entries > 0 else { return false }
        summary.isContinuation = true
        summary.totals = result.totals
        summary.comparison = result.counts
        summary.leftOut = result.leftOut
        summary.notes = result.notes
        summary.noteExamples = result.noteExamples
        summary.unlistedPath = access(state.unlistedPath, F_OK) == 0 ? state.unlistedPath : nil
        summary.lost = result.lost
        summary.lostPath = access(state.lostPath, F_OK) == 0 ? state.lostPath : nil
        summary.sourceActivity = source.meter?.activity()
        summary.keyspaceDigest = result.sourceDigest
        summary.seconds = result.seconds
        summary.copySeconds = 0
        return true
    }

    /// Says how the store is sealed, and with it what its server needs.
    private func describeSeal() {
        summary.seal = SealReading.read(source)
        summary.remarks += summary.seal?.remarks ?? []
        summary.guide = destination.serverGuide(largestEntry: summary.totals.largestEntry, seal: summary.seal)
    }
}
