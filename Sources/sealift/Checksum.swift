import Flags
import Migration
import Storage
import Telemetry
import Workers

/// `sealift checksum`: the manifest of one store.
let checksumCommand = CommandSpec(
    path: ["sealift", "checksum"], summary: "Print the manifest of one store",
    description: """
        Prints a line per entry, the SHA-256 of its value and its key, in key order, and the keyspace digest: the \
        SHA-256 of those lines. Two stores of any kind hold the same entries exactly if their keyspace digests are \
        equal. The lines of the header and the end begin with #; `grep -v '^#' | sha256sum` gives the digest.
        """,
    examples: [
        .init("The source of a migration:", "sealift checksum -config migrate.hcl -side=source > source.txt"),
        .init("The store of a stopped server:", "sealift checksum -config server.hcl"),
        .init("Only the digest:", "sealift checksum -config server.hcl -digest-only"),
    ],
    flags: [
        CommonFlags.storeConfig, CommonFlags.side,
        .boolean("digest-only", help: "Print the keyspace digest and the counts, not the entries."),
        CommonFlags.listedOnly, CommonFlags.allowLostEntries, CommonFlags.maxParallel, CommonFlags.logLevel,
        CommonFlags.logFormat,
        CommonFlags.format,
    ])

/// Runs `checksum`.
struct Checksum {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { logger in
            do {
                return try printManifest(logger)
            } catch let error as StorageError where error.code == .cancelled {
                throw MigrationFailure(.interrupted, "Interrupted. The manifest is incomplete.")
            }
        }
    }

    private func printManifest(_ logger: Logger) throws -> Int32 {
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let store = try openSide(flags, console, cancellation)
        defer { store.close() }
        var options = DigestedScan.Options()
        options.request.readers = flags.integer("max-parallel")
        options.unlisted = flags.boolean("listed-only") ? .leaveOut : .keep
        options.request.isCancelled = { cancellation.isCancelled }
        let notes = ScanNotes(start: nil)
        options.request.note = { notes.add($0) }
        options.writesManifestLines = true
        let scan = DigestedScan(store, options)
        defer { scan.stop() }
        let isJSON = flags.string("format") == "json"
        let showsEntries = !flags.boolean("digest-only")
        let output = try ResultWriter()
        if !isJSON, showsEntries { try output.writeLine("# sealift manifest 1\n# source: \(store.kind)") }
        var totals = KeyspaceTotals()
        var digest = try KeyspaceDigest()
        while let batch = try scan.nextBatch() {
            try digest.add(batch.manifestLines)
            totals.add(batch)
            if showsEntries { try isJSON ? writeEvents(batch, output) : output.write(batch.manifestLines) }
            batch.recycle()
        }
        let lost = notes.lost.problem(
            of: "\(store.kind) \(store.location)",
            advice: "To leave such entries out of the manifest, add -allow-lost-entries.")
        if let lost {
            // The lines that were printed are true; the digest would be that of another store.
            try output.flush()
            guard flags.boolean("allow-lost-entries") else { throw MigrationFailure(.failed, lost) }
            console.printError(lost)
        }
        let keyspace = try digest.finish()
        log(notes, logger)
        if isJSON {
            let members: [(String, JSONText)] = [
                ("event", .string("result")), ("kind", .string(store.kind)), ("entries", .integer(totals.entries)),
                ("bytes", .integer(totals.bytes)), ("keyspace_digest", .string(keyspace)),
            ]
            try output.writeLine(JSONText.object(members).text)
        } else {
            try output.writeLine(
                "# entries: \(totals.entries)\n# bytes: \(totals.bytes)\n# keyspace digest: \(keyspace)")
        }
        try output.finish()
        return 0
    }

    /// The first of each kind, and how many there are: a table may have something odd about every item.
    private static let maximumExamples = 20

    private func log(_ notes: ScanNotes, _ logger: Logger) {
        for reason in ScanNote.Reason.allCases {
            guard let count = notes.counts[reason] else { continue }
            let message: StaticString = reason.isLeftOut ? "not an entry" : "look at"
            for note in notes.examples.filter({ $0.reason == reason }).prefix(Self.maximumExamples) {
                logger.info(message, ["kind": .string(reason.rawValue), "place": .string(note.place)])
            }
            logger.info("found", ["kind": .string(reason.rawValue), "count": .integer(count)])
        }
    }

    private func writeEvents(_ batch: DigestedBatch, _ output: ResultWriter) throws {
        for index in 0..<batch.count {
            let members: [(String, JSONText)] = [
                ("event", .string("entry")), ("key", .string(escapedKey(batch.key(index)))),
                ("bytes", .integer(batch.entries.valueCount(index))),
                ("sha256", .string(batch.hexadecimalDigest(index))),
            ]
            try output.writeLine(JSONText.object(members).text)
        }
    }
}
