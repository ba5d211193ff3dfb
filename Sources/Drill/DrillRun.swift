package import Barrier
import Files
import Glibc
package import Migration
import RaftDirectoryBackend
import Report
package import Storage
import Telemetry
import Wording
import Workers

/// One restore drill: a copy of a source, proven, served perhaps by a real server, and removed.
///
/// | Phase | What it leaves, if it is killed there | What the next drill does |
/// | --- | --- | --- |
/// | any | a `scratch-…` with its mark, and a report that says `unfinished` | removes the copy |
/// | behind ``DrillPhase/remove`` | a report that says `unfinished`, or a whole one without its page | nothing |
///
/// The server is a child that the kernel ends with this process.
package final class DrillRun {
    /// The node that the copy is of.
    static let nodeID = "sealift-drill"

    let settings: DrillSettings
    private let configured: ConfiguredStore
    private let drivers: [BackendDriver]
    let context: RunContext
    private let proves: Bool
    private let readers: Int
    /// Asks for the shares, once it is known how many are needed.
    private let ask: ((SealDescription) throws -> KeyShares)?
    private let tell: (DrillEvent) -> Void
    var record: DrillRecord
    private(set) var shares: KeyShares?
    /// Key shares that the store asks for.
    private(set) var threshold = 1
    /// The phase that the drill is in.
    private var present: (phase: DrillPhase, begin: ContinuousClock.Instant)?

    /// What is told while a drill goes on.
    package enum DrillEvent {
        case begun(DrillPhase)
        case ended(DrillRecord.Phase)
    }

    /// - Parameters:
    ///   - proves: Whether every entry of the copy is authenticated.
    ///   - readers: Threads that may read at once.
    ///   - ask: Asks for key shares; `nil` if there are none.
    ///   - tell: Told of every phase.
    package init(
        _ settings: DrillSettings, source: ConfiguredStore, drivers: [BackendDriver], proves: Bool, readers: Int,
        context: RunContext, ask: ((SealDescription) throws -> KeyShares)?, tell: @escaping (DrillEvent) -> Void
    ) {
        self.settings = settings
        configured = source
        self.drivers = drivers
        self.proves = proves
        self.readers = readers
        self.context = context
        self.ask = ask
        self.tell = tell
        let now = WallTime.now()
        record = DrillRecord(
            id: Self.newID(), version: context.version, started: now.microseconds,
            sourceKind: source.type, sourceLocation: Self.place(of: source), dropsLeases: settings.dropsLeases,
            dropsAuditDevices: settings.dropsAuditDevices)
    }

    /// `20261130T213906.645Z-19745`: the time in UTC, so that names sort as the drills came, and the process.
    private static func newID() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func digits(_ number: Int, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(width - text.count, 0)) + text
        }
        let day =
            digits(Int(parts.tm_year) + 1900, 4) + digits(Int(parts.tm_mon) + 1, 2) + digits(Int(parts.tm_mday), 2)
        let time = digits(Int(parts.tm_hour), 2) + digits(Int(parts.tm_min), 2) + digits(Int(parts.tm_sec), 2)
        return "\(day)T\(time).\(digits(now.tv_nsec / 1_000_000, 3))Z-\(getpid())"
    }

    /// Where the file says that a store is, until it is open.
    private static func place(of source: ConfiguredStore) -> String {
        source.settings.settings.first { $0.name == "path" || $0.name == "table" }?.value ?? ""
    }

    /// Runs the drill and writes its report.
    ///
    /// - Returns: What became of it, and why it failed if it did. The copy is gone, unless it is to be kept.
    /// - Throws: What kept the drill from beginning, or its report from being written.
    package func run() throws(MigrationFailure) -> (record: DrillRecord, failure: MigrationFailure?) {
        let network = try settings.server.map { server throws(MigrationFailure) in try look(server) }
        do {
            let folder = try DrillFolder(taking: settings.folder)
            defer { folder.close() }
            record.remarks += try folder.removeRemains()
            try write(folder, withPage: false)
            let begin = ContinuousClock.now
            let failure = perform(in: folder, network)
            record.seconds = (ContinuousClock.now - begin) / .seconds(1)
            record.finished = WallTime.now().microseconds
            try conclude(failure, folder)
            return (record, failure)
        } catch {
            throw MigrationFailure.stage("", error)
        }
    }

    /// Refuses to start a server that could do something real.
    private func look(_ server: DrillSettings.Server) throws(MigrationFailure) -> CopyNetwork {
        let network = try CopyNetwork(server)
        guard network.isCut || settings.dropsLeases || server.allowsLiveLeases else {
            throw MigrationFailure(
                .configuration,
                "The copy has the leases, and the server would have a network\(network.reason.map { ": \($0)" } ?? ""). It "
                    + "would revoke what has expired: real passwords and cloud credentials. Leave the leases out "
                    + "(drop_leases = true), cut the network off (network = \"cut\"), or say allow_live_leases = true in the "
                    + "server block.")
        }
        record.server = DrillRecord.Server(binary: server.binary, isNetworkCut: network.isCut)
        if !network.isCut {
            record.remarks.append(
                "The server's network was not cut off\(network.reason.map { ": \($0)" } ?? ""). What a server does by itself, "
                    + "such as changing passwords on a schedule, it could do to other machines.")
        }
        return network
    }

    /// Runs all phases.
    ///
    /// - Returns: Why it failed; `nil` if it passed.
    private func perform(in folder: DrillFolder, _ network: CopyNetwork?) -> MigrationFailure? {
        var scratch: DrillFolder.Scratch?
        var failure: MigrationFailure?
        do {
            let made = try folder.makeScratch(record.id)
            scratch = made
            try restore(made, network)
            if let server = settings.server, let network { try serve(server, network, made) }
        } catch {
            failure = noted(error)
        }
        guard let scratch else { return failure }
        do {
            if settings.keeps {
                try scratch.keep()
                record.keptCopy = scratch.path
            } else {
                try phase(.remove) { try scratch.remove() }
            }
        } catch {
            let problem = noted(error)
            failure = failure ?? problem
        }
        return failure
    }

    /// Ends the phase that failed.
    private func noted(_ error: any Error) -> MigrationFailure {
        let failure = described(error)
        if let present {
            end(present.phase, isPassed: false)
            if record.failedPhase == nil { record.failedPhase = present.phase }
        }
        if record.failure == nil { record.failure = failure.message }
        return failure
    }

    private func described(_ error: any Error) -> MigrationFailure {
        if error is ProofFailure { return .proving(error) }
        return MigrationFailure.stage("", error)
    }

    /// Runs one phase.
    func phase<Result>(_ phase: DrillPhase, _ body: () throws -> Result) throws -> Result {
        begin(phase)
        let result = try body()
        end(phase, isPassed: true)
        return result
    }

    private func begin(_ phase: DrillPhase) {
        present = (phase, ContinuousClock.now)
        tell(.begun(phase))
    }

    private func end(_ phase: DrillPhase, isPassed: Bool, taking seconds: Double? = nil) {
        guard let begin = present?.begin else { return }
        let ended = DrillRecord.Phase(
            phase: phase, seconds: seconds ?? (ContinuousClock.now - begin) / .seconds(1), isPassed: isPassed)
        present = nil
        record.phases.append(ended)
        tell(.ended(ended))
    }

    private func conclude(_ failure: MigrationFailure?, _ folder: DrillFolder) throws {
        record.result = failure == nil ? .passed : failure?.kind == .interrupted ? .interrupted : .failed
        if record.result == .passed {
            let source = "\(record.sourceKind) \(record.sourceLocation)"
            if let last = try DrillHistory(readingOf: folder).lastGood(of: source) {
                record.compare(with: last, slower: settings.slower, smaller: settings.smaller)
            }
        }
        do {
            try write(folder, withPage: true)
        } catch {
            guard let failure else { throw error }
            // Why the drill failed matters more.
            context.logger.warn("the report could not be written", ["error": .string("\(error)")])
            throw failure
        }
    }

    /// Writes the report: the JSON, which counts, before its page.
    private func write(_ folder: DrillFolder, withPage: Bool) throws(StorageError) {
        let document = JSONText.object(record.members)
        try replaceFile(folder.reportPath(record.id), Array("\(document.indentedText)\n".utf8))
        if withPage { try replaceFile(folder.pagePath(record.id), Array(DrillPage(document).file.utf8)) }
    }
}

