import Flags
import Glibc
import JSON
import Migration
import RaftFormat
import RaftSnapshotBackend
import Storage
import Telemetry
import Wording

/// `sealift snapshot`: archives of integrated storage, without a server.
let snapshotCommand = CommandSpec(
    path: ["sealift", "snapshot"], summary: "Verify and compare snapshots of integrated storage, without a server",
    description: """
        Commands on archives of `operator raft snapshot save`, Vault's and OpenBao's. No server and no secret is \
        needed. An archive \
        is migrated into any other storage as storage_source "raft_snapshot", and one is made as storage_destination \
        "raft_snapshot" (sealift help backends raft_snapshot).
        """,
    subcommands: [snapshotVerifyCommand, snapshotDiffCommand])

extension SnapshotReport {
    /// One line, without the path.
    var line: String {
        if let problem { return "unreadable: \(problem)" }
        if let defect { return "wrong (\(defect.kind.rawValue)): \(defect.message)" }
        guard let contents else { return "wrong" }
        var parts = [
            counted(entries, "entry", "entries") + ", \(formatBytes(contentBytes))",
            "index \(contents.meta.position.index), term \(contents.meta.position.term)", sealText,
            hasKeyRing ? "core/raft/tls is there" : "no core/raft/tls", sealedSumsText,
        ]
        // What the facts do not say already.
        parts += findings.filter { !["no_key_ring", "no_sealed_sums"].contains($0.code) }.map(\.message)
        return "\(verdict.rawValue): " + parts.joined(separator: "; ")
    }

    /// How it is unsealed.
    var sealText: String {
        guard let seal else { return "its seal cannot be read" }
        return seal.summary + (sealMechanism.map { " (mechanism \($0))" } ?? "")
    }

    var sealedSumsText: String {
        switch contents?.sealedSums {
        case nil: "seal sums absent"
        case 0?: "seal sums empty"
        case .some: "seal sums present (not checked)"
        }
    }

    /// The same for a program.
    var members: [(String, JSONText)] {
        let meta = contents?.meta
        return [
            ("path", .string(shownPath)), ("verdict", .string(verdict.rawValue)),
            ("defect", .optional(defect?.kind.rawValue)), ("message", .optional(problem ?? defect?.message)),
            ("file_bytes", .integer(fileBytes)), ("entries", .integer(entries)),
            ("content_bytes", .integer(contentBytes)),
            ("index", .optional(meta.map { Int(clamping: $0.position.index) })),
            ("term", .optional(meta.map { Int(clamping: $0.position.term) })),
            ("servers", .array((meta?.configuration.servers ?? []).map(\.json))),
            ("seal", sealMembers), ("has_key_ring", contents == nil ? .null : .boolean(hasKeyRing)),
            (
                "sealed_sums",
                contents == nil
                    ? .null : .string(contents?.sealedSums.map { $0 > 0 ? "present" : "empty" } ?? "absent")
            ),
            (
                "findings",
                .array(
                    findings.map { finding in
                        .object([
                            ("weight", .string(finding.weight.rawValue)), ("code", .string(finding.code)),
                            ("message", .string(finding.message)),
                        ])
                    })
            ),
        ]
    }

    private var sealMembers: JSONText {
        guard let seal else { return .null }
        return .object([
            ("type", .string(seal.type)), ("shares", .optional(seal.shares)), ("threshold", .optional(seal.threshold)),
            ("key_id", .optional(seal.keyID)), ("mechanism", .optional(sealMechanism.map { Int(clamping: $0) })),
            ("is_legacy", .boolean(seal.isLegacy)),
        ])
    }

    /// The path on one line.
    var shownPath: String { "\(StorageKey(path))" }
}

extension ClusterServer {
    fileprivate var json: JSONText {
        .object([
            ("id", .string("\(StorageKey(id))")), ("address", .string("\(StorageKey(address))")),
            ("suffrage", .string("\(suffrage)")),
        ])
    }
}

extension SnapshotVerification.Baseline {
    private static let mostBytes = 1 << 20

    /// Reads what archives are held against: another archive, or what `snapshot verify -format=json` printed of one.
    ///
    /// - Throws: If it is neither, or an archive that is wrong itself.
    init(path: String, mostLost: Double, isCancelled: @escaping @Sendable () -> Bool) throws {
        if let (entries, index) = try Self.printed(path) {
            self.init(name: "the one before", entries: entries, index: UInt64(index), mostLost: mostLost)
            return
        }
        let report = try SnapshotVerification().verify(path, isCancelled: isCancelled)
        guard report.verdict == .good, let meta = report.contents?.meta else {
            throw MigrationFailure(
                .failed, "the archive of -baseline cannot be held against: \(report.shownPath): \(report.line)")
        }
        self.init(name: report.shownPath, entries: report.entries, index: meta.position.index, mostLost: mostLost)
    }

    /// The last good line of a file of such lines; `nil` if it is no such file.
    private static func printed(_ path: String) throws -> (entries: Int, index: Int)? {
        guard let text = try SmallFile.text(path, most: mostBytes, ifItBeginsWith: UInt8(ascii: "{")) else {
            return nil
        }
        let parser = try JSONParser()
        var found: (Int, Int)?
        for line in text.split(separator: UInt8(ascii: "\n")) {
            line.withUnsafeBytes { line in
                guard let node = try? parser.parse(line), node["event"]?.text == "snapshot",
                    node["verdict"]?.text == SnapshotReport.Verdict.good.rawValue,
                    let entries = node["entries"]?.integer,
                    let index = node["index"]?.integer, entries > 0, index >= 0
                else { return }
                found = (entries, index)
            }
        }
        guard let found else {
            throw MigrationFailure(
                .configuration,
                "\(path) holds no line of a good archive as `sealift snapshot verify -format=json` prints it. Name "
                    + "such a file, or "
                    + "an archive.")
        }
        return found
    }
}
