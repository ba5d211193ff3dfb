import Barrier
import Files
import Glibc
import Storage
import Telemetry
import Workers

/// The look at the source and one destination before the first write.
struct Preflight {
    let source: any StorageSource
    let destination: any StorageDestination
    let options: MigrationOptions
    let context: RunContext
    /// Whether the destination carries this very job's marker.
    var carriesOwnMarker = false

    /// What was found. Obstacles keep the run from starting.
    struct Findings {
        var obstacles: [String] = []
        var remarks: [String] = []
        /// Whether a server is at work on the source, which the user allows.
        var isSourceInUse = false
        /// How the source is sealed, if it says so.
        private(set) var seal: SealDescription?
        /// Whether every key, or also the size of every value, was held against what the destination can keep.
        var survey = Survey.none

        /// Adds what a look at the source found; what the user allows is a remark.
        mutating func add(_ found: [StoreFinding], ofTheSourceWith options: MigrationOptions) {
            for finding in found {
                if finding.kind == .obstacle(.inUse) { isSourceInUse = true }
                let isWaived = finding.waiver == .missingLog && options.allowsMissingLog
                if case .obstacle(let code) = finding.kind, !isWaived, code != .inUse || !options.allowsSourceInUse {
                    obstacles.append(finding.message)
                } else {
                    remarks.append(finding.message)
                }
            }
        }

        /// Adds what is to be known of the seal: before the outage, not when the last share is refused in it.
        mutating func add(_ seal: SealDescription?) {
            self.seal = seal
            remarks += seal?.remarks ?? []
        }

        /// Adds what another look found; what both found is told once.
        mutating func merge(_ other: Findings) {
            seal = seal ?? other.seal
            obstacles += other.obstacles.filter { !obstacles.contains($0) }
            remarks += other.remarks.filter { !remarks.contains($0) }
            isSourceInUse = isSourceInUse || other.isSourceInUse
        }

        func adding(_ more: [String]) -> Findings {
            var all = self
            all.obstacles += more
            return all
        }
    }

    /// What the look for entries that the destination cannot keep took in.
    enum Survey {
        case none
        case keys
        case everything
    }

    /// Refuses a migration of a store onto itself, or into a folder within its own.
    func refuseSameStore() throws {
        let (left, right) = (source.identity, destination.identity)
        // One table has many spellings of its endpoint, but one number.
        let number = try source.incarnation()
        let isOneTable = try !number.isEmpty && source.kind == destination.kind && number == destination.incarnation()
        if left == right || isOneTable {
            throw MigrationFailure.migrating(
                "source and destination are the same store (\(source.location)). Environment variables such as "
                    + "VAULT_RAFT_PATH apply to both sides; correct the paths.")
        }
        guard let inner = left.path, let outer = right.path else { return }
        // Two tables of one SQLite file share a path and are two stores.
        if inner == outer, left.text.prefix(4) == right.text.prefix(4) { return }
        for (one, other) in [(inner, outer), (outer, inner)] {
            guard liesWithin(one, other) else { continue }
            throw MigrationFailure.migrating(
                "\(one) lies within \(other): source and destination would mix. Name a path outside.")
        }
    }

    /// Looks at everything that can be known without reading values.
    func look(isContinuation: Bool) throws -> Findings {
        var findings = Findings()
        try look(atSourceInto: &findings)
        try look(atDestinationInto: &findings, isContinuation: isContinuation)
        return findings
    }

    /// Looks at the source, which is the same for all destinations.
    func look(atSourceInto findings: inout Findings) throws {
        context.counters.enter(.preflight)
        if let problem = try sourceProblem() { findings.obstacles.append(problem) }
        let marked = options.hasReadOnlySource ? nil : source as? any KeyValueStore
        findings.add(try source.sourceFindings() + (marked?.markerFindings() ?? []), ofTheSourceWith: options)
        findings.add(try SealReading.read(source))
        guard let name = options.sourceBackup, let service = source.backupService else { return }
        findings.add(try service.backupFindings(named: name), ofTheSourceWith: options)
        if options.isDryRun {
            findings.remarks.append("-source-backup: a run would have the source backed up first, as \(name).")
        }
    }