// MARK: the copy

extension DrillRun {
    /// Restores the source and verifies the copy.
    private func restore(_ scratch: DrillFolder.Scratch, _ network: CopyNetwork?) throws {
        begin(.source)
        let source = try configured.openSource(
            drivers, SourceContext(writesMarker: false),
            isCancelled: { [cancellation = context.cancellation] in cancellation.isCancelled })
        defer { source.close() }
        record.sourceLocation = source.location
        record.remarks += source.remarks
        try refuseOwnPlace(source)
        end(.source, isPassed: true)
        if let ask {
            begin(.shares)
            let seal = try OpenedBarrier.seal(of: source)
            let given = try ask(seal)
            // The time in which somebody types is not the drill's.
            begin(.shares)
            (shares, threshold) = (given, seal.threshold ?? 1)
            _ = try OpenedBarrier(CoreOfSource(source), given)
            end(.shares, isPassed: true)
        }
        try migrate(source, scratch, network)
        let copy = try RaftDirectoryBackend(path: scratch.data)
        defer { copy.close() }
        try phase(.structure) { try checkStructure(copy) }
        if proves, let shares { try phase(.proof) { try prove(copy, shares) } }
    }

    private func refuseOwnPlace(_ source: any StorageSource) throws(MigrationFailure) {
        guard let place = source.identity.path else { return }
        let own = resolvedPath(settings.folder)
        guard liesWithin(own, place) || liesWithin(place, own) else { return }
        throw MigrationFailure(
            .failed,
            "the drills' folder \(own) and the source \(place) lie within each other. Name a folder elsewhere.")
    }

