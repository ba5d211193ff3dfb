import Barrier
import Files
import Glibc
import Storage
import Telemetry
import Workers

/// A migration from one open store to others, phase by phase. Each phase ends in a state from which the same command goes on,
/// whatever kills it:
///
/// | Phase | What it leaves, if it is killed there | What the next run does |
/// | --- | --- | --- |
/// | ``findEarlierRun()`` | a state folder | begins again |
/// | ``confirmProven()`` | what was there: a proven destination, markers | confirms again |
/// | ``look()`` | nothing | begins again |
/// | ``guardStores()`` | a building folder, markers of this job, an empty journal | takes them for its own |
/// | ``copyAndProve()`` | the same, entries under a marker or in the building folder, what the journal holds | reads on behind the journal, replaces entries, builds anew |
/// | ``conclude(tell:)`` | proven destinations, not all of them in place perhaps, and `proven` in the state folder | confirms those that are in place, fills the others, and tells of all |
final class MigrationPhases {
    /// A destination, and what belongs to it alone.
    struct Target {
        let store: any StorageDestination
        /// Opens what stands under the destination's name to be read.
        let reopening: () throws(MigrationFailure) -> any StorageSource
    }

    private let source: any StorageSource
    private let targets: [Target]
    var options: MigrationOptions
    let context: RunContext
    private var preflights: [Preflight]
    private let markers: MarkerKeeper
    /// The fingerprint of the stores.
    private let job: String
    private let statePath: String
    /// For each target, whether an earlier run of this job was cut off while it filled it.
    private var areContinued: [Bool]
    /// Whether a destination carried this job's marker when the run began.
    private var wasMarked = false
    /// What was made for `core/raft/tls`, which the source lacks; `nil` if nothing was.
    var keyRing: [UInt8]?
    /// Targets that are not filled, proven and in place yet.
    private var pending: [Int]
    var summary: MigrationSummary { didSet { context.watcher?.show(summary) } }
    /// Takes samples while the run goes on.
    private var sampler: ProgressSampler?

    /// - Parameter targets: One at least; all are filled from one pass over the source.
    /// - Throws: If two of the stores are one, or no place for the run's state can be found.
    init(
        source: any StorageSource, targets: [Target], options: MigrationOptions, context: RunContext,
        stop: StopRequest, remarks: [String]
    ) throws {
        self.source = source
        self.targets = targets
        let options = options.ofTheirMode
        self.options = options
        self.context = context
        try Self.refuseMissingEssentials(options)
        try Self.refuseBackup(of: source, options)
        try Self.refuseRepair(of: targets.map(\.store), from: source, options)
        let stores = targets.map(\.store)
        preflights = stores.map {
            Preflight(source: source, destination: $0, options: options, context: context)
        }
        for preflight in preflights { try preflight.refuseSameStore() }
        try Self.refuseSharedPlaces(stores)
        job = try StateFolder.fingerprint(source: source.identity, destinations: stores.map(\.identity))
        markers = MarkerKeeper(source: source, destinations: stores, job: job, options: options, stop: stop)
        statePath = try Self.statePath(source, stores, job, options, context)
        areContinued = stores.map { _ in false }
        pending = Array(stores.indices)
        summary = MigrationSummary()
        summary.sourceKind = source.kind
        summary.sourceLocation = source.location
        summary.destinations = stores.map { DestinationOutcome($0) }
        summary.scope = options.scope
        summary.remarks = remarks
        if options.scope.leavesOutLeases {
            summary.remarks.append(Self.drillsOnly + (options.scope.dropsLeases ? "" : Self.leasesOfNamespaces))
        }
    }

    /// Reads the whole source and writes nothing.
    ///
    /// - Returns: What a run would do.
    func rehearse() throws -> MigrationSummary {
        context.watcher?.show(summary)
        areContinued = try markers.check()
        var findings = try lookAtAll()
        do throws(StorageError) {
            try StateFolderContents.check(statePath, options.discardsState ? nil : job, probesLock: true)
        } catch {
            findings.obstacles.append(error.message)
        }
        (summary.remarks, summary.seal) = (summary.remarks + findings.remarks, findings.seal)
        summary.isDryRun = true
        summary.isContinuation = areContinued.contains(true)
        // What one destination was asked about says nothing of the others.
        let survey = targets.count == 1 ? findings.survey : .none
        var rehearsal = try preflights[0].readAll(into: &summary, after: survey)
        // Nodes of one cluster take what the first of them takes.
        for preflight in preflights.dropFirst() where preflight.destination.kind != targets[0].store.kind {
            var again = summary
            let more = try preflight.readAll(into: &again, after: survey)
            rehearsal += more.filter { !rehearsal.contains($0) }
        }
        try Preflight.refuseObstacles(findings.adding(rehearsal), context)
        try summary.proof?.demand(of: summary.totals.entries)
        describeSeal()
        return summary
    }

