import Storage
import Telemetry

/// Sets and clears the migration marker on the source and on every destination, and tells a run that was cut off from
/// somebody else's.
///
/// A marker is only set in the place of the one that was looked at, or of none, and only this job's are removed: of two
/// runs that begin at once one is told of the other.
final class MarkerKeeper {
    private let source: any StorageSource
    /// The sides that can carry a marker, and may be given one.
    private let markedSource: (any KeyValueStore)?
    private var markedDestinations: [(any KeyValueStore)?]
    private let job: String
    /// What a run does to a destination that was whole before; `nil` for one that fills it.
    private let mode: String?
    private let stop: StopRequest
    /// What ``check()`` found.
    private var seen: (source: [UInt8]?, destinations: [[UInt8]?])
    /// What ``set(_:)`` wrote.
    private var own: [UInt8]?

    /// - Parameter stop: What the stores ask.
    init(
        source: any StorageSource, destinations: [any StorageDestination], job: String, options: MigrationOptions,
        stop: StopRequest
    ) {
        self.seen = (nil, destinations.map { _ in nil })
        self.stop = stop
        self.source = source
        self.markedSource = options.hasReadOnlySource ? nil : source as? any KeyValueStore
        self.markedDestinations = destinations.map { $0 as? any KeyValueStore }
        self.job = job
        self.mode = options.mode.concernsWholeDestination ? options.mode.rawValue : nil
    }

    /// The value of the marker that ``set(_:)`` is to write.
    func newMarker() -> [UInt8] {
        MigrationMarker.current(job: job, time: WallTime.now().microseconds, mode: mode).encoded
    }

    /// Looks for markers.
    ///
    /// - Returns: For each destination, whether this very job was begun before and cut off.
    /// - Throws: If another migration is under way on any side.
    func check() throws -> [Bool] {
        seen = (
            try checkedValue(source, ""),
            try markedDestinations.map { store in try store.flatMap { try checkedValue($0, " on the destination") } }
        )
        // The source's marker alone says that a run was killed before it touched the destination, or after it had let
        // go of it. In between a server may have written to the destination: without our marker nothing in it is ours
        // to replace.
        return zip(markedDestinations, seen.destinations).map { store, value in
            (store != nil ? value : seen.source) != nil
        }
    }

    /// Whether the source carried this job's marker at ``check()``: since it was set, no server has started there.
    var hasOwnOnSource: Bool { seen.source != nil }

    /// What the run that was cut off did to a destination that was whole before; `nil` for one that filled it, or for none.
    var seenMode: String? {
        ([seen.source] + seen.destinations).lazy.compactMap { $0.flatMap(MigrationMarker.init(decoding:))?.mode }.first
    }

    /// Takes back the markers of destinations to which nothing was written, as far as that can be.
    func withdrawDestinations(_ logger: Logger) {
        for destination in markedDestinations.compactMap(\.self) {
            do throws(StorageError) {
                _ = try removeOwn(destination)
            } catch {
                logger.error(
                    "the destination's migration marker could not be removed; run the same command again",
                    ["error": .string("\(error)")])
            }
        }
    }

    /// Takes a destination out of what is guarded, once it needs nothing more.
    func leave(_ index: Int) throws {
        try clear(markedDestinations[index])
        markedDestinations[index] = nil
    }

    /// The marker of an earlier run of this job; `nil` if there is none.
    private func checkedValue(_ store: any StorageSource, _ place: String) throws -> [UInt8]? {
        let value: [UInt8]?
        do throws(StorageError) {
            value = try store.get(.migrationMarker)
        } catch {
            if error.code == .cancelled { throw MigrationFailure.interrupted }
            throw MigrationFailure.migrating("error checking migration status: \(error)", cause: error)
        }
        guard let value else { return nil }
        guard let marker = MigrationMarker(decoding: value) else {
            throw MigrationFailure.migrating(
                "error checking migration status: core/migration on \(store.location) is not a marker that can be read. "
                    + "If no migration is going on, remove it with -reset.")
        }
        guard marker.job == job, !marker.isRunning else {
            let advice =
                marker.isRunning
                ? "Process \(marker.process ?? 0) on this host is at it. Wait for it, or stop it."
                : "Another migration of \(store.location) is under way or was cut off. If none is, remove the marker of "
                    + "the source with -reset; a destination that carries one is incomplete, use an empty one."
            throw MigrationFailure.migrating(
                "storage migration in progress (started: \(marker.startInSeconds))\(place)\n\(advice)")
        }
        return value
    }

