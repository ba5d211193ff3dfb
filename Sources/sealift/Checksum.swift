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

        With -key-file the manifest is keyed: it can be given away without telling the names of entries. A line then has, \
        in hexadecimal, HMAC-SHA-256 of "value:", the SHA-256 of the value in hexadecimal, ":" and the key, and \
        HMAC-SHA-256 of "name:" and the key, and stands in the order of the latter. The secret is the bytes of the file \
        without one line feed at its end. The "key check" line is HMAC-SHA-256 of "check:sealift keyed manifest 1". One \
        code with openssl: `printf name:%s KEY | openssl dgst -sha256 -mac HMAC -macopt hexkey:HEX`, HEX being what \
        `od -An -v -tx1 FILE | tr -d ' \\n' | sed 's/0a$//'` gives; the list of \
        processes shows it meanwhile.

        With -sign-key the file that -output names is signed. The raw Ed25519 signature beside it is verified by the \
        commands that are printed; openssl takes files below 2 GiB for that, and of a larger manifest -digest-only gives \
        a small one.
        """,
    examples: [
        .init("The source of a migration:", "sealift checksum -config migrate.hcl -side=source > source.txt"),
        .init("The store of a stopped server:", "sealift checksum -config server.hcl"),
        .init("Only the digest:", "sealift checksum -config server.hcl -digest-only"),
        .init(
            "A signed manifest that tells no names:",
            "sealift checksum -config server.hcl -key-file secret -output keyed.txt -sign-key key.pem"),
    ],
    flags: [
        CommonFlags.storeConfig, CommonFlags.side,
        .boolean("digest-only", help: "Print the keyspace digest and the counts, not the entries."),
        .string(
            "output", placeholder: "path",
            help: "Write the manifest to this file, and only what came of it to standard output.",
            completion: .file), CommonFlags.keyFile, CommonFlags.signKey,
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
        let key = try CommonFlags.manifestKey(flags)
        let file = try ManifestFile(flags)
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let store = try openSide(flags, console, cancellation)
        defer { store.close() }
        try file?.refuseToOverwrite(store)
        var options = DigestedScan.Options()
        options.request.readers = flags.integer("max-parallel")
        options.unlisted = flags.boolean("listed-only") ? .leaveOut : .keep
        options.request.isCancelled = { cancellation.isCancelled }
        let notes = ScanNotes(start: nil)
        options.request.note = { notes.add($0) }
        options.writesManifestLines = true
        let scan = try DigestingSource(DigestedScan(store, options))
        defer { scan.stop() }
        let isJSON = flags.string("format") == "json"
        let isText = file != nil || !isJSON
        let showsEntries = !flags.boolean("digest-only")
        let output = try file?.open() ?? ResultWriter()
        if isText, showsEntries || file != nil {
            let title = try key.map { KeyedManifest.header(keyCheck: try $0.check()) } ?? ["sealift manifest 1"]
            for line in title + ["source: \(store.kind)"] { try output.writeLine("# \(line)") }
        }
        let keyspace: String
        if let key {
            let keyed = try KeyedEntries(scan, key: key, isCancelled: { cancellation.isCancelled })
            defer { keyed.stop() }
            while let page = try keyed.nextPage() {
                if showsEntries { try isText ? output.write(page.lines) : writeEvents(page, output) }
                page.recycle()
            }
            keyspace = try keyed.finish()
        } else {
            while let batch = try scan.nextBatch() {
                if showsEntries { try isText ? output.write(batch.manifestLines) : writeEvents(batch, output) }
                batch.recycle()
            }
            keyspace = try scan.finish()
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
        log(notes, logger)
        let totals = scan.totals
        if isText {
            try output.writeLine(
                "# entries: \(totals.entries)\n# bytes: \(totals.bytes)\n# keyspace digest: \(keyspace)")
        }
        if let file {
            try output.finish(durably: true)
            try file.sign()
        }
        if isJSON {
            let members: [(String, JSONText)] = [
                ("event", .string("result")), ("kind", .string(store.kind)), ("entries", .integer(totals.entries)),
                ("bytes", .integer(totals.bytes)), ("keyspace_digest", .string(keyspace)),
                ("keyed", .boolean(key != nil)), ("manifest", .optional(file?.path)),
                ("signature", .optional(file?.signaturePath)),
            ]
            let result = file == nil ? output : try ResultWriter()
            try result.writeLine(JSONText.object(members).text)
            try result.finish()
        } else if let file {
            console.printResult(file.text(totals, keyspace))
        } else {
            try output.finish()
        }
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
    private func writeEvents(_ page: KeyedPage, _ output: ResultWriter) throws {
        for index in 0..<page.count {
            let members: [(String, JSONText)] = [
                ("event", .string("entry")), ("hashed_key", .string(escapedKey(page.key(index)))),
                ("hmac", .string(page.hexadecimalDigest(index))),
            ]
            try output.writeLine(JSONText.object(members).text)
        }
    }
}
