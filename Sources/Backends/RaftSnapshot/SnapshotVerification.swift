import Barrier
package import RaftFormat
package import Storage

/// Looks at every entry of an archive while it is verified, in the archive's order; one thread at a time.
///
/// The place where a check of what the entries are becomes part of an archive's verdict.
package protocol SnapshotVisitor: AnyObject {
    /// Looks at an entry; key and value are borrowed for the call.
    func visit(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer)
    /// What was found, asked once, when the archive was read to its end and its checksums were right.
    func findings() -> [SnapshotFinding]
}

/// Something to be said of an archive that is whole.
package struct SnapshotFinding: Sendable, Equatable {
    package enum Weight: String, Sendable {
        /// Worth knowing; the archive is good.
        case remark
        /// The archive is another than it should be: it counts as a difference.
        case difference
        /// The archive is none to rely on.
        case fault
    }

    package let weight: Weight
    /// What it is, for programs.
    package let code: String
    /// What was found, and what to do, in sentences.
    package let message: String

    package init(_ weight: Weight, _ code: String, _ message: String) {
        self.weight = weight
        self.code = code
        self.message = message
    }
}

/// What verifying one archive has shown.
package struct SnapshotReport: Sendable {
    package enum Verdict: String, Sendable {
        case good = "ok"
        /// Whole, and less or older than the one that it was held against.
        case different
        /// Not whole, none, or none to rely on.
        case wrong
        /// The system does not let it be read.
        case unreadable
    }

    package let path: String
    /// Bytes of the file.
    package var fileBytes = 0
    /// Why it is none; `nil` if it is whole.
    package var defect: SnapshotDefect?
    /// Why it could not be read; `nil` if it could.
    package var problem: String?
    package var contents: SnapshotParser.Contents?
    package var entries = 0
    /// Bytes of keys and values.
    package var contentBytes = 0
    /// How the store is sealed, as far as it says.
    package var seal: SealDescription?
    /// The number of the service's mechanism that stands in the stored key; `nil` where shares unseal.
    package var sealMechanism: UInt64?
    /// Whether a cluster that restores it would find its ring of keys.
    package var hasKeyRing = false
    package var findings: [SnapshotFinding] = []

    package var verdict: Verdict {
        if problem != nil { return .unreadable }
        if defect != nil || findings.contains(where: { $0.weight == .fault }) { return .wrong }
        return findings.contains { $0.weight == .difference } ? .different : .good
    }

    init(path: String) { self.path = path }
}

