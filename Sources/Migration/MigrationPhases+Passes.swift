import Storage
import Telemetry

/// How a run stands to the passes before it, and what repairs, rollbacks and selections refuse.
extension MigrationPhases {
    /// Takes up what warm passes have left.
    func findEarlierPass(_ state: StateFolder) throws {
        let record = try WarmRecord.read(in: state)
        summary.mode = options.mode
        if options.start != nil, record != nil || options.mode != .whole {
            throw MigrationFailure(
                .configuration,
                "-start copies a part, and passes are about a whole: -include and -exclude choose by name.")
        }
        if options.mode.concernsWholeDestination {
            guard record == nil else {
                throw MigrationFailure.migrating(
                    "warm passes have filled the destination, which is not final yet: end them with operator migrate -mode=final."
                )
            }
            return
        }
        guard record != nil || options.mode != .whole else { return }
        if options.mode == .warm, state.hasProvenRun {
            throw MigrationFailure.migrating(
                "the final pass has proven the destination and was cut off before it could say so. Run it again: -mode=final."
            )
        }
        var pass = PassOutcome()
        pass.number = (record?.passes ?? 0) + 1
        pass.previousEnd = record?.end
        summary.pass = pass
        if record != nil, options.mode == .whole {
            options.mode = .final
            summary.remarks.append("Warm passes went before, so that this is the final one (-mode=final).")
        }
        summary.mode = options.mode
    }

    /// Says how the pass stands to the others, and leaves word to the next one.
    func describePass(since outage: ContinuousClock.Instant, _ state: StateFolder) throws {
        guard var pass = summary.pass else { return }
        if pass.changes == nil, pass.previousEnd != nil { pass.changes = changesSinceWarmManifest(state) }
        if options.mode == .warm {
            // A final pass reads both sides at once, or the source alone.
            pass.finalSeconds = max(summary.copySeconds, summary.seconds - summary.copySeconds)
            try WarmRecord(passes: pass.number, end: WallTime.now().microseconds).write(in: state)
            try state.rename(StateFolder.manifestName, to: StateFolder.warmManifestName)
        } else {
            pass.outageSeconds = (ContinuousClock.now - outage) / .seconds(1)
        }
        summary.pass = pass
    }

    /// What the source gave otherwise than in the last warm pass; `nil` if that cannot be told any more.
    private func changesSinceWarmManifest(_ state: StateFolder) -> EntryChanges? {
        var changes = EntryChanges()
        do {
            let (now, before) = (
                try SavedManifest(path: state.manifestPath, scope: KeyScope()),
                try SavedManifest(path: state.warmManifestPath, scope: KeyScope())
            )
            _ = try Comparison(source: now, destination: before).run(report: { verdict, _ in changes.count(verdict) })
        } catch {
            context.logger.warn(
                "what has changed since the last warm pass cannot be told", ["error": .string("\(error)")])
            return nil
        }
        return changes
    }

    /// Refuses to repair what is only ever built whole.
    static func refuseRepair(
        of stores: [any StorageDestination], from source: any StorageSource, _ options: MigrationOptions
    ) throws(MigrationFailure) {
        if let rollback = options.rollback {
            try refuseOthers(than: rollback, source, stores)
        }
        guard options.mode.concernsWholeDestination, let store = stores.first(where: { !($0 is any KeyValueStore) })
        else { return }
        throw MigrationFailure(
            .configuration,
            "a \(store.kind) \(store.kind == "raft" ? "directory" : "archive") is built whole and never changed: "
                + "\(store.location) cannot be brought up to date. Migrate "
                + "into another path instead.")
    }

    /// Refuses stores that the report does not tell of.
    static func refuseOthers(
        than rollback: MigrationToRollBack, _ source: any StorageSource, _ stores: [any StorageDestination]
    ) throws(MigrationFailure) {
        let sides = [(source.kind, source.location, rollback.new)] + stores.map { ($0.kind, $0.location, rollback.old) }
        for (kind, location, told) in sides where (kind, location) != told {
            throw MigrationFailure(
                .configuration,
                "the report tells of \(told.kind) \(told.location), the configuration file of \(kind) \(location). Name the file "
                    + "of that migration with -config.")
        }
    }

    /// Refuses to leave out what a server needs, unless the user insists.
    static func refuseMissingEssentials(_ options: MigrationOptions) throws(MigrationFailure) {
        guard let first = options.scope.missingEssentials.first, !options.isForced else { return }
        throw MigrationFailure(
            .configuration,
            "-include and -exclude leave out \(first), without which no server starts: seal, keyring and mount tables lie below "
                + "core/. Add -include \(KeyScope.essential), or -force to copy without them.")
    }
}