    private static let drillsOnly =
        "Leases (sys/expire/) are left out: this copy is for drills only. A server on it revokes nothing that the "
        + "source's "
        + "leases stand for, and does not know what it would have to."
    private static let leasesOfNamespaces =
        " Leases of OpenBao's namespaces lie in namespaces/ID/sys/expire/, and are in the copy unless that is left out as "
        + "well; `sealift drill` leaves all of them out."

    /// Runs all phases.
    func run(tell: (MigrationSummary) throws -> Void) throws {
        let places = targets.map { "\($0.store.kind) \($0.store.location)" }.joined(separator: ", ")
        let name = "\(source.kind) \(source.location) -> \(places)"
        let state = try StateFolder(
            path: statePath, fingerprint: job, job: name, discardsEarlier: options.discardsState)
        defer { state.close() }
        context.watcher?.show(summary)
        sampler = ProgressSampler(context.counters)
        defer { sampler?.stop() }
        var findings: Preflight.Findings
        do {
            try findEarlierPass(state)
            try findEarlierRun()
            if try confirmProven(state) {
                summary.sourceBackup = try Self.notedBackup(in: state)
                return try conclude(state, tell: tell)
            }
            // Without its marker a store is not as a run that was cut off left it, and is looked at like any other.
            if !wasMarked { state.remove(StateFolder.writingName) }
            findings = try look(state)
            for index in pending { try targets[index].store.claim("\(MigrationMarker.processName) (\(name))") }
        } catch {
            state.discardIfNew()
            throw error
        }
        if try backUpSource(source, state, isUntouched: markers.hasOwnOnSource || options.isSourceUnchanged) {
            // That may have taken a while, in which a server can have started.
            findings = try preflights[pending.first ?? 0].lookAtSource()
            try Preflight.refuseObstacles(findings, context)
        }
        // Before anything is read with it.
        if let keyRing { try state.write(StateFolder.keyRingName, keyRing) }
        let journal = try openJournal(state, isSourceInUse: findings.isSourceInUse)
        defer { journal?.journal.close() }
        let outage = ContinuousClock.now
        let marker = try guardStores(journal, state)
        try copyAndProve(journal, marker, state)
        try describePass(since: outage, state)
        try conclude(state, tell: tell)
    }

    /// Looks for what an earlier run of this job left on the two sides.
    private func findEarlierRun() throws {
        areContinued = try markers.check()
        wasMarked = areContinued.contains(true)
        if let mode = markers.seenMode, mode != options.mode.rawValue {
            let command = mode == MigrationMode.repair.rawValue ? "sealift repair" : "sealift operator \(mode)"
            throw MigrationFailure.migrating(
                "a \(mode) of a destination that was whole before was cut off. Go on with it: \(command), with the "
                    + "same flags."
            )
        }
        for index in preflights.indices { preflights[index].carriesOwnMarker = wasMarked }
        if options.mode.concernsWholeDestination {
            areContinued = areContinued.map { _ in true }
        }
        if options.mode == .warm, try source.get(.migrationMarker) != nil {
            throw MigrationFailure.migrating(
                "the source carries the marker of a pass that stops its servers, and was cut off. Go on with it: "
                    + "-mode=final. To "
                    + "let the servers start again instead, remove the marker with -reset.")
        }
        if options.hasReadOnlySource, try source.get(.migrationMarker) != nil {
            summary.remarks.append(
                "The source carries the migration marker of an earlier run, which -read-only-source leaves where it "
                    + "is: no server starts on the source until -reset has removed it.")
        }
    }