    /// Sets the markers, the source's first.
    ///
    /// - Throws: If another run has set its own since ``check()``; no marker of this run is left then.
    func set(_ value: [UInt8]) throws {
        own = value
        if let source = markedSource {
            let isSet: Bool
            do throws(StorageError) {
                isSet = try source.replace(.migrationMarker, seen.source, with: value)
            } catch {
                // The request may have been carried out all the same.
                let more = unsetSource()
                if error.code == .cancelled { throw Self.interrupted(adding: more) }
                throw MigrationFailure.migrating(
                    "error setting migration lock: \(error)\nIf the source may only be read, stop every server on it and "
                        + "add -read-only-source.\(more)", cause: error)
            }
            guard isSet else { throw overtaken(source, "") }
        }
        for index in markedDestinations.indices {
            do {
                try set(value, onDestination: index)
            } catch {
                // What this run has put on others before goes again, as far as it can; not where it guards what an earlier
                // run has written.
                for earlier in 0..<index where seen.destinations[earlier] == nil {
                    try? clear(markedDestinations[earlier])
                }
                throw error
            }
        }
    }

    private func set(_ value: [UInt8], onDestination index: Int) throws {
        guard let destination = markedDestinations[index] else { return }
        let isSet: Bool
        do throws(StorageError) {
            isSet = try destination.replace(.migrationMarker, seen.destinations[index], with: value)
        } catch {
            let more = unsetSource()
            if error.code == .cancelled { throw Self.interrupted(adding: more) }
            throw MigrationFailure.migrating("error writing entry: \(error)\(more)", cause: error)
        }
        guard isSet else {
            _ = unsetSource()
            throw overtaken(destination, " on the destination")
        }
    }

    /// The failure of a run that found another one's marker where there was none a moment ago.
    private func overtaken(_ store: any StorageSource, _ place: String) -> any Error {
        do {
            _ = try checkedValue(store, place)
        } catch {
            return error
        }
        return MigrationFailure.migrating(
            "another run has begun and ended a migration of \(store.location) at this moment. Run again.")
    }

    /// Makes sure, before a destination is released, that the source was guarded from the first read to the last, and
    /// that no other run has taken the destination for its own.
    ///
    /// - Parameter value: What ``set(_:)`` wrote.
    func checkSource(_ value: [UInt8]) throws {
        for destination in markedDestinations.compactMap(\.self)
        where try destination.get(.migrationMarker) != value { throw overtaken(destination, " on the destination") }
        guard let source = markedSource, try source.get(.migrationMarker) != value else { return }
        throw MigrationFailure.migrating(
            "the migration marker of this run was removed from \(source.location), or replaced, while it was read: a "
                + "server may have written to it. Stop every server on it, see that nobody uses -reset, and run again.")
    }

    private static func interrupted(adding more: String) -> MigrationFailure {
        MigrationFailure(.interrupted, MigrationFailure.interrupted.message + more)
    }

    /// Takes the source's marker back when the destination refused its own.
    ///
    /// - Returns: What to add to the message if that fails as well.
    private func unsetSource() -> String {
        guard let source = markedSource else { return "" }
        do throws(StorageError) {
            _ = try removeOwn(source)
            return ""
        } catch {
            return "\nThe source's migration marker could not be removed either (\(error)); run with -reset."
        }
    }

    /// Removes the marker of this job, even if the run was told to stop.
    ///
    /// - Returns: `false`, with nothing removed, if another's stands there.
    private func removeOwn(_ store: any KeyValueStore) throws(StorageError) -> Bool {
        var isRemoved = true
        try stop.whileCleaning { () throws(StorageError) in
            guard let value = try store.get(.migrationMarker) else { return }
            isRemoved = value == own || isAbandonedOfThisJob(value)
            if isRemoved { try store.delete(.migrationMarker) }
        }
        return isRemoved
    }

    private func isAbandonedOfThisJob(_ value: [UInt8]) -> Bool {
        guard let marker = MigrationMarker(decoding: value) else { return false }
        return marker.job == job && !marker.isRunning
    }

    /// Clears the destinations' markers, once everything is proven.
    func clearDestinations() throws {
        for destination in markedDestinations { try clear(destination) }
    }

    private func clear(_ destination: (any KeyValueStore)?) throws {
        guard let destination else { return }
        let isRemoved: Bool
        do throws(StorageError) {
            isRemoved = try removeOwn(destination)
        } catch {
            throw MigrationFailure.migrating(
                "the destination is complete, but its migration marker cannot be removed: \(error)",
                cause: error)
        }
        guard isRemoved else { throw overtaken(destination, " on the destination") }
    }

    /// Clears the source's marker, whatever became of the run.
    ///
    /// - Returns: What the result must say if that could not be done.
    func clearSource(_ logger: Logger) -> [String] {
        guard let source = markedSource else { return [] }
        do throws(StorageError) {
            guard try !removeOwn(source) else { return [] }
            logger.warn("the source carries the migration marker of another run, which is left where it is", [:])
            return ["The source carries the migration marker of another run, which was left where it is."]
        } catch {
            // The request may have been carried out all the same.
            if isSourceClear { return [] }
            logger.error(
                "the source's migration marker could not be removed; run with -reset", ["error": .string("\(error)")])
            return [
                "The migration marker could not be removed from the source (\(error)): no server starts on it until "
                    + "-reset has removed it."
            ]
        }
    }

    private var isSourceClear: Bool {
        do throws(StorageError) {
            return try stop.whileCleaning { () throws(StorageError) in try source.get(.migrationMarker) == nil }
        } catch {
            return false
        }
    }
}