    /// Looks at the destination, and at the source as far as the destination asks for it.
    func look(atDestinationInto findings: inout Findings, isContinuation: Bool) throws {
        for finding in try destination.destinationFindings() {
            switch finding.kind {
            case .remark: findings.remarks.append(finding.message)
            case .obstacle(let code):
                let isMounting = code == .notEmpty || code == .configuration
                findings.obstacles.append(
                    (isMounting ? "error mounting 'storage_destination': " : "") + finding.message)
            }
        }
        for needed in destination.neededEntries where findings.obstacles.isEmpty {
            let isSelected = needed.key.bytes.withUnsafeBytes { options.scope.isSelected($0) }
            if try !isSelected || source.get(needed.key) == nil { findings.obstacles.append(needed.reason) }
        }
        // Where every question costs money, none is asked that only names some trouble.
        let layout = source.isRemote || destination.serverUse == nil ? nil : try StoreLayout.read(source)
        if findings.obstacles.isEmpty, let layout { findings.remarks += layout.remarks(for: destination) }
        if findings.obstacles.isEmpty, let problem = try occupancyProblem(isContinuation: isContinuation) {
            findings.obstacles.append(problem)
        }
        if findings.obstacles.isEmpty, options.mode == .rollback, !options.isForced,
            let problem = try (layout ?? StoreLayout.read(source)).obstacleToRollback(to: destination)
        {
            findings.obstacles.append(problem)
        }
        // What is read over a network is looked at when it has been read, once.
        var counted: StoreSize?
        if findings.obstacles.isEmpty, !destination.rules.admitsAll(of: source.rules), !source.isRemote {
            counted = try surveyEntries(&findings)
        }
        // What an earlier run has written already needs no room any more.
        let isPartlyFilled =
            destination is any KeyValueStore && (isContinuation || options.start != nil)
        if !isPartlyFilled, let problem = try roomProblem(counted) { findings.obstacles.append(problem) }
    }

    /// Looks again at what a run that is only to be confirmed says of its source.
    func lookAtSource() throws -> Findings {
        var findings = Findings()
        findings.add(try source.sourceFindings(), ofTheSourceWith: options)
        findings.add(try SealReading.read(source))
        if !source.isRemote, destination.serverUse != nil {
            findings.remarks += try StoreLayout.read(source).remarks(for: destination)
        }
        return findings
    }

    private func sourceProblem() throws -> String? {
        do throws(StorageError) {
            var missing: [String] = []
            for key in [StorageKey.keyring, .sealConfiguration] where try source.get(key) == nil {
                missing.append("\(key)")
            }
            // A keyring of the first releases has another name.
            if missing == ["\(StorageKey.keyring)"], try source.get(.firstKeyring) != nil { return nil }
            guard !missing.isEmpty else { return nil }
            if try isEmpty(source, from: nil) { return Self.emptySource(source) }
            guard !options.allowsAnyData else { return nil }
            var lost: [String] = []
            for key in [StorageKey.keyring, .sealConfiguration] where try LostEntries.place(of: key, in: source) != nil
            {
                lost.append("\(key)")
            }
            guard lost.isEmpty else {
                return
                    "the source (\(source.kind) \(source.location)) has lost \(lost.joined(separator: " and ")): the "
                    + "file "
                    + "is there and has zero length, as a crash can leave it. No server can unseal the store without "
                    + "it. Restore it from a backup; to copy the rest all the same, add -allow-any-data and "
                    + "-allow-lost-entries."
            }
            return
                "the source (\(source.kind) \(source.location)) has no \(missing.joined(separator: " and no ")): it is "
                + "not the store of an initialised Vault or OpenBao. Check its path and options; to copy it all the "
                + "same, add -allow-any-data."
        } catch {
            throw MigrationFailure.stage("error reading entry: ", error)
        }
    }

    /// What is said of a source without entries.
    static func emptySource(_ source: any StorageSource) -> String {
        "the source (\(source.kind) \(source.location)) holds no entries. Nothing was migrated: check its path and "
            + "options."
    }

    /// Entries to ask for at a time when the first one decides.
    private static let entriesOfALook = 100

    /// Whether a store has no entry of its own at or behind a key.
    private func isEmpty(_ store: any StorageSource, from start: StorageKey?) throws(StorageError) -> Bool {
        let filter = EntryFilter(start: start)
        var request = ScanRequest(content: .keys, readers: 1)
        request.pageEntries = Self.entriesOfALook
        request.isCancelled = { [cancellation = context.cancellation] in cancellation.isCancelled }
        var isEmpty = true
        try store.scanAll(request) { batch throws(StorageError) in
            filter.apply(to: batch)
            isEmpty = batch.count == 0
            return isEmpty
        }
        return isEmpty
    }