    /// A run that was killed after its destinations were proven: holds those that are in place against the source once more,
    /// and tidies up.
    ///
    /// - Returns: Whether all destinations are there, whole and equal to the source; then nothing is left to do.
    private func confirmProven(_ state: StateFolder) throws -> Bool {
        let isRepeat =
            !state.hasProvenRun && state.isDone && [.whole, .final].contains(options.mode) && options.start == nil
        guard state.hasProvenRun || isRepeat else { return false }
        let unread = summary
        for index in targets.indices {
            let before = summary
            guard try confirm(targets[index], index, state) else {
                summary = before
                continue
            }
            pending.removeAll { $0 == index }
        }
        if isRepeat, !pending.isEmpty {
            // Something has become of it since; what is there now is looked at like anything else.
            pending = Array(targets.indices)
            summary = unread
            return false
        }
        summary.isRepeat = isRepeat
        // While some are in place, the next run must know that they need not be empty.
        guard pending.count < targets.count else {
            state.remove(StateFolder.provenName)
            return false
        }
        // What the run that was killed said of its source holds as before, and needs the same flags.
        var again = Preflight.Findings()
        for preflight in preflights { again.merge(try preflight.lookAtSource()) }
        try Preflight.refuseObstacles(again, context)
        (summary.remarks, summary.seal) = (summary.remarks + again.remarks, again.seal)
        for index in targets.indices where !pending.contains(index) {
            targets[index].store.removeRemains()
            try markers.leave(index)
        }
        guard pending.isEmpty else {
            // The source is read once more, and counted anew.
            let outcomes = summary.destinations
            summary = unread
            summary.destinations = outcomes
            return false
        }
        summary.remarks += markers.clearSource(context.logger)
        EntryJournal.remove(at: SourceJournal.path(in: state))
        return true
    }

    /// Looks at both sides before anything is written.
    private func look(_ state: StateFolder) throws -> Preflight.Findings {
        let findings = try lookAtAll()
        try Preflight.refuseObstacles(findings, context)
        (summary.remarks, summary.seal) = (summary.remarks + findings.remarks, findings.seal)
        summary.isContinuation = pending.count < targets.count || areContinued.contains(true)
        return findings
    }

    /// Looks at the source once and at every destination that is to be filled.
    private func lookAtAll() throws -> Preflight.Findings {
        var findings = Preflight.Findings()
        for (number, index) in pending.enumerated() {
            if number == 0 { try preflights[index].look(atSourceInto: &findings) }
            var found = findings
            found.remarks = []
            try preflights[index].look(atDestinationInto: &found, isContinuation: areContinued[index])
            findings.merge(found)
            findings.survey = found.survey
        }
        return findings
    }

    /// Keeps servers and other runs from both sides.
    ///
    /// - Returns: The marker that was set.
    private func guardStores(_ journal: SourceJournal?, _ state: StateFolder) throws -> [UInt8] {
        let marker = markers.newMarker()
        try journal?.expect(marker: marker)
        if !options.mode.concernsWholeDestination { state.remove(StateFolder.doneName) }
        try markers.set(marker)
        return marker
    }

    /// Copies, reads the destination back and puts it in place. The source's marker is taken back, whatever comes.
    private func copyAndProve(_ journal: SourceJournal?, _ marker: [UInt8], _ state: StateFolder) throws {
        do {
            // Told in the result as well, however the run ends.
            defer { summary.remarks += markers.clearSource(context.logger) }
            let copy = MigrationCopy(
                source: source,
                targets: pending.map {
                    MigrationCopy.Target(
                        store: targets[$0].store, place: $0,
                        replacesEntries: areContinued[$0] || options.start != nil)
                }, options: options, context: context, state: state, journal: journal, isTakenUp: wasMarked,
                checkSource: { [markers] in try markers.checkSource(marker) })
            for index in pending {
                try preflights[index].refuseWhatCame(isContinuation: areContinued[index]) { try markers.leave(index) }
            }
            try copy.run(into: &summary)
            // What a warm pass has filled stays guarded.
            if options.mode != .warm { try markers.clearDestinations() }
        } catch  where options.mode.concernsWholeDestination && !state.hasWritten {
            // What stood there unguarded may stand there so again; half-filled by a migration, it is guarded still.
            if !wasMarked || markers.seenMode != nil { markers.withdrawDestinations(context.logger) }
            journal?.journal.remove()
            state.remove(StateFolder.pendingManifestName)
            throw (error as? NothingWritten)?.failure ?? error
        } catch {
            keep(journal, after: error)
            summary.sourceActivity = source.meter?.activity()
            if options.signer != nil {
                summary.reportSignaturePath = EvidenceSigner.signaturePath(of: state.reportPath)
            }
            do throws(StorageError) {
                try report(.failed("\(error)"), in: state)
            } catch {
                // The run's own failure matters more and is about to be told.
                context.logger.warn("the report could not be written", ["error": .string("\(error)")])
            }
            throw error
        }
        // Of a warm pass into a directory it is all there is; any other destination has it.
        if options.mode == .warm, !targets.allSatisfy({ $0.store is any KeyValueStore }) { return }
        journal?.journal.remove()
    }

