import Flags
import Migration
import RaftFormat
import RaftSnapshotBackend
import Storage
import Telemetry
import Workers

/// `sealift snapshot diff`.
let snapshotDiffCommand = CommandSpec(
    path: ["sealift", "snapshot", "diff"], summary: "Show what changed between two snapshots",
    description: """
        Reads two archives and compares every entry by its SHA-256: + only in the second, - only in the first, * \
        different. \
        Below the keys stand counts by prefix. The active node's lock (core/lock) and pieces of unfinished writes \
        are left out. \
        Values are never shown.

        Exit codes: 0 both hold the same; 1 flags; 2 an archive is none, is damaged or cannot be read; 3 they \
        differ; 130 \
        interrupted.
        """,
    examples: [
        .init("What the last day brought:", "sealift snapshot diff yesterday.snap backup.snap"),
        .init(
            "Only counts by prefix, for programs:",
            "sealift snapshot diff -summary -format=json yesterday.snap backup.snap"),
    ],
    flags: [
        .boolean("summary", help: "Show the counts only, and no key."),
        CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
    ],
    positional: [
        .init("OLD", help: "the archive that came first", completion: .file),
        .init("NEW", help: "the archive to compare it with", completion: .file),
    ])

/// Runs `snapshot diff`.
struct SnapshotDiff {
    private static let maximumShown = 1000

    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { logger in
            let paths = try SnapshotArguments.paths(flags)
            guard paths.count == 2 else {
                throw MigrationFailure(.configuration, "Name two archives, the older one first.")
            }
            let cancellation = CancellationToken()
            try console.watchSignals(cancellation, announcement: nil)
            do {
                return try compare(paths[0], paths[1], logger, cancellation)
            } catch let error as StorageError where error.code == .cancelled {
                throw MigrationFailure(.interrupted, "Interrupted. Nothing was changed.")
            }
        }
    }

    private var isJSON: Bool { flags.string("format") == "json" }

    private func compare(
        _ old: String, _ new: String, _ logger: Logger, _ cancellation: CancellationToken
    ) throws -> Int32 {
        let first = try SnapshotSource(path: old, isCancelled: { cancellation.isCancelled })
        defer { first.close() }
        let second = try SnapshotSource(path: new, isCancelled: { cancellation.isCancelled })
        defer { second.close() }
        let context = RunContext(
            logger: logger, counters: ProgressCounters(), cancellation: cancellation,
            environment: console.environment, version: sealiftVersion)
        let display = ProgressDisplay(context.counters, style: console.progressStyle(flags, logger))
        defer { display.finish(showingLast: false) }
        var changes = ChangesByPrefix()
        var shown = 0
        let check = StoreCheck(second, against: .store(first), scope: KeyScope(), context: context)
        let result = try check.run { verdict, key in
            guard verdict != .same else { return }
            changes.count(verdict, key)
            guard !flags.boolean("summary") else { return }
            shown += 1
            if isJSON {
                EventWriter().emit(
                    "difference", [("verdict", .string(verdict.sign)), ("key", .string(escapedKey(key)))])
            } else if shown <= Self.maximumShown {
                console.printResult("\(verdict.sign) \(escapedKey(key))")
            }
        }
        display.finish(showingLast: false)
        if shown > Self.maximumShown, !isJSON {
            console.printResult("… and \(formatCount(shown - Self.maximumShown)) more; -format=json lists all")
        }
        tell(result.counts, changes, first, second)
        return result.counts.isAllSame ? 0 : MigrationFailure.Kind.differences.rawValue
    }

    private func tell(
        _ counts: ComparisonCounts, _ changes: ChangesByPrefix, _ first: SnapshotSource, _ second: SnapshotSource
    ) {
        let indexes = [first, second].map { $0.meta.map { Int(clamping: $0.position.index) } }
        if isJSON {
            for change in changes.sorted {
                EventWriter().emit(
                    "prefix",
                    [
                        ("prefix", .string(change.name)), ("extra", .integer(change.extra)),
                        ("missing", .integer(change.missing)), ("different", .integer(change.different)),
                    ])
            }
            EventWriter().emit(
                "result",
                [
                    ("same", .integer(counts.same)), ("extra", .integer(counts.extra)),
                    ("missing", .integer(counts.missing)), ("different", .integer(counts.different)),
                    ("old_index", .optional(indexes[0])), ("new_index", .optional(indexes[1])),
                ])
            return
        }
        var lines = [
            counts.isAllSame
                ? "Both snapshots hold the same \(counted(counts.same, "entry", "entries"))."
                : "The snapshots differ: \(formatCount(counts.extra)) added, \(formatCount(counts.missing)) gone, "
                    + "\(formatCount(counts.different)) changed, \(formatCount(counts.same)) the same."
        ]
        if let old = indexes[0], let new = indexes[1] { lines.append("  log index \(old) -> \(new)") }
        for change in changes.sorted.prefix(100) {
            lines.append("  +\(change.extra) -\(change.missing) *\(change.different)  \(change.name)")
        }
        if changes.sorted.count > 100 { lines.append("  … and \(changes.sorted.count - 100) prefixes more") }
        console.printResult(lines.joined(separator: "\n"))
    }
}

/// Differences by the beginning of their keys: a mount of `logical/` and `auth/`, a folder of `sys/`.
private struct ChangesByPrefix {
    struct Change {
        let name: String
        var extra = 0
        var missing = 0
        var different = 0
    }

    /// More prefixes are counted as one.
    private static let most = 10_000
    private static let deeper = ["logical/", "auth/", "sys/", "audit/", "namespaces/"].map { Array($0.utf8) }

    private var changes: [[UInt8]: Change] = [:]

    mutating func count(_ verdict: Verdict, _ key: UnsafeRawBufferPointer) {
        let isDeeper = Self.deeper.contains { key.starts(with: $0) }
        var slashes = 0
        let end = key.firstIndex { byte in
            if byte == UInt8(ascii: "/") { slashes += 1 }
            return slashes == (isDeeper ? 2 : 1)
        }
        var name = end.map { Array(key[...$0]) } ?? []
        if name.isEmpty, let slash = key.lastIndex(of: UInt8(ascii: "/")) { name = Array(key[...slash]) }
        if changes[name] == nil, changes.count >= Self.most { name = Array("*".utf8) }
        let shown = name.isEmpty ? "(top level)" : name.withUnsafeBytes { escapedKey($0) }
        switch verdict {
        case .extra: changes[name, default: Change(name: shown)].extra += 1
        case .missing: changes[name, default: Change(name: shown)].missing += 1
        case .different, .unreadable: changes[name, default: Change(name: shown)].different += 1
        case .same: break
        }
    }

    /// By their names.
    var sorted: [Change] {
        changes.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    }
}
