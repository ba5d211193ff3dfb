import Files
import Flags
import Migration
import Storage
import Telemetry
import Workers

/// `sealift check`: compares both sides of a migration by content.
let checkCommand = CommandSpec(
    path: ["sealift", "check"], summary: "Compare source and destination, or a store and a manifest, by content",
    description: """
        Reads both stores of a migration's file, changing neither, and compares every entry by its SHA-256. Prints \
        every difference: + only at the destination, - missing at the destination, * different, ! unreadable. Of \
        integrated storage it also shows how the files use their pages, and what `raft compact` would give back.

        With -manifest one store is held against a manifest instead, the one that a migration left in its state folder or \
        that `sealift checksum` printed: proof without the source. The manifest must give the keyspace digest that it states. \
        With -key-file it is a keyed one, as `sealift checksum -key-file` writes it: + and * name the key that the store has, \
        - the hash of a key that only the manifest has, and all come in the order of the hashes.

        With -sample only a share of the keys is compared, for a look between rehearsals: each key is in it or not by its \
        hash, on both sides alike. It proves nothing about the others. A key belongs to the sample if the first eight bytes \
        of the SHA-256 of the seed, ":" and the key, as a number, are below that share of 2^64. Values of the \
        others are not digested where the store can spare that, and those of a file store not read.

        With -resume a comparison of two stores in key order that was cut off goes on where it stopped, to the same verdicts. A \
        store that was written to since is noticed by the times of its files, and all is compared anew; a file store does not \
        tell, and needs your word (-stores-unchanged). Progress is kept every two seconds. Of a table, which gives its entries in \
        no order and is read whole first, keys and digests are kept in files beside the one named (.source, .destination), and \
        reading goes on where it stopped, with the same word of yours. They are given up, and that is said, as soon as an entry \
        is met that is told of while it is read, one that cannot be read or one that is empty.

        With -structure nothing is compared. Every entry of one store, or of both, is looked at for what shows without any \
        secret: the seal and its validity, the keyring, each value's envelope and key term, entries that look damaged and \
        what they look like (base64 twice, line ends or character set converted, cut off at a column's width, text, a hole), \
        which are all counted and the first named, entries that every server's store has, entries and bytes for each mount, and \
        which servers can run on it. It cannot tell that values are whole: that takes the key shares, or a comparison.

        Exit codes: 0 all the same, or nothing suspicious, 1 flags or configuration, 2 a store could not be read or the result \
        not written, 3 differences, or something suspicious, 130 interrupted.
        """,
    examples: [
        .init("Compare:", "sealift check -config migrate.hcl"),
        .init(
            "Keep a line per entry, also of those that are the same:",
            "sealift check -config migrate.hcl -combined report.txt"),
        .init(
            "Prove the destination by the manifest that the migration has left, without the source:",
            "sealift check -config migrate.hcl -manifest /opt/vault/raft.sealift/manifest.txt"
        ),
        .init(
            "Only the system's own entries, and files of the keys that differ:",
            "sealift check -config migrate.hcl -prefix sys/ -missing missing.txt -differ differ.txt"),
        .init("One that goes on if it is cut off:", "sealift check -config migrate.hcl -resume check.progress"),
        .init(
            "A look at one entry in ten, the same ones every time:",
            "sealift check -config migrate.hcl -sample 10% -sample-seed rehearsal-1"),
        .init(
            "Whether a stopped server's store looks whole, without any key:",
            "sealift check -config server.hcl -structure"),
        .init(
            "The same of both stores of a migration, for a program:",
            "sealift check -config migrate.hcl -structure -format=json"),
    ],
    flags: [
        CommonFlags.config,
        .string(
            "manifest", placeholder: "path",
            help: "Hold one store against this manifest: the destination of a migration's file, or a server's storage.",
            completion: .file),
        CommonFlags.keyFile, CommonFlags.side, Check.structureFlag,
        .bytes(
            "start", placeholder: "key",
            help:
                "Compare only keys that sort at or behind this one, bytewise; \\xhh stands for any byte and \\\\ for a "
                + "backslash, as in manifests."),
        .bytes(
            "prefix", placeholder: "prefix",
            help:
                "Compare only keys that begin with these bytes, written as for -start. The result says that it is a part."
        ),
        CommonFlags.include, CommonFlags.exclude,
    ] + Check.sampleFlags + [
        .string(
            "combined", placeholder: "path",
            help: "Write a line per entry, its sign and key, to this file; - for standard output.", completion: .file),
        .string(
            "missing", placeholder: "path",
            help:
                "Write the keys that are missing at the destination to this file, one a line, escaped as in manifests.",
            completion: .file),
        .string(
            "extra", placeholder: "path", help: "Write the keys that are only at the destination to this file.",
            completion: .file),
        .string(
            "differ", placeholder: "path", help: "Write the keys whose values differ to this file.", completion: .file),
    ] + Check.resumeFlags + [
        CommonFlags.listedOnly, CommonFlags.allowLostEntries, CommonFlags.maxParallel, CommonFlags.logLevel,
        CommonFlags.logFormat, CommonFlags.format,
    ])

