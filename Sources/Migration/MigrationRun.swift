import Files
import Glibc
package import Storage
import Synchronization
import Telemetry
import Workers

/// One `operator migrate`: opens both sides, looks before it writes, copies, proves, and only then lets go.
///
/// The order of operations is the stock command's, with the look at both sides and the proof added.
package final class MigrationRun {
    private let configuration: ConfigurationFile
    private let drivers: [BackendDriver]
    private let options: MigrationOptions
    private let context: RunContext
    private let stop: StopRequest

    package init(
        configuration: ConfigurationFile, drivers: [BackendDriver], options: MigrationOptions, context: RunContext
    ) {
        self.configuration = configuration
        self.drivers = drivers
        self.options = options
        self.context = context
        self.stop = StopRequest(context.cancellation)
    }

    /// Removes the migration marker from the source.
    package func reset() throws(MigrationFailure) {
        let (sourceConfiguration, destinationConfiguration, _) = try readConfiguration()
        _ = try checkOptions(sourceConfiguration, destinationConfiguration)
        let source = try sourceConfiguration.open(drivers, .source(writesMarker: true))
        defer { source.close() }
        do throws(StorageError) {
            try source.delete(.migrationMarker)
        } catch {
            throw .migrating("error resetting migration lock: \(error)")
        }
    }

    /// Migrates, or with ``MigrationOptions/isDryRun`` only says what would be done.
    ///
    /// - Parameter tell: Told of the outcome while a kill would still be taken up by the next run: whoever was not told
    ///   of success finds the job unfinished and can run it again. An error of it means that nobody was told.
    /// - Throws: The failure with its exit code. The source is as it was, the destination absent or guarded.
    package func run(tell: (MigrationSummary) throws -> Void) throws(MigrationFailure) {
        let (sourceConfiguration, destinationConfiguration, clusterAddress) = try readConfiguration()
        var remarks = try checkOptions(sourceConfiguration, destinationConfiguration)
        try refuseStart(destinationConfiguration)
        let isCancelled: @Sendable () -> Bool = { [stop] in stop.isSet }
        let source = try sourceConfiguration.open(
            drivers, .source(writesMarker: !options.hasReadOnlySource && !options.isDryRun), isCancelled: isCancelled)
        defer { source.close() }
        let destination = try destinationConfiguration.open(
            drivers,
            .destination(
                DestinationContext(
                    clusterAddress: clusterAddress, isPractice: options.isPractice, isDryRun: options.isDryRun)),
            isCancelled: isCancelled)
        defer { destination.close() }
        context.counters.follow {
            let activities = [source.activity(), destination.activity()].compactMap { $0 }
            return ProgressCounters.ServiceTrouble(
                retries: activities.reduce(0) { $0 + $1.retries }, throttles: activities.reduce(0) { $0 + $1.throttles }
            )
        }
        defer { context.counters.follow(nil) }
        remarks += source.remarks
        if let start = options.start {
            let verb = options.isDryRun ? "are" : "were"
            remarks.append("-start: keys that sort before \(start) \(verb) neither copied nor compared.")
        }
        for remark in remarks { context.logger.info("remark", ["about": .string(remark)]) }
        do {
            try run(source, destination, destinationConfiguration, remarks: remarks, tell: tell)
        } catch {
            throw MigrationFailure.stage("", error)
        }
    }

    /// Refuses to put a part of a store where only a whole one can stand.
    private func refuseStart(_ destination: ConfiguredStore) throws(MigrationFailure) {
        guard let start = options.start,
            let driver = drivers.first(where: { $0.kind == destination.type }), driver.isBuiltWhole
        else { return }
        throw .migrating(
            "-start \(start) would put a part of the store into a \(destination.type) directory, which is built whole and "
                + "never added to. Nothing was read or written. Run without -start: a run that was cut off is taken up "
                + "by itself. To copy a part, name another kind of destination.")
    }

    /// - Returns: Sentences about options that have no effect.
    private func checkOptions(_ sides: ConfiguredStore...) throws(MigrationFailure) -> [String] {
        var remarks: [String] = []
        for side in sides {
            if let driver = drivers.first(where: { $0.kind == side.type }) { remarks += try side.checkOptions(driver) }
        }
        return remarks
    }

    private func readConfiguration() throws(MigrationFailure) -> (ConfiguredStore, ConfiguredStore, String?) {
        let source = try configuration.store("storage_source")
        let destination = try configuration.store("storage_destination")
        return (source, destination, try configuration.clusterAddress())
    }

    private func run(
        _ source: any StorageBackend, _ destination: any StorageBackend,
        _ destinationConfiguration: ConfiguredStore, remarks: [String], tell: (MigrationSummary) throws -> Void
    ) throws {
        let preflight = Preflight(source: source, destination: destination, options: options, context: context)
        try preflight.refuseSameStore()
        let job = try StateFolder.fingerprint(source: source.identity, destination: destination.identity)
        let markers = MarkerKeeper(source: source, destination: destination, job: job, options: options, stop: stop)
        let path = try statePath(source, destination, job)
        if options.isDryRun {
            let isContinuation = try markers.check()
            return try tell(
                try dryRun(preflight, isContinuation: isContinuation, remarks: remarks, state: path, job: job))
        }
        let name = "\(source.kind) \(source.location) -> \(destination.kind) \(destination.location)"
        let state = try StateFolder(path: path, fingerprint: job, job: name)
        defer { state.close() }
        let isContinuation: Bool
        var remarks = remarks
        let findings: Preflight.Findings
        do {
            isContinuation = try markers.check()
            if options.hasReadOnlySource, try source.get(.migrationMarker) != nil {
                remarks.append(
                    "The source carries the migration marker of an earlier run, which -read-only-source leaves where it "
                        + "is: no server starts on the source until -reset has removed it.")
            }
            var done = makeSummary(source, destination, remarks: remarks)
            if state.hasProvenRun, try confirm(source, destination, destinationConfiguration, state, into: &done) {
                // What the run that was killed said of its source holds as before, and needs the same flags.
                let again = try preflight.lookAtSource()
                try preflight.refuseObstacles(again, listIn: state)
                done.remarks += again.remarks
                destination.removeRemains()
                try markers.clearDestination()
                done.remarks += markers.clearSource(context.logger)
                EntryJournal.remove(at: SourceJournal.path(in: state))
                return try conclude(&done, source, destination, state, tell: tell)
            }
            state.remove(StateFolder.provenName)
            findings = try preflight.look(isContinuation: isContinuation)
            try preflight.refuseObstacles(findings, listIn: state)
            try destination.claim("\(MigrationMarker.processName) (\(name))")
        } catch {
            state.discardIfNew()
            throw error
        }
        var summary = makeSummary(source, destination, remarks: remarks + findings.remarks)
        summary.isContinuation = isContinuation
        let journal = try openJournal(source, job, state, isSourceInUse: findings.isSourceInUse)
        defer { journal?.journal.close() }
        let marker = markers.newMarker()
        try journal?.expect(marker: marker)
        try markers.set(marker)
        do {
            // Told in the result as well, however the run ends.
            defer { summary.remarks += markers.clearSource(context.logger) }
            let copy = MigrationCopy(
                source: source, destination: destination, options: options, context: context, state: state,
                journal: journal, checkSource: { try markers.checkSource(marker) })
            try preflight.refuseWhatCame(isContinuation: isContinuation) { try markers.clearDestination() }
            try copy.run(replacesEntries: isContinuation || options.start != nil, into: &summary)
            try markers.clearDestination()
        } catch {
            keep(journal, after: error)
            summary.sourceActivity = source.activity()
            writeReport(summary, failure: "\(error)", in: state)
            throw error
        }
        journal?.journal.remove()
        try conclude(&summary, source, destination, state, tell: tell)
    }

    /// The state folder's path, which must not touch a store of the run.
    private func statePath(
        _ source: any StorageBackend, _ destination: any StorageBackend, _ job: String
    ) throws -> String {
        let named =
            if let folder = options.stateFolder { folder } else {
                try StateFolder.defaultPath(
                    destination: destination, fingerprint: job, environment: context.environment)
            }
        let path = resolvedPath(named)
        for store in [source, destination] {
            guard let place = store.identity.path, liesWithin(path, place) || liesWithin(place, path) else { continue }
            throw MigrationFailure.migrating(
                "the state folder \(path) and the \(store.kind) store \(place) lie within one another: manifest, report and "
                    + "lock would mix with its entries. Name another folder with -state-dir.")
        }
        return path
    }

    /// The journal of a source that is read over a network and in no order.
    private func openJournal(
        _ source: any StorageBackend, _ job: String, _ state: StateFolder, isSourceInUse: Bool
    ) throws -> SourceJournal? {
        guard source.capabilities.isRemote, !source.capabilities.ascendingScan else { return nil }
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

    private func conclude(
        _ summary: inout MigrationSummary, _ source: any StorageBackend, _ destination: any StorageBackend,
        _ state: StateFolder, tell: (MigrationSummary) throws -> Void
    ) throws {
        describeSeal(of: source, destination, in: &summary)
        // Markers have been asked for and taken back since the source was read.
        summary.sourceActivity = source.activity()
        summary.destinationActivity = destination.activity()
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

    /// A run that was killed after its destination was proven: holds both sides against each other once more.
    ///
    /// - Returns: Whether the destination is there, whole and equal to the source; then nothing is left to do.
    private func confirm(
        _ source: any StorageBackend, _ destination: any StorageBackend, _ configuration: ConfiguredStore,
        _ state: StateFolder, into summary: inout MigrationSummary
    ) throws -> Bool {
        let written: any StorageBackend
        do throws(MigrationFailure) {
            written = try configuration.open(drivers, .source(writesMarker: false))
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
        summary.sourceActivity = source.activity()
        summary.keyspaceDigest = result.sourceDigest
        summary.seconds = result.seconds
        summary.copySeconds = 0
        return true
    }

    private func writeReport(_ summary: MigrationSummary, failure: String, in state: StateFolder) {
        do {
            try RunReport(summary, version: context.version, failure: failure).write(in: state)
        } catch {
            // The run's own failure matters more and is about to be told.
            context.logger.warn("the report could not be written", ["error": .string("\(error)")])
        }
    }

    private func makeSummary(
        _ source: any StorageBackend, _ destination: any StorageBackend, remarks: [String]
    ) -> MigrationSummary {
        var summary = MigrationSummary()
        summary.sourceKind = source.kind
        summary.sourceLocation = source.location
        summary.destinationKind = destination.kind
        summary.destinationLocation = destination.location
        summary.start = options.start
        summary.remarks = remarks
        return summary
    }

    /// Reads the whole source and writes nothing.
    private func dryRun(
        _ preflight: Preflight, isContinuation: Bool, remarks: [String], state: String, job: String
    ) throws -> MigrationSummary {
        var findings = try preflight.look(isContinuation: isContinuation)
        do throws(StorageError) {
            try StateFolderContents.check(state, job, probesLock: true)
        } catch {
            findings.obstacles.append(error.message)
        }
        var summary = makeSummary(preflight.source, preflight.destination, remarks: remarks + findings.remarks)
        summary.isDryRun = true
        summary.isContinuation = isContinuation
        let rehearsal = try preflight.readAll(into: &summary, after: findings.survey)
        try preflight.refuseObstacles(findings.adding(rehearsal), listIn: nil)
        describeSeal(of: preflight.source, preflight.destination, in: &summary)
        return summary
    }

    /// Says how the store is sealed, and with it what its server needs.
    private func describeSeal(
        of source: any StorageBackend, _ destination: any StorageBackend, in summary: inout MigrationSummary
    ) {
        summary.seal = SealReading.read(source)
        summary.remarks += summary.seal?.remarks ?? []
        summary.guide = destination.serverGuide(largestEntry: summary.totals.largestEntry, seal: summary.seal)
    }
}
