import Barrier
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
        self.options = options.ofTheirMode
        self.context = context
        self.stop = StopRequest(context.cancellation)
    }

    /// Removes the migration marker from the source.
    package func reset() throws(MigrationFailure) {
        let (sourceConfiguration, destinationConfiguration, _) = try readConfiguration()
        _ = try checkOptions(sourceConfiguration, destinationConfiguration)
        let source = try sourceConfiguration.openSource(drivers, SourceContext(writesMarker: true))
        defer { source.close() }
        guard let marked = source as? any KeyValueStore else {
            throw .migrating(
                "error resetting migration lock: a \(source.kind) store carries no migration marker. There is nothing "
                    + "to reset.")
        }
        do throws(StorageError) {
            try marked.delete(.migrationMarker)
        } catch {
            throw .migrating("error resetting migration lock: \(error)", cause: error)
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
        let source = try sourceConfiguration.openSource(
            drivers, SourceContext(writesMarker: !options.hasReadOnlySource && !options.isDryRun),
            isCancelled: isCancelled)
        defer { source.close() }
        var options = options
        // Before anything is written.
        let opened = try options.shares?.open(source, options.scope)
        if options.shares?.proves == true { options.barrier = opened?.barrier }
        let targets = try destinationConfiguration.openTargets(
            drivers,
            DestinationContext(
                clusterAddress: clusterAddress, isPractice: options.isPractice, isDryRun: options.isDryRun),
            isCancelled: isCancelled)
        defer { for target in targets { target.store.close() } }
        let meters = ([source.meter] + targets.map(\.store.meter)).compactMap(\.self)
        context.counters.follow {
            let activities = meters.map { $0.activity() }
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
            let ring = try opened.flatMap { try keyRing(source, $0.barrier, $0.upgrade, targets.map(\.store)) }
            let phases = try MigrationPhases(
                source: ring?.source ?? opened?.source ?? source, targets: targets, options: options, context: context,
                stop: stop, remarks: remarks)
            phases.keyRing = ring?.value
            phases.summary.hasMadeKeyRing = ring != nil
            phases.summary.configurationPath = configuration.path
            phases.summary.sealUpgrade = opened?.upgrade.map { SealUpgradeOutcome($0) }
            try options.isDryRun ? tell(phases.rehearse()) : phases.run(tell: tell)
        } catch {
            throw MigrationFailure.stage("", error)
        }
    }

    /// Copies one open store into another, with everything that a migration has: what is in the way is seen before, a run that was
    /// cut off is taken up, and the copy is proven before it gets its name.
    ///
    /// - Parameters:
    ///   - reopening: Opens what stands under the destination's name to be read.
    ///   - tell: As for ``run(tell:)``.
    package static func run(
        from source: any StorageSource, to destination: any StorageDestination,
        reopening: @escaping () throws(StorageError) -> any StorageSource, options: MigrationOptions,
        context: RunContext,
        tell: (MigrationSummary) throws -> Void
    ) throws(MigrationFailure) {
        let stop = StopRequest(context.cancellation)
        let target = MigrationPhases.Target(store: destination) { () throws(MigrationFailure) in
            do throws(StorageError) { return try reopening() } catch { throw .migrating(error.message, cause: error) }
        }
        do {
            let phases = try MigrationPhases(
                source: source, targets: [target], options: options, context: context, stop: stop,
                remarks: source.remarks)
            try options.isDryRun ? tell(phases.rehearse()) : phases.run(tell: tell)
        } catch {
            throw MigrationFailure.stage("", error)
        }
    }

    /// A key ring for a source without one, if it is asked for: the one that an earlier run of this job has made, or a new one.
    private func keyRing(
        _ source: any StorageSource, _ barrier: OpenedBarrier, _ upgrade: SealUpgrade?,
        _ stores: [any StorageDestination]
    ) throws -> (source: any StorageSource, value: [UInt8])? {
        guard let shares = options.shares, shares.makesKeyRing else { return nil }
        guard
            stores.contains(where: { store in
                store.kind == "raft" || store.neededEntries.contains { $0.key == .raftKeyRing }
            })
        else {
            throw MigrationFailure(
                .configuration,
                "-generate-raft-tls is for destinations of integrated storage (raft, raft_snapshot): no server on "
                    + "\(stores.first?.kind ?? "another") reads core/raft/tls. Leave it out.")
        }
        let job = try StateFolder.fingerprint(source: source.identity, destinations: stores.map(\.identity))
        let path = try MigrationPhases.statePath(source, stores, job, options, context)
        var kept: [UInt8]?
        if !options.discardsState, access("\(path)/\(StateFolder.keyRingName)", F_OK) == 0 {
            try StateFolderContents.check(path, job, probesLock: false)
            kept = try readPrivateFile(
                "\(path)/\(StateFolder.keyRingName)", atMost: 1 << 20, content: "a key ring that was made before")
        }
        return try shares.makeKeyRing(source, barrier, upgrade, kept, options.scope)
    }

    /// Refuses to put a part of a store where only a whole one can stand.
    private func refuseStart(_ destination: ConfiguredStore) throws(MigrationFailure) {
        guard let start = options.start,
            let driver = drivers.first(where: { $0.kind == destination.type }), driver.isBuiltWhole
        else { return }
        throw .migrating(
            "-start \(start) would put a part of the store into a \(destination.type) "
                + "\(destination.type == "raft" ? "directory" : "archive"), which is built whole and "
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
        let address = try configuration.clusterAddress()
        return options.mode == .rollback ? (destination, source, address) : (source, destination, address)
    }
}
