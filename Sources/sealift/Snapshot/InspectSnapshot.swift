import Flags
import Migration
import RaftFormat
import RaftSnapshotBackend
import Storage
import Telemetry
import Workers

/// `sealift inspect snapshot`.
let inspectSnapshotCommand = CommandSpec(
    path: ["sealift", "inspect", "snapshot"], summary: "Show what a snapshot holds and what a restore of it needs",
    description: """
        Reads an archive to its end, verifies it, and shows its index, term and membership, its entries, its seal, \
        and what a \
        restore needs. Values are never shown. Exit codes as those of `sealift snapshot verify`, which takes many.
        """,
    examples: [
        .init("An archive:", "sealift inspect snapshot backup.snap"),
        .init("For programs:", "sealift inspect snapshot -format=json backup.snap"),
    ],
    flags: [CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format],
    positional: [.init("FILE", help: "the archive", completion: .file)])

/// Runs `inspect snapshot`.
struct InspectSnapshot {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { _ in
            guard let path = try SnapshotArguments.paths(flags).first, flags.arguments.count == 1 else {
                throw MigrationFailure(.configuration, "Name one archive.")
            }
            let cancellation = CancellationToken()
            try console.watchSignals(cancellation, announcement: nil)
            let report: SnapshotReport
            do throws(StorageError) {
                report = try SnapshotVerification().verify(path, isCancelled: { cancellation.isCancelled })
            } catch {
                throw MigrationFailure(.interrupted, "Interrupted. Nothing was changed.")
            }
            if flags.string("format") == "json" {
                EventWriter().emit("snapshot", report.members)
            } else {
                console.printResult(report.contents == nil ? "\(report.shownPath): \(report.line)" : report.text)
            }
            return report.verdict == .good ? 0 : MigrationFailure.Kind.failed.rawValue
        }
    }
}

extension SnapshotReport {
    /// Lines for a person.
    fileprivate var text: String {
        guard let meta = contents?.meta else { return line }
        var lines = [
            shownPath,
            "  archive     \(formatBytes(fileBytes)), whole; \(sealedSumsText)",
            "  entries     \(formatCount(entries)), \(formatBytes(contentBytes))",
            "  position    index \(meta.position.index), term \(meta.position.term)",
        ]
        let servers = meta.configuration.servers
        lines.append(
            "  members     "
                + (servers.isEmpty ? "none named" : "\(servers.count), as of index \(meta.configuration.index)"))
        for server in servers {
            lines.append(
                "                \(StorageKey(server.id)) at \(StorageKey(server.address)), \(server.suffrage)")
        }
        lines.append("  seal        \(sealText)")
        lines.append("  TLS keys    " + (hasKeyRing ? "core/raft/tls is there" : "core/raft/tls is missing"))
        if let defect { lines.append("  wrong       \(defect.message)") }
        for finding in findings {
            lines.append("  \(finding.weight == .remark ? "note  " : finding.weight.rawValue)      \(finding.message)")
        }
        lines.append("  restore     \(restoreText)")
        return lines.joined(separator: "\n")
    }

    private var restoreText: String {
        guard defect == nil else { return "none" }
        guard hasKeyRing else { return "not into a running cluster; make a directory of it" }
        guard let seal else { return "operator raft snapshot restore -force" }
        return "operator raft snapshot restore -force, "
            + (seal.unsealsItself
                ? "into a cluster with the same seal (\(seal.type))"
                : "into a cluster with "
                    + (seal.shares.map { "\($0) shares" } ?? "as many shares")
                    + (seal.threshold.map { " and threshold \($0)" } ?? " and the same threshold")
                    + "; then unseal with the archive's shares")
    }
}
