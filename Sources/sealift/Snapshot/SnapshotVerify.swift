import Flags
import Migration
import RaftSnapshotBackend
import Storage
import Telemetry
import Workers

/// `sealift snapshot verify`.
let snapshotVerifyCommand = CommandSpec(
    path: ["sealift", "snapshot", "verify"],
    summary: "Say of each file whether it is a whole snapshot, or what it is instead",
    description: """
        Reads each archive to its end, checks its checksums and every entry, and says in one line what it holds and \
        what a restore \
        of it needs: seal, shares and threshold, or the service's key; index; whether core/raft/tls is there. A \
        file that is no \
        snapshot is named as what it is: empty, cut off, a server's error or redirect, an HTML page, packed twice, \
        encrypted, a copy \
        of vault.db, a snapshot of another program. What the entries are is looked at as `check -structure` does. No secret is \
        needed; the seal's own sums (SHA256SUMS.sealed) are checked by `sealift prove`, with key shares.

        With -baseline an archive is also held against an older one: one that has lost more than -most-lost of its \
        entries, or \
        stands at an older index, counts as different. The baseline is an archive, or a file of lines that this \
        command has printed \
        with -format=json, of which the last good one counts.

        Exit codes: 0 every file is a good archive; 1 flags; 2 some file is none, is damaged, or cannot be read; 3 \
        all are whole, \
        and some differ from the baseline; 130 interrupted.
        """,
    examples: [
        .init("One, or many:", "sealift snapshot verify backup.snap"),
        .init(
            "Every night, held against the last good one:",
            "sealift snapshot verify -format=json -baseline backup.snap -most-lost 5% tonight.snap"),
    ],
    flags: [
        .string(
            "baseline", placeholder: "path",
            help: "An older archive, or a file of this command's JSON lines, to hold each archive against.",
            completion: .file),
        .string(
            "most-lost", placeholder: "share", default: "10%",
            help: "The share of the baseline's entries that may be gone, such as 5%."),
        CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
    ],
    positional: [.init("FILE", help: "archives, any number", completion: .file)])

/// Runs `snapshot verify`.
struct SnapshotVerify {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { logger in
            let paths = try SnapshotArguments.paths(flags)
            guard !paths.isEmpty else { throw MigrationFailure(.configuration, "Name the files to verify.") }
            let cancellation = CancellationToken()
            try console.watchSignals(cancellation, announcement: nil)
            do {
                return try verify(paths, logger, cancellation)
            } catch let error as StorageError where error.code == .cancelled {
                throw MigrationFailure(.interrupted, "Interrupted. Nothing was changed.")
            }
        }
    }

    private func verify(_ paths: [String], _ logger: Logger, _ cancellation: CancellationToken) throws -> Int32 {
        guard flags.isSet("baseline") || !flags.isSet("most-lost") else {
            throw MigrationFailure(.configuration, "-most-lost goes with -baseline.")
        }
        let baseline = flags.isSet("baseline") ? try SnapshotArguments.baseline(flags, cancellation) : nil
        let counters = ProgressCounters()
        let display = ProgressDisplay(counters, style: console.progressStyle(flags, logger))
        defer { display.finish(showingLast: false) }
        let verification = SnapshotVerification(
            baseline: baseline, visitors: { [StructureVisitor()] }, passed: { counters.add(entries: $0, bytes: $1) })
        var (areAllWhole, areAllSame) = (true, true)
        for path in paths {
            counters.restart(.reading)
            let report = try verification.verify(path, isCancelled: { cancellation.isCancelled })
            if flags.string("format") == "json" {
                EventWriter().emit("snapshot", report.members)
            } else {
                console.printResult("\(report.shownPath): \(report.line)")
            }
            switch report.verdict {
            case .good: break
            case .different: areAllSame = false
            case .wrong, .unreadable: areAllWhole = false
            }
        }
        if !areAllWhole { return MigrationFailure.Kind.failed.rawValue }
        return areAllSame ? 0 : MigrationFailure.Kind.differences.rawValue
    }
}

/// What the commands on archives take.
enum SnapshotArguments {
    /// The files named; bytes that are no text name no file here.
    static func paths(_ flags: ParsedFlags) throws(MigrationFailure) -> [String] {
        try flags.arguments.map { bytes throws(MigrationFailure) in
            guard let path = String(validating: bytes, as: UTF8.self), !path.isEmpty else {
                throw MigrationFailure(
                    .configuration, "\(StorageKey(bytes)) is the name of no file: it is empty, or no UTF-8.")
            }
            return path
        }
    }

    static func baseline(
        _ flags: ParsedFlags, _ cancellation: CancellationToken
    ) throws -> SnapshotVerification.Baseline {
        let path = flags.string("baseline")
        guard !path.isEmpty else { throw MigrationFailure(.configuration, "-baseline names no file.") }
        let share = flags.string("most-lost")
        guard share.utf8.last == UInt8(ascii: "%"), let percent = Double(share.dropLast()), (0..<100).contains(percent)
        else {
            throw MigrationFailure(
                .configuration, "-most-lost is a share of at least 0% and below 100%, such as 10%.")
        }
        return try SnapshotVerification.Baseline(
            path: path, mostLost: percent / 100, isCancelled: { cancellation.isCancelled })
    }
}