    private func migrate(
        _ source: any StorageSource, _ scratch: DrillFolder.Scratch, _ network: CopyNetwork?
    ) throws {
        var options = MigrationOptions()
        // The audit devices lie below core/, of which nothing else is left out.
        let excluded: [StorageKey] = settings.dropsAuditDevices ? ["core/audit", "core/local-audit"] : []
        options.scope = KeyScope(excluded: excluded, dropsLeases: settings.dropsLeases)
        options.isForced = true
        options.isPractice = true
        options.hasReadOnlySource = true
        options.allowsSourceInUse = settings.allowsSourceInUse
        options.allowsLostEntries = settings.allowsLostEntries
        options.allowsMissingLog = settings.allowsMissingLog
        options.maximumParallel = readers
        options.stateFolder = scratch.state
        let destination = try RaftDirectoryDestination(
            path: scratch.data,
            node: RaftDirectoryDestination.Node(
                configuredID: Self.nodeID,
                address: try ClusterAddress(parsing: "https://127.0.0.1:\(network?.clusterPort ?? 8201)"),
                isPractice: true))
        defer { destination.close() }
        begin(.restore)
        let begin = ContinuousClock.now
        do throws(MigrationFailure) {
            try MigrationRun.run(
                from: source, to: destination,
                reopening: { () throws(StorageError) in try RaftDirectoryBackend(path: scratch.data) },
                options: options, context: context
            ) { note($0, scratch, since: begin) }
        } catch {
            // The counters tell what it was at.
            if error.kind == .differences || context.counters.snapshot().phase == .comparing {
                present?.phase = .content
            }
            throw error
        }
    }

    /// Takes down what the migration has done: its time is that of two phases.
    private func note(_ summary: MigrationSummary, _ scratch: DrillFolder.Scratch, since begin: ContinuousClock.Instant)
    {
        let whole = (ContinuousClock.now - begin) / .seconds(1)
        let comparing = min(max(summary.seconds - summary.copySeconds, 0), whole)
        end(.restore, isPassed: true, taking: whole - comparing)
        present = (.content, begin)
        end(.content, isPassed: true, taking: comparing)
        record.entries = summary.totals.entries
        record.bytes = summary.totals.keyBytes + summary.totals.valueBytes
        record.keyspaceDigest = summary.keyspaceDigest
        record.fileBytes = scratch.dataBytes()
        for (reason, count) in summary.leftOut.sorted(by: { $0.key < $1.key }) {
            let why = reason == EntryFilter.unselected ? "leases, or audit devices" : reason
            record.remarks.append("\(formatCount(count)) \(plural(count, "entry", "entries")) left out: \(why).")
        }
    }

    private func checkStructure(_ copy: any StorageSource) throws {
        let result = try StructureCheck(copy, context: context, readers: readers).run()
        record.remarks += result.report.layoutRemarks
        guard result.report.isSound, result.unreadable == 0 else {
            let told = (result.unreadableMessages + result.report.faults).prefix(20).map { "\n  \($0)" }.joined()
            throw MigrationFailure(
                .differences,
                "the copy holds what the source gave, and that is damaged. Restore from an older backup, and see when the "
                    + "damage began.\(told)")
        }
    }

    private func prove(_ copy: any StorageSource, _ shares: KeyShares) throws {
        let barrier = try OpenedBarrier(copy, shares)
        let result = try StoreProof(copy, barrier, context: context, readers: readers).run { _ in }
        let tally = result.outcome.tally
        record.authenticated = tally.counts[.authenticated]
        guard result.isProven else {
            let lines =
                tally.named.prefix(20).map { "\n  \($0.line)" } + result.outcome.contradictions.map { "\n  \($0)" }
            throw MigrationFailure(
                .differences,
                "\(formatCount(tally.counts.bad)) of \(formatCount(tally.counts.provable)) entries are not what a server wrote: "
                    + "they will not decrypt. Restore from an older backup, and see when the damage began."
                    + lines.joined())
        }
    }
}