    /// Why entries that are already at a key-value destination keep the run from starting.
    private func occupancyProblem(isContinuation: Bool) throws -> String? {
        guard let filled = destination as? any KeyValueStore else { return nil }
        if isContinuation || options.start != nil {
            // Keys are rotated in a store's life; what a rollback goes into is known by all of its entries.
            if options.mode == .rollback { return nil }
            // Under this job's own marker there is what it has written, and keys are rotated beside warm passes.
            if carriesOwnMarker, options.start == nil { return nil }
            if options.mode == .repair { return try repairProblem(filled) }
            // Its own earlier entries may be replaced, another store's never.
            guard let there = try keyring(of: filled, isContinuation: isContinuation),
                let here = try source.get(.keyring), there != here
            else { return nil }
            return "the destination (\(destination.location)) holds another store: its core/keyring differs from the "
                + "source's. Name an empty destination."
        }
        guard try !isEmpty(filled, from: nil) else { return nil }
        return
            "the destination (\(destination.kind) \(destination.location)) is not empty. Entries of two stores would "
            + "mix: empty it, or name another one. To go on where another tool stopped, give -start."
    }

    /// Why a destination is none that can be repaired: only a store with the source's own keyring is, or an empty one.
    private func repairProblem(_ filled: any KeyValueStore) throws -> String? {
        let (there, here) = (try keyring(of: filled, isContinuation: true), try source.get(.keyring))
        if there == here, there != nil || options.allowsAnyData { return try upgradeProblem(filled) }
        guard try !isEmpty(filled, from: nil) else { return nil }
        return
            "the destination (\(destination.location)) holds another store: its core/keyring is not the source's, or "
            + "is missing. Only what this migration has filled is repaired. Empty it and migrate once more."
    }

    /// Why a repair would take back what has made the destination fit for newer servers than the source's, or what unseals it;
    /// `nil` if it would not.
    private func upgradeProblem(_ filled: any KeyValueStore) throws -> String? {
        let forms = (try SealReading.read(source)?.rootKey, try SealReading.read(filled)?.rootKey)
        let isLost = forms.0 == .missing
        guard isLost || forms.0 == .legacy || forms.0 == .perhapsStale, forms.1 == .stored else { return nil }
        let wanted = SealUpgrade.keys.filter { options.scope.contains($0) }
        let keys = try wanted.filter { try source.get($0) != filled.get($0) }
        guard !keys.isEmpty else { return nil }
        let names = keys.map { "\($0)" }.joined(separator: ", ")
        return
            (isLost
            ? "the destination (\(destination.location)) has what unseals it, and the source has lost it. A repair would remove "
                + "that (\(names)), and no server would unseal either. Restore it at the source. "
            : "the destination (\(destination.location)) was made fit for today's servers (-upgrade-legacy-seal), and the "
                + "source is of before Vault 1.3. A repair would take that back (\(names)), and OpenBao would not unseal it "
                + "any more. ")
            + "To put everything else right, add \(keys.map { "-exclude \($0)" }.joined(separator: " ")). To make it as the "
            + "source is, migrate once more into an empty store."
    }

    /// What tells one store from another. Where this very job was cut off by a power cut, the entry may be no whole one.
    private func keyring(of store: any KeyValueStore, isContinuation: Bool) throws(StorageError) -> [UInt8]? {
        do throws(StorageError) {
            return try store.get(.keyring)
        } catch {
            guard isContinuation, error.code == .damagedEntry else { throw error }
            return nil
        }
    }

    /// Looks once more, now that the destination's marker keeps servers from it: whatever came in between is not ours.
    ///
    /// - Parameter withdraw: Takes the marker back.
    func refuseWhatCame(isContinuation: Bool, withdraw: () throws -> Void) throws {
        // Over a network another look would cost as much as the first.
        guard !destination.isRemote, let problem = try occupancyProblem(isContinuation: isContinuation)
        else { return }
        try withdraw()
        throw MigrationFailure.migrating(problem)
    }