    /// Writes the report and tells of the outcome, while a kill would still be taken up by the next run.
    private func conclude(_ state: StateFolder, tell: (MigrationSummary) throws -> Void) throws {
        describeSeal()
        // Markers have been asked for and taken back since the source was read.
        summary.sourceActivity = source.meter?.activity()
        for index in targets.indices {
            summary.destinations[index].activity = targets[index].store.meter?.activity()
        }
        summary.manifestPath = options.mode == .warm ? state.warmManifestPath : state.manifestPath
        summary.reportPath = state.reportPath
        let evidence = FinalEvidence(options: options, state: state, context: context)
        try evidence.write(&summary)
        do throws(StorageError) {
            try report(.succeeded, in: state)
        } catch {
            if options.signer != nil { throw evidence.failure(error) }
            // The destination is proven and in place; a run that failed for its report would never end otherwise.
            context.logger.warn("the report could not be written", ["error": .string("\(error)")])
            (summary.reportPath, summary.pagePath) = (nil, nil)
            summary.remarks.append("The report could not be written (\(error)); the migration is done all the same.")
        }
        try tell(summary)
        guard options.mode != .warm else { return state.remove(StateFolder.backupName) }
        do throws(StorageError) {
            try state.write(StateFolder.doneName, Array("\(summary.keyspaceDigest)\n".utf8))
        } catch {
            // Only that the same command, run again, would not know what it finds.
            context.logger.warn("that the migration is done could not be noted", ["error": .string("\(error)")])
        }
        for name in [
            StateFolder.backupName, WarmRecord.fileName, StateFolder.warmManifestName, StateFolder.writingName,
            StateFolder.provenName,
        ] {
            state.remove(name)
        }
    }
}

extension MigrationPhases {
    /// Writes the report of the run, in both of its forms.
    private func report(_ result: RunReport.Result, in state: StateFolder) throws(StorageError) {
        (summary.reportPath, summary.pagePath) = (state.reportPath, state.pagePath)
        sampler?.stop()
        (summary.samples, summary.phases) = context.counters.course
        let report = RunReport(summary, version: context.version, result)
        try report.write(in: state, signedBy: options.signer)
        context.watcher?.end(report)
    }

    /// The state folder's path, which must not touch a store of the run.
    static func statePath(
        _ source: any StorageSource, _ destinations: [any StorageDestination], _ job: String,
        _ options: MigrationOptions, _ context: RunContext
    ) throws -> String {
        let named =
            if let folder = options.stateFolder { folder } else {
                try StateFolder.defaultPath(
                    destinations: destinations, fingerprint: job, environment: context.environment)
            }
        let path = resolvedPath(named)
        for store in [source] + destinations as [any StorageBackend] {
            guard let place = store.identity.path, liesWithin(path, place) || liesWithin(place, path) else { continue }
            throw MigrationFailure.migrating(
                "the state folder \(path) and the \(store.kind) store \(place) lie within one another: manifest, "
                    + "report and "
                    + "lock would mix with its entries. Name another folder with -state-dir.")
        }
        return path
    }

    /// Refuses destinations that are one store, or lie within one another.
    private static func refuseSharedPlaces(_ stores: [any StorageDestination]) throws {
        for (index, one) in stores.enumerated() {
            for other in stores[..<index] {
                let (left, right) = (one.identity, other.identity)
                let areNested =
                    if let inner = left.path, let outer = right.path {
                        left.text != right.text && (liesWithin(inner, outer) || liesWithin(outer, inner))
                    } else { false }
                guard left == right || areNested else { continue }
                throw MigrationFailure.migrating(
                    "the destinations \(other.location) and \(one.location) are one store, or lie within one another. "
                        + "Name another place for one of them.")
            }
        }
    }