/// Verifies archives: container, checksums, every entry, and what it takes to restore one.
package struct SnapshotVerification {
    /// What archives are held against.
    package struct Baseline: Sendable, Equatable {
        /// How it is called in messages.
        package var name: String
        package var entries: Int
        package var index: UInt64
        /// The share of entries that may be gone, 0 to 1.
        package var mostLost: Double

        package init(name: String, entries: Int, index: UInt64, mostLost: Double) {
            self.name = name
            self.entries = entries
            self.index = index
            self.mostLost = mostLost
        }
    }

    private let baseline: Baseline?
    private let visitors: () -> [any SnapshotVisitor]
    private let passed: (_ entries: Int, _ bytes: Int) -> Void

    /// - Parameters:
    ///   - baseline: What archives are held against; `nil` if nothing.
    ///   - visitors: Makes those who look at the entries of one archive.
    ///   - passed: Told now and then of entries that were looked at, and their bytes.
    package init(
        baseline: Baseline? = nil, visitors: @escaping () -> [any SnapshotVisitor] = { [] },
        passed: @escaping (_ entries: Int, _ bytes: Int) -> Void = { _, _ in }
    ) {
        self.baseline = baseline
        self.visitors = visitors
        self.passed = passed
    }

    /// Reads an archive to its end.
    ///
    /// - Throws: `.cancelled` only; all else is in the report.
    package func verify(
        _ path: String, isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) -> SnapshotReport {
        var report = SnapshotReport(path: path)
        do {
            let file = try SnapshotFile(path: path)
            report.fileBytes = file.size
            try read(file, &report, isCancelled)
        } catch let defect as SnapshotDefect {
            report.defect = defect
        } catch let error as StorageError {
            if error.code == .cancelled { throw error }
            report.problem = error.message
        } catch {
            report.problem = "\(path): \(error)"
        }
        return report
    }

    private func read(
        _ file: SnapshotFile, _ report: inout SnapshotReport, _ isCancelled: @escaping @Sendable () -> Bool
    ) throws {
        try file.checkBeginning()
        let stream = try SnapshotStream(file, isCancelled: isCancelled)
        defer { stream.stop() }
        let visitors = visitors()
        var frames = SnapshotFrames()
        var tally = Tally()
        while let piece = stream.next() {
            switch piece {
            case .failure(let error): throw error
            case .bytes(let bytes):
                let before = (tally.entries, tally.bytes)
                _ = try bytes.withUnsafeBytes { bytes in
                    try frames.take(bytes) { key, value in
                        tally.add(key, value)
                        for visitor in visitors { visitor.visit(key, value) }
                        return true
                    }
                }
                passed(tally.entries - before.0, tally.bytes - before.1)
                stream.recycle(bytes)
            case .end(let contents):
                try frames.finish()
                try conclude(tally, contents, &report)
                report.findings += visitors.flatMap { $0.findings() }
            }
        }
    }

    private func conclude(
        _ tally: Tally, _ contents: SnapshotParser.Contents, _ report: inout SnapshotReport
    ) throws(SnapshotDefect) {
        report.contents = contents
        report.entries = tally.entries
        report.contentBytes = tally.bytes
        guard tally.entries > 0 else {
            throw SnapshotDefect(
                .noEntries,
                "the archive is whole and holds no entries: it was taken of a server without a store. Look at "
                    + "which server it is."
            )
        }
        let values = tally.known.values
        let missing = [StorageKey.keyring, .sealConfiguration].filter { values[$0] == nil }
        guard missing.isEmpty else {
            throw SnapshotDefect(
                .notInitialised,
                "the archive is whole and has no \(missing.map { "\($0)" }.joined(separator: " and no ")): it is "
                    + "not of an "
                    + "initialised Vault or OpenBao.")
        }
        report.seal = SealReading.read { values[$0] }
        if report.seal?.unsealsItself == true {
            report.sealMechanism = values[.storedRootKey].flatMap { SealedBlob($0)?.mechanism }
        }
        report.hasKeyRing = tally.hasKeyRing
        report.findings += remarks(tally, contents, report.seal)
        report.findings += baseline.map { differences(tally, contents, $0) } ?? []
    }

    private func remarks(
        _ tally: Tally, _ contents: SnapshotParser.Contents, _ seal: SealDescription?
    ) -> [SnapshotFinding] {
        var found: [SnapshotFinding] = []
        if !tally.hasKeyRing {
            found.append(
                SnapshotFinding(
                    .remark, "no_key_ring",
                    "It has no core/raft/tls: a cluster that restores it elects no leader any more. Make a "
                        + "directory of it instead "
                        + "(storage_source \"raft_snapshot\", storage_destination \"raft\")."))
        }
        if contents.sealedSums ?? 0 == 0 {
            found.append(
                SnapshotFinding(
                    .remark, "no_sealed_sums",
                    "SHA256SUMS.sealed is \(contents.sealedSums == nil ? "absent" : "empty"): a server takes it "
                        + "with restore "
                        + "-force only."))
        }
        if tally.disorder > 0 {
            found.append(
                SnapshotFinding(
                    .remark, "disorder",
                    "Its keys are in no order (\(tally.disorder) times), which no server writes: it was made by "
                        + "another program."
                ))
        }
        if contents.strayBytes > 0 {
            found.append(
                SnapshotFinding(
                    .remark, "stray_bytes",
                    "\(contents.strayBytes) bytes follow behind the end of the tar archive, which some servers' "
                        + "checks count as "
                        + "damage."))
        }
        return found + (seal?.remarks ?? []).map { SnapshotFinding(.remark, "seal", $0) }
    }

    private func differences(
        _ tally: Tally, _ contents: SnapshotParser.Contents, _ baseline: Baseline
    ) -> [SnapshotFinding] {
        var found: [SnapshotFinding] = []
        let lost = baseline.entries - tally.entries
        if Double(lost) > Double(baseline.entries) * baseline.mostLost {
            found.append(
                SnapshotFinding(
                    .difference, "fewer_entries",
                    "It holds \(tally.entries) entries and \(baseline.name) \(baseline.entries): \(lost) fewer, "
                        + "more than may be gone. "
                        + "See what (sealift snapshot diff), before the older one is deleted."))
        }
        if contents.meta.position.index < baseline.index {
            found.append(
                SnapshotFinding(
                    .difference, "older",
                    "It stands at index \(contents.meta.position.index) and \(baseline.name) at \(baseline.index): "
                        + "it is the older "
                        + "one, or of another cluster."))
        }
        return found
    }
}

/// What is kept of an archive's entries while they pass.
private struct Tally {
    var entries = 0
    var bytes = 0
    /// Entries whose key is not behind the one before.
    var disorder = 0
    var hasKeyRing = false
    var known = KnownEntries()
    private var last: [UInt8] = []

    mutating func add(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if entries > 0, last.withBytes({ compareBytes(key, $0) }) <= 0 { disorder += 1 }
        last.removeAll(keepingCapacity: true)
        last.append(contentsOf: key)
        entries += 1
        bytes += key.count + value.count
        guard key.starts(with: CoreEntries.folder) else { return }
        if key.elementsEqual(StorageKey.raftKeyRing.bytes) { hasKeyRing = true }
        known.take(key, value)
    }
}

/// The entries by which a store says how it is sealed.
private struct KnownEntries {
    private static let keys: [StorageKey] = [.keyring, .sealConfiguration, .storedRootKey, .shamirKey]
    private static let mostBytes = 1 << 20

    private(set) var values: [StorageKey: [UInt8]] = [:]

    mutating func take(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        guard let known = Self.keys.first(where: { key.elementsEqual($0.bytes) }) else { return }
        values[known] = Array(value.prefix(Self.mostBytes))
    }
}
