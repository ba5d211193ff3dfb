import Barrier
import Files
import Flags
import Migration
import Storage
import Telemetry
import Workers

/// `sealift prove`: whether every entry decrypts, with key shares.
let proveCommand = CommandSpec(
    path: ["sealift", "prove"], summary: "Prove with key shares that every entry of a store will decrypt",
    description: """
        Reads one store, changing nothing, and authenticates every entry with the keyring that the key shares open: its bytes \
        and its name are what a server wrote. No other copy of the store is needed. It does not tell whether an entry is \
        missing; `sealift check` does.

        The shares are asked for at the terminal, which shows nothing of them, or read from an open descriptor, one a line, in \
        hexadecimal or base64. They, the keys and what is decrypted stay in locked memory, which is overwritten; no core file \
        is written. Names of entries are all that is shown.

        Stores that unseal themselves with a service have recovery keys instead, which decrypt nothing. What lies in a \
        namespace with a seal of its own, or is encrypted by a seal of Vault Enterprise, is counted as not checkable.

        Of a snapshot archive the sealed checksums are opened as well: that it is as the server wrote it, whole, shows there.

        With -mounts the mount tables are decrypted as well, and path, type, entries and bytes of each mount are shown, nothing \
        else of the tables; -for marks those for which that server has no plugin: it keeps their entries and serves none.

        Exit codes: 0 all authenticated, 1 flags or configuration, 2 it could not be done: wrong or too few shares, no shares \
        that would do, or the store could not be read, 3 some entries are not what a server wrote, 130 interrupted.
        """,
    examples: [
        .init(
            "What a migration has written, with shares from a file; without -shares-fd they are asked for:",
            "sealift prove -config migrate.hcl -shares-fd 3 3< shares.txt"),
        .init(
            "The store of a stopped server, with shares that another program gives:",
            "cat shares.txt | sealift prove -config server.hcl -shares-fd 0"),
        .init(
            "Which mounts there are, and which of them OpenBao 2.7 would not serve:",
            "sealift prove -config server.hcl -mounts -for=openbao-2.7 -shares-fd 3 3< shares.txt"),
    ],
    flags: [
        CommonFlags.storeConfig, CommonFlags.side, ShareInput.flag,
        .boolean("mounts", help: "List the mounts, with the entries and bytes of each."),
        .string(
            "for", placeholder: "server",
            help: "With -mounts, mark those without a plugin in this server: "
                + NextServer.allCases.map(\.rawValue).joined(separator: ", ") + ".",
            completion: .values(NextServer.allCases.map(\.rawValue))),
        .string(
            "failed", placeholder: "path",
            help: "Write the keys that are not authenticated to this file, one a line, escaped as in manifests.",
            completion: .file),
        CommonFlags.maxParallel, CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
    ])

