import Files
import Flags
import Migration
import Storage
import Telemetry
import Workers

/// `sealift check`: compares both sides of a migration by content.
let checkCommand = CommandSpec(
    path: ["sealift", "check"], summary: "Compare source and destination by content",
    description: """
        Reads both stores of a migration's file, changing neither, and compares every entry by its SHA-256. Prints \
        every difference: + only at the destination, - missing at the destination, * different, ! unreadable. Of \
        integrated storage it also shows how the files use their pages, and what `raft compact` would give back.

        Exit codes: 0 all the same, 1 flags or configuration, 2 a store could not be read or the result not written, \
        3 differences, 130 interrupted.
        """,
    examples: [
        .init("Compare:", "sealift check -config migrate.hcl"),
        .init(
            "Keep a line per entry, also of those that are the same:",
            "sealift check -config migrate.hcl -combined report.txt"),
    ],
    flags: [
        CommonFlags.config,
        .bytes(
            "start", placeholder: "key",
            help:
                "Compare only keys that sort at or behind this one, bytewise; \\xhh stands for any byte and \\\\ for a "
                + "backslash, as in manifests."),
        .string(
            "combined", placeholder: "path",
            help: "Write a line per entry, its sign and key, to this file; - for standard output.", completion: .file),
        CommonFlags.listedOnly, CommonFlags.allowLostEntries, CommonFlags.maxParallel, CommonFlags.logLevel,
        CommonFlags.logFormat, CommonFlags.format,
    ])

/// Runs `check`.
struct Check {
    private static let maximumShown = 1000

    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { try compare($0) }
    }

    private func compare(_ logger: Logger) throws -> Int32 {
        let file = try ConfigurationFile(path: try CommonFlags.configPath(flags), environment: console.environment)
        let sourceBlock = try file.store("storage_source")
        let destinationBlock = try file.store("storage_destination")
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let counters = ProgressCounters()
        let source = try openForReading(sourceBlock, console, cancellation)
        defer { source.close() }
        let destination = try openForReading(destinationBlock, console, cancellation)
        defer { destination.close() }
        let context = RunContext(
            logger: logger, counters: counters, cancellation: cancellation, environment: console.environment,
            version: sealiftVersion)
        let start = try CommonFlags.start(flags)
        let check = StoreCheck(
            source: source, destination: destination, start: start, context: context,
            readers: flags.integer("max-parallel"), unlisted: flags.boolean("listed-only") ? .leaveOut : .keep,
            allowsLostEntries: flags.boolean("allow-lost-entries"))
        let display = ProgressDisplay(counters, style: console.progressStyle(flags, logger))
        defer { display.finish(showingLast: false) }
        let isJSON = flags.string("format") == "json"
        let combinedPath = flags.string("combined")
        try refuseToOverwrite(combinedPath, [source, destination], file)
        // Among events, entries are events as well.
        let showsAll = combinedPath == "-"
        let combined = combinedPath.isEmpty || (showsAll && isJSON) ? nil : try ResultWriter(path: combinedPath)
        var shown = 0
        let result: StoreCheck.Result
        let files: CheckedFiles
        do {
            result = try check.run { verdict, key in
                try combined?.writeLine("\(verdict.sign) \(escapedKey(key))")
                guard isJSON ? verdict != .same || showsAll : verdict != .same && !showsAll else { return }
                shown += 1
                guard shown <= Self.maximumShown || isJSON else { return }
                if isJSON {
                    EventWriter().emit(
                        verdict == .same ? "entry" : "difference",
                        [("verdict", .string(verdict.sign)), ("key", .string(escapedKey(key)))])
                } else {
                    console.printResult("\(verdict.sign) \(escapedKey(key))")
                }
            }
            try combined?.finish()
            files = try CheckedFiles([("source", source), ("destination", destination)], console, cancellation)
        } catch let error as StorageError where error.code == .cancelled {
            throw MigrationFailure(.interrupted, "Interrupted. Nothing was changed.")
        }
        display.finish(showingLast: false)
        if result.counts == ComparisonCounts(), start == nil {
            throw MigrationFailure(
                .failed, "neither store holds an entry, so that nothing was compared. Check paths and options.")
        }
        if shown > Self.maximumShown, !isJSON {
            console.printResult("… and \(formatCount(shown - Self.maximumShown)) more; -combined FILE lists all")
        }
        for message in result.unreadable { console.printError(message) }
        if flags.boolean("allow-lost-entries") {
            for (store, lost) in [(source, result.lost), (destination, result.lostAtDestination)] {
                let problem = lost.problem(of: "\(store.kind) \(store.location)", advice: "It was taken for absent.")
                if let problem { console.printError(problem) }
            }
        }
        isJSON
            ? EventWriter().emit("result", members(result) + [("files", files.json)])
            : console.printResult(text(result) + files.text)
        return result.counts.isAllSame ? 0 : MigrationFailure.Kind.differences.rawValue
    }

    /// Refuses a file for the lines that is the configuration or lies in one of the stores: it would be emptied first.
    private func refuseToOverwrite(
        _ path: String, _ stores: [any StorageBackend], _ file: ConfigurationFile
    ) throws(MigrationFailure) {
        guard !path.isEmpty, path != "-" else { return }
        let place = resolvedPath(path)
        var kept = stores.compactMap { store in store.identity.path.map { ($0, "the \(store.kind) store \($0)") } }
        kept.append((resolvedPath(file.path), "the configuration file"))
        guard let (_, what) = kept.first(where: { liesWithin(place, $0.0) }) else { return }
        throw MigrationFailure(
            .configuration, "-combined \(path) would overwrite \(what), or a file in it. Name another file.")
    }

    private func text(_ result: StoreCheck.Result) -> String {
        let counts = result.counts
        let verdict =
            counts.isAllSame
            ? "Source and destination hold the same \(counted(counts.same, "entry", "entries"))."
            : "Source and destination differ."
        let found = ScanNote.Reason.allCases.compactMap { reason in
            result.notes[reason].map {
                "\n  \(reason.isLeftOut ? "not entries" : "look at"): \(formatCount($0)), \(reason.rawValue)"
            }
        }
        return """
            \(verdict)
              = same                    \(formatCount(counts.same))
              + only at destination     \(formatCount(counts.extra))
              - missing at destination  \(formatCount(counts.missing))
              * different               \(formatCount(counts.different))
              ! unreadable              \(formatCount(counts.unreadable))
              source       sha256:\(result.sourceDigest)
              destination  sha256:\(result.destinationDigest)
              \(formatBytes(result.totals.bytes)) in \(formatDuration(.seconds(result.seconds)))\(found.joined())
            """
    }

    private func members(_ result: StoreCheck.Result) -> [(String, JSONText)] {
        let counts = result.counts
        return [
            ("same", .integer(counts.same)), ("extra", .integer(counts.extra)), ("missing", .integer(counts.missing)),
            ("different", .integer(counts.different)), ("unreadable", .integer(counts.unreadable)),
            ("source_digest", .string(result.sourceDigest)), ("destination_digest", .string(result.destinationDigest)),
            ("bytes", .integer(result.totals.bytes)), ("seconds", .double(result.seconds)),
            (
                "found",
                .object(
                    ScanNote.Reason.allCases.compactMap { reason in
                        result.notes[reason].map { (reason.rawValue, .integer($0)) }
                    })
            ),
        ]
    }
}