/// Runs `check`.
struct Check {
    private static let maximumShown = 1000

    let flags: ParsedFlags
    let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { try flags.boolean("structure") ? structure($0) : compare($0) }
    }

    private func compare(_ logger: Logger) throws -> Int32 {
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let counters = ProgressCounters()
        let manifest = flags.string("manifest")
        // An empty variable of a script is no wish to compare two stores.
        guard !manifest.isEmpty || !flags.isSet("manifest") else {
            throw MigrationFailure(.configuration, "-manifest names no file.")
        }
        let scope = try Self.scope(flags)
        let key = try secret(manifest, scope)
        let sides = try sides(manifest, cancellation)
        defer { for side in sides { side.store.close() } }
        guard let destination = sides.last, let source = sides.first else { return 2 }
        let context = RunContext(
            logger: logger, counters: counters, cancellation: cancellation, environment: console.environment,
            version: sealiftVersion)
        try refuseToOverwrite(sides.map(\.store), manifest)
        let resumption = try resumption(sides, scope)
        let check = StoreCheck(
            destination.store, against: manifest.isEmpty ? .store(source.store) : .manifest(path: manifest, key: key),
            scope: scope,
            context: context, readers: flags.integer("max-parallel"),
            unlisted: flags.boolean("listed-only") ? .leaveOut : .keep,
            allowsLostEntries: flags.boolean("allow-lost-entries"), resumption: resumption.inOrder,
            journals: resumption.inNoOrder)
        let display = ProgressDisplay(counters, style: console.progressStyle(flags, logger))
        defer { display.finish(showingLast: false) }
        let isJSON = flags.string("format") == "json"
        let combinedPath = flags.string("combined")
        // Among events, entries are events as well.
        let showsAll = combinedPath == "-"
        let combined = combinedPath.isEmpty || (showsAll && isJSON) ? nil : try ResultWriter(path: combinedPath)
        let lists = try Self.lists.compactMap { verdict, name in
            flags.string(name).isEmpty ? nil : (verdict, try ResultWriter(path: flags.string(name)))
        }
        let isKeyed = key != nil
        var shown = 0
        let result: StoreCheck.Result
        let files: CheckedFiles
        do {
            result = try check.run { verdict, key in
                try combined?.writeLine("\(verdict.sign) \(escapedKey(key))")
                for (wanted, list) in lists where wanted == verdict { try list.writeLine(escapedKey(key)) }
                guard isJSON ? verdict != .same || showsAll : verdict != .same && !showsAll else { return }
                shown += 1
                guard shown <= Self.maximumShown || isJSON else { return }
                if isJSON {
                    // What only a keyed manifest has is known by the hash of its key.
                    let name = verdict == .missing && isKeyed ? "hashed_key" : "key"
                    EventWriter().emit(
                        verdict == .same ? "entry" : "difference",
                        [("verdict", .string(verdict.sign)), (name, .string(escapedKey(key)))])
                } else {
                    console.printResult("\(verdict.sign) \(escapedKey(key))")
                }
            }
            try combined?.finish()
            for (_, list) in lists { try list.finish() }
            files = try CheckedFiles(sides, console, cancellation)
        } catch let error as StorageError where error.code == .cancelled {
            throw MigrationFailure(.interrupted, "Interrupted. Nothing was changed.")
        }
        display.finish(showingLast: false)
        if result.counts.total == 0, let reason = Self.emptiness(scope, isManifest: !manifest.isEmpty) {
            throw MigrationFailure(.failed, reason)
        }
        if shown > Self.maximumShown, !isJSON {
            console.printResult("… and \(formatCount(shown - Self.maximumShown)) more; -combined FILE lists all")
        }
        for message in result.unreadable { console.printError(message) }
        if flags.boolean("allow-lost-entries") {
            for (side, lost) in [(source, result.lost), (destination, result.lostAtDestination)] {
                let store = side.store
                let problem = lost.problem(of: "\(store.kind) \(store.location)", advice: "It was taken for absent.")
                if let problem { console.printError(problem) }
            }
        }
        let remarks = Self.remarks(sides.map(\.store))
        isJSON
            ? EventWriter().emit(
                "result",
                members(result, scope) + [("files", files.json), ("remarks", .array(remarks.map(JSONText.string)))])
            : console.printResult(text(result, scope) + files.text + Self.remarkText(remarks))
        resumption.inOrder?.finish()
        resumption.inNoOrder?.finish()
        return result.counts.isAllSame ? 0 : MigrationFailure.Kind.differences.rawValue
    }

    private static let lists: [(Verdict, name: String)] = [
        (.missing, "missing"), (.extra, "extra"), (.different, "differ"),
    ]

    /// The secret of a keyed manifest.
    private func secret(_ manifest: String, _ scope: KeyScope) throws(MigrationFailure) -> ManifestKey? {
        guard let key = try CommonFlags.manifestKey(flags) else { return nil }
        guard !manifest.isEmpty else {
            throw MigrationFailure(
                .configuration, "-key-file goes with -manifest: without one both sides are compared by their keys.")
        }
        guard scope.isWhole else {
            throw MigrationFailure(
                .configuration,
                "-sample, -start, -prefix, -include and -exclude do not go with -key-file: a keyed manifest has hashes in place of keys, so that nobody can "
                    + "tell which of its entries are in that part. Compare the whole store.")
        }
        return key
    }

    /// The stores to be read, the destination last.
    private func sides(
        _ manifest: String, _ cancellation: CancellationToken
    ) throws -> [(name: String, store: any StorageSource)] {
        let path = try CommonFlags.configPath(flags)
        guard manifest.isEmpty else {
            let side = flags.string("side")
            let file = try ConfigurationFile(path: path, environment: console.environment, allowsFolder: true)
            // What a migration's manifest is to prove.
            if side.isEmpty, file.has("storage_destination") {
                let block = try file.store("storage_destination")
                return [("destination", try openForReading(block, console, cancellation))]
            }
            return [(side.isEmpty ? "store" : side, try openSide(flags, console, cancellation))]
        }
        guard !flags.isSet("side") else {
            throw MigrationFailure(
                .configuration, "-side goes with -manifest or -structure: without one both sides are compared.")
        }
        let file = try ConfigurationFile(path: path, environment: console.environment)
        let blocks = (try file.store("storage_source"), try file.store("storage_destination"))
        let source = try openForReading(blocks.0, console, cancellation)
        do {
            return [("source", source), ("destination", try openForReading(blocks.1, console, cancellation))]
        } catch {
            source.close()
            throw error
        }
    }

    /// Refuses a file for lines that is the configuration or the manifest, lies in one of the stores or is named twice: it would
    /// be emptied first.
    private func refuseToOverwrite(_ stores: [any StorageSource], _ manifest: String) throws(MigrationFailure) {
        var kept = stores.compactMap { store in store.identity.path.map { ($0, "the \(store.kind) store \($0)") } }
        kept.append((resolvedPath(try CommonFlags.configPath(flags)), "the configuration file"))
        if !manifest.isEmpty { kept.append((resolvedPath(manifest), "the manifest")) }
        if flags.isSet("key-file") { kept.append((resolvedPath(flags.string("key-file")), "the file of -key-file")) }
        for name in ["combined"] + Self.lists.map(\.name) + ["resume"] {
            let path = flags.string(name)
            guard !path.isEmpty, path != "-" else { continue }
            let place = resolvedPath(path)
            if let (_, what) = kept.first(where: { liesWithin(place, $0.0) }) {
                throw MigrationFailure(
                    .configuration, "-\(name) \(path) would overwrite \(what), or a file in it. Name another file.")
            }
            kept.append((place, "what -\(name) writes"))
        }
    }

    private func text(_ result: StoreCheck.Result, _ scope: KeyScope) -> String {
        let counts = result.counts
        let isManifest = flags.isSet("manifest")
        let (one, other) = isManifest ? ("Manifest", "store") : ("Source", "destination")
        let place = isManifest ? "in store      " : "at destination"
        let verdict =
            counts.isAllSame
            ? "\(one) and \(other) hold the same \(counted(counts.same, "entry", "entries"))."
            : "\(one) and \(other) differ."
        let found = ScanNote.Reason.allCases.compactMap { reason in
            result.notes[reason].map {
                "\n  \(reason.isLeftOut ? "not entries" : "look at"): \(formatCount($0)), \(reason.rawValue)"
            }
        }
        return """
            \(verdict)\(Self.partText(scope, counts))\(Self.earlierText(result))
              = same                    \(formatCount(counts.same))
              + only \(place)     \(formatCount(counts.extra))
              - missing \(place)  \(formatCount(counts.missing))
              * different               \(formatCount(counts.different))
              ! unreadable              \(formatCount(counts.unreadable))
              \(isManifest ? "manifest   " : "source     ")  sha256:\(result.sourceDigest)
              \(isManifest ? "store      " : "destination")  sha256:\(result.destinationDigest)
              \(formatBytes(result.totals.bytes)) in \(formatDuration(.seconds(result.seconds)))\(found.joined())
            """
    }

    private func members(_ result: StoreCheck.Result, _ scope: KeyScope) -> [(String, JSONText)] {
        let counts = result.counts
        let (first, second) =
            flags.isSet("manifest") ? ("manifest_digest", "store_digest") : ("source_digest", "destination_digest")
        let part: [(String, JSONText)] = [
            ("is_partial", .boolean(!scope.isWhole)), ("keyed", .boolean(flags.isSet("key-file"))),
        ]
        return part + Self.partMembers(scope, counts) + Self.earlierMembers(result) + [
            ("same", .integer(counts.same)), ("extra", .integer(counts.extra)), ("missing", .integer(counts.missing)),
            ("different", .integer(counts.different)), ("unreadable", .integer(counts.unreadable)),
            (first, .string(result.sourceDigest)), (second, .string(result.destinationDigest)),
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