    /// - Parameter counted: What a look at every key found.
    private func roomProblem(_ counted: StoreSize?) throws -> String? {
        do {
            return try RoomCheck(destination: destination).problem(of: source, counted: counted) {
                [cancellation = context.cancellation] in cancellation.isCancelled
            }
        } catch {
            throw MigrationFailure.stage("error reading entry: ", error)
        }
    }

    /// Looks for entries of the source that the destination could not keep: at every key, and where it is worth reading
    /// the source twice, at the size of every value.
    ///
    /// - Returns: Entries and directories of the source, if it was looked at.
    private func surveyEntries(_ findings: inout Findings) throws -> StoreSize? {
        let rules = destination.rules
        guard rules.concernsKeys || rules.concernsValues else { return nil }
        findings.survey = rules.concernsValues ? .everything : .keys
        var count = SizeCount()
        var offenders = Offenders(rules: destination.rules)
        var rivals = RivalCheck(source: source, rules: destination.rules)
        let filter = EntryFilter(scope: options.scope)
        var request = ScanRequest(content: rules.concernsValues ? .entries : .keys)
        request.pool = BatchPool(keepsValues: false)
        request.isCancelled = { [cancellation = context.cancellation] in cancellation.isCancelled }
        try source.scanAll(request) { batch throws(StorageError) in
            filter.apply(to: batch)
            offenders.check(batch)
            for index in 0..<batch.count {
                count.add(batch.key(index))
                try rivals.check(batch.key(index), &offenders)
            }
            request.pool.recycle(batch)
            return true
        }
        if let problem = offenders.problem(destination) { findings.obstacles.append(problem) }
        return source.traits.isAscending ? count.size : StoreSize(entries: count.size.entries)
    }

    /// Reads the whole source as a migration would, for a dry run.
    ///
    /// - Parameter survey: What the look before took in, and named.
    /// - Returns: Obstacles that were not named before.
    func readAll(into summary: inout MigrationSummary, after survey: Survey) throws -> [String] {
        let notes = ScanNotes(scope: options.scope)
        var scanOptions = DigestedScan.Options()
        scanOptions.request.note = { notes.add($0) }
        scanOptions.request.isCancelled = { [cancellation = context.cancellation] in cancellation.isCancelled }
        scanOptions.filter = EntryFilter(scope: options.scope)
        scanOptions.writesManifestLines = true
        scanOptions.request.readers = options.maximumParallel
        scanOptions.unlisted = options.listedOnly ? .leaveOut : .keep
        scanOptions.barrier = options.barrier
        var proof: ProofTally?
        context.counters.restart(.copying, expectedEntries: source.estimatedEntries())
        let scan = DigestedScan(source, scanOptions)
        defer { scan.stop() }
        var offenders = Offenders(rules: destination.rules)
        var digest = try KeyspaceDigest()
        var upgrade = SealUpgradeWatch(source)
        do {
            while let batch = try scan.nextBatch() {
                upgrade.take(batch.entries)
                if survey != .everything { offenders.check(batch.entries, namesKeys: survey == .none) }
                summary.totals.add(batch)
                try digest.add(batch.manifestLines)
                if let more = batch.proof { proof = (proof ?? ProofTally()).adding(more) }
                context.counters.add(entries: batch.count, bytes: batch.entries.byteCount)
                batch.recycle()
            }
        } catch {
            throw MigrationFailure.stage("error reading entry: ", error)
        }
        try upgrade.demand()
        summary.keyspaceDigest = try digest.finish()
        if let barrier = scanOptions.barrier {
            var outcome = ProofOutcome(barrier, proof ?? ProofTally())
            outcome.isOfSource = true
            summary.proof = outcome
        }
        summary.leftOut = scanOptions.filter.leftOut
        summary.notes = notes.counts
        summary.noteExamples = notes.examples
        summary.lost = notes.lost
        summary.sourceActivity = source.meter?.activity()
        return options.lostProblem(notes.lost, source) + (offenders.problem(destination).map { [$0] } ?? [])
    }

    /// Ends the run if there is an obstacle, naming all of them.
    static func refuseObstacles(_ findings: Findings, _ context: RunContext) throws {
        for remark in findings.remarks { context.logger.info("remark", ["about": .string(remark)]) }
        guard let first = findings.obstacles.first else { return }
        let others = findings.obstacles.dropFirst().map { "\nAlso: \($0)" }.joined()
        throw MigrationFailure.migrating(first + others)
    }
}