    /// The journal of a source that is read over a network.
    private func openJournal(_ state: StateFolder, isSourceInUse: Bool) throws -> SourceJournal? {
        guard source.isRemote, options.keepsJournal else { return nil }
        return try SourceJournal(
            source, partitionCount: options.maximumParallel, job: job, in: state, options: options,
            isSourceInUse: isSourceInUse, logger: context.logger,
            isCancelled: { [cancellation = context.cancellation] in cancellation.isCancelled })
    }

    /// Leaves the journal to the next run, and says so.
    private func keep(_ journal: SourceJournal?, after error: any Error) {
        guard let journal else { return }
        if journal.isSourceInUse, options.mode == .whole { return journal.journal.remove() }
        let entries = journal.journal
        // What was compared and differs may have been changed by a failing disk below the journal.
        if let failure = error as? MigrationFailure, failure.kind == .differences { return entries.remove() }
        if let error = error as? StorageError, error.code == .damagedStore { return entries.remove() }
        guard entries.entryCount > 0 else { return }
        context.logger.info(
            "what was read is kept and taken up with -source-unchanged, or while the source carries this run's marker",
            ["entries": .integer(entries.entryCount)])
    }

    /// Compares a destination with the source once more.
    private func confirm(_ target: Target, _ index: Int, _ state: StateFolder) throws -> Bool {
        let written: any StorageSource
        do throws(MigrationFailure) {
            written = try target.reopening()
        } catch {
            // A server that was started on it since may have changed it, and what was proven of it is still to be told.
            if error.concernsStoreInUse { throw error }
            return false
        }
        defer { written.close() }
        let check = StoreCheck(
            written, against: .store(source), scope: options.scope, destinationScope: options.destinationScope,
            context: context,
            readers: options.maximumParallel, spillFolder: state.path,
            unlisted: options.listedOnly ? .leaveOut : .keep, allowsLostEntries: options.allowsLostEntries,
            barrier: options.barrier)
        let result = try check.run()
        guard result.counts.isAllSame, result.totals.entries > 0 else { return false }
        try SealUpgradeWatch(source).demand(of: written)
        if let barrier = options.barrier {
            let outcome = ProofOutcome(barrier, result.proof ?? ProofTally())
            summary.proof = outcome
            try outcome.demand(of: result.counts.same)
        }
        summary.isContinuation = state.hasProvenRun
        summary.totals = result.totals
        summary.destinations[index].comparison = result.counts
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

    private static let rekeyAdvice =
        "Once the new cluster runs, give it a root key of its own, with new shares: operator rekey (OpenBao 2.7: "
        + "sys/rotate/root/init and update). Until then the root key is sealed under itself."

    /// Says how the store is sealed, and with it what its server needs.
    private func describeSeal() {
        if summary.seal == nil {
            do throws(StorageError) {
                summary.seal = try SealReading.read(source)
                summary.remarks += (summary.seal?.remarks ?? []).filter { !summary.remarks.contains($0) }
            } catch {
                // What was proven stays proven.
                summary.remarks.append("How the source is sealed could not be read: \(error.message)")
            }
        }
        if let upgrade = summary.sealUpgrade {
            summary.remarks.append(
                "The destination is made fit for today's servers, which the source is not (-upgrade-legacy-seal): "
                    + "\(upgrade.text). A comparison of the two names these entries and no others. \(Self.rekeyAdvice)")
        }
        if keyRing != nil, summary.isDryRun {
            summary.remarks.append(
                "core/raft/tls, which the source lacks, would be made with the key shares (-generate-raft-tls). The digest above is "
                    + "with one that is not kept.")
        } else if keyRing != nil {
            summary.remarks.append(
                "core/raft/tls, which the source lacks, was made with the key shares (-generate-raft-tls): the nodes know each "
                    + "other by it. A comparison of the two sides names it as only at the destination, and nothing else."
            )
        }
        for index in targets.indices {
            summary.destinations[index].guide = targets[index].store.serverGuide(
                largestEntry: summary.totals.largestEntry, seal: summary.seal)
            if summary.sealUpgrade != nil {
                summary.destinations[index].guide?.steps.append(Self.rekeyAdvice)
            }
        }
    }
}