/// Runs `prove`.
struct Prove {
    private static let mostShown = 1000

    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { logger in
            do {
                return try prove(logger)
            } catch let error as ProofFailure {
                throw MigrationFailure.proving(error)
            } catch let error as StorageError where error.code == .cancelled {
                throw MigrationFailure(.interrupted, "Interrupted. Nothing was changed, and nothing proven.")
            }
        }
    }

    private func prove(_ logger: Logger) throws -> Int32 {
        let server = try nextServer()
        let cancellation = CancellationToken()
        let input = try ShareInput(flags, cancellation, forbidsLooks: true)
        try console.watchSignals(cancellation, announcement: nil)
        let store = try openStore(cancellation)
        defer { store.close() }
        let failed = try failedList(store)
        let barrier = try OpenedBarrier(store, input.ask(OpenedBarrier.seal(of: store)))
        let counters = ProgressCounters()
        let context = RunContext(
            logger: logger, counters: counters, cancellation: cancellation, environment: console.environment,
            version: sealiftVersion)
        let display = ProgressDisplay(counters, style: console.progressStyle(flags, logger))
        defer { display.finish(showingLast: false) }
        let told = ToldEntries(console, isJSON: isJSON, most: Self.mostShown, list: failed)
        var result = try StoreProof(store, barrier, context: context, readers: flags.integer("max-parallel")).run {
            try told.tell($0)
        }
        display.finish(showingLast: false)
        try told.finish()
        guard result.outcome.tally.counts.total + result.unreadableCount > 0 else {
            throw MigrationFailure(
                .failed, "\(store.kind) \(store.location) holds no entries. Check its path and options.")
        }
        for message in result.unreadable { console.printError(message) }
        let mounts = flags.boolean("mounts") ? MountList(try MountTables(store, barrier), &result.usage, server) : nil
        if isJSON {
            mounts?.emit()
            EventWriter().emit("result", members(store, barrier, result))
        } else {
            console.printResult(text(store, barrier, result))
            if let mounts { console.printResult(mounts.text) }
        }
        return result.isProven ? 0 : MigrationFailure.Kind.differences.rawValue
    }

    private var isJSON: Bool { flags.string("format") == "json" }

    private func nextServer() throws(MigrationFailure) -> NextServer? {
        guard flags.isSet("for") else { return nil }
        guard flags.boolean("mounts") else {
            throw MigrationFailure(
                .configuration, "-for goes with -mounts: it marks mounts that the next server does not serve.")
        }
        guard let server = NextServer(rawValue: flags.string("for")) else {
            let names = NextServer.allCases.map(\.rawValue).joined(separator: ", ")
            throw MigrationFailure(
                .configuration, "-for takes one of \(names), not \"\(StorageKey(Array(flags.string("for").utf8)))\".")
        }
        return server
    }

    /// The store that a migration has written, or a server's own.
    private func openStore(_ cancellation: CancellationToken) throws(MigrationFailure) -> any StorageSource {
        if flags.string("side").isEmpty {
            let file = try ConfigurationFile(
                path: try CommonFlags.configPath(flags), environment: console.environment, allowsFolder: true)
            if file.has("storage_destination") {
                return try openForReading(try file.store("storage_destination"), console, cancellation)
            }
        }
        return try openSide(flags, console, cancellation)
    }

    /// The file of `-failed`, which must not be the configuration or lie in the store.
    private func failedList(_ store: any StorageSource) throws -> ResultWriter? {
        guard flags.isSet("failed") else { return nil }
        let path = flags.string("failed")
        guard !path.isEmpty else { throw MigrationFailure(.configuration, "-failed names no file.") }
        guard path != "-" else { return try ResultWriter(path: path) }
        var kept = [(resolvedPath(try CommonFlags.configPath(flags)), "the configuration file")]
        if let place = store.identity.path { kept.append((place, "the \(store.kind) store \(place)")) }
        if let (_, what) = kept.first(where: { liesWithin(resolvedPath(path), $0.0) }) {
            throw MigrationFailure(
                .configuration, "-failed \(path) would overwrite \(what), or a file in it. Name another file.")
        }
        return try ResultWriter(path: path)
    }

    private func text(_ store: any StorageSource, _ barrier: OpenedBarrier, _ result: StoreProof.Result) -> String {
        let tally = result.outcome.tally
        let (good, all) = (tally.counts[.authenticated], tally.counts.provable + result.unreadableCount)
        let verdict =
            !result.isProven
            ? "Not proven: \(formatCount(good)) of \(counted(all, "entry", "entries")) authenticated."
            : good == all
                ? "Proven: \(formatCount(good)) of \(counted(all, "entry", "entries")) authenticated. Each is as a "
                    + "server wrote it."
                    + (tally.unboundNames > 0 ? " Of \(formatCount(tally.unboundNames)) the name is not proven." : "")
                : "\(formatCount(good)) of \(counted(all, "entry", "entries")) authenticated; the others are not "
                    + "checkable."
        var lines = [verdict, ""]
        func row(_ name: String, _ text: String) {
            lines.append("  " + name + String(repeating: " ", count: max(16 - name.count, 1)) + text)
        }
        row("Store", "\(store.kind) \(store.location)")
        row("Seal", barrier.seal.summary + (barrier.form == .storedRootKey ? "" : "; of before Vault 1.3"))
        row(
            "Read",
            "\(counted(tally.counts.total, "entry", "entries")), \(formatBytes(result.bytes)), in "
                + formatDuration(.seconds(result.seconds)))
        for verdict in ProofVerdict.allCases where tally.counts[verdict] > 0 || verdict.isBad {
            row(Self.rowName(verdict), formatCount(tally.counts[verdict]))
        }
        if tally.unboundNames > 0 { row("Name not bound", unboundNamesText(tally)) }
        if result.unreadableCount > 0 { row("Unreadable", formatCount(result.unreadableCount)) }
        row(
            "Key terms",
            result.outcome.terms.map { term in
                "\(term): \(formatCount(tally.terms[term] ?? 0))\(term == barrier.activeTerm ? " (active)" : "")"
            }.joined(separator: ", "))
        switch result.sealedSums {
        case nil: break
        case .genuine?: row("Seal sums", "genuine: sealed by the server that these shares unseal")
        case .absent?: row("Seal sums", "absent: the archive was written without the seal; restore it with -force")
        case .ofAnotherArchive?: row("Seal sums", "of another archive: this one was changed since the server wrote it")
        case .notOfThisSeal?: row("Seal sums", "not of this seal: the shares do not open SHA256SUMS.sealed")
        }
        for contradiction in result.outcome.contradictions { row("Contradiction", contradiction) }
        lines += ["", "  Entries by prefix:"]
        for folder in tally.folders.sorted(by: { StorageKey($0.prefix) < StorageKey($1.prefix) }).prefix(50) {
            let parts = ProofVerdict.allCases.filter { folder.counts[$0] > 0 }.map {
                "\(formatCount(folder.counts[$0])) \(Self.rowName($0).lowercased())"
            }
            let name = folder.prefix.isEmpty ? "(top level)" : folder.prefix.withUnsafeBytes { escapedKey($0) }
            row("", "\(name)  \(parts.joined(separator: ", "))")
        }
        if tally.folders.count > 50 { row("", "… and \(tally.folders.count - 50) more, with -format=json") }
        return lines.joined(separator: "\n")
    }

    private static func rowName(_ verdict: ProofVerdict) -> String {
        switch verdict {
        case .authenticated: "Authenticated"
        case .plain: "Not encrypted"
        case .failed: "Failed"
        case .unknownTerm: "Unknown term"
        case .noEnvelope: "No envelope"
        case .notCheckable: "Not checkable"
        }
    }

    private func members(
        _ store: any StorageSource, _ barrier: OpenedBarrier, _ result: StoreProof.Result
    ) -> [(String, JSONText)] {
        [
            ("proven", .boolean(result.isProven)), ("kind", .string(store.kind)), ("location", .string(store.location)),
            ("seal_type", .string(barrier.seal.type)), ("legacy", .boolean(barrier.form != .storedRootKey)),
            ("entries", .integer(result.outcome.tally.counts.total)), ("bytes", .integer(result.bytes)),
            ("seconds", .double(result.seconds)), ("unreadable", .integer(result.unreadableCount)),
            ("active_term", .integer(Int(barrier.activeTerm))),
            ("seal_sums", .optional(result.sealedSums?.rawValue)), ("proof", result.outcome.members),
        ]
    }
}

/// Tells of entries that are not what a server wrote, as they are found.
// Unchecked: whoever calls does so one at a time.
private final class ToldEntries: @unchecked Sendable {
    private let console: Console
    private let isJSON: Bool
    private let most: Int
    private let list: ResultWriter?
    private var count = 0

    init(_ console: Console, isJSON: Bool, most: Int, list: ResultWriter?) {
        self.console = console
        self.isJSON = isJSON
        self.most = most
        self.list = list
    }

    func tell(_ entry: ProofTally.Named) throws {
        count += 1
        try list?.writeLine("\(entry.key)")
        if isJSON {
            EventWriter().emit(
                "unproven",
                [
                    ("key", .string("\(entry.key)")), ("verdict", .string(entry.verdict.name)),
                    ("term", .integer(Int(entry.term))),
                ])
        } else if count <= most {
            console.printResult("! \(entry.line)")
        }
    }

    func finish() throws {
        if !isJSON, count > most {
            console.printResult("… and \(formatCount(count - most)) more; -failed FILE lists all")
        }
        try list?.finish()
    }
}
