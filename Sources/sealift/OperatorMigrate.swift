import Flags
import Glibc
import Migration
import Storage
import Telemetry
import Workers

/// `sealift operator migrate`: the drop-in for Vault's command of that name.
let operatorMigrateCommand = CommandSpec(
    path: ["sealift", "operator", "migrate"], summary: "Migrate a store between storage backends",
    description: """
        Copies every entry of storage_source to storage_destination while no server runs on either, reads the \
        destination back and compares it with what the source gave. Takes the file and the flags of `vault operator \
        migrate`.

        A Raft destination is a directory for one node, built whole and put in place when it is proven. Any other \
        destination carries Vault's migration marker until it is proven, so that no server starts on half a store. A \
        run that was stopped or killed is taken up by running the same command again.

        Exit codes: 0 done and proven, 1 flags or configuration, 2 migration failed or its result could not be written, 3 the destination differs, 130 \
        interrupted.
        """,
    examples: [
        .init("Look first, write nothing:", "sealift operator migrate -config migrate.hcl -dry-run"),
        .init("Migrate:", "sealift operator migrate -config migrate.hcl"),
        .init(
            "Remove the marker that another tool's crashed run left on the source:",
            "sealift operator migrate -config migrate.hcl -reset"),
    ],
    flags: [
        CommonFlags.config,
        .bytes(
            "start", placeholder: "key",
            help:
                "Copy only keys that sort at or behind this one, bytewise; \\xhh stands for any byte and \\\\ for a "
                + "backslash, as in manifests. The result is a part, so not into a Raft directory."),
        .boolean("reset", help: "Remove the migration marker from the source and copy nothing."),
        CommonFlags.maxParallel,
        .boolean("dry-run", help: "Look at both sides, read the whole source, write nothing, print the plan."),
        .boolean(
            "allow-any-data", help: "Migrate a source that is not the store of an initialised Vault or OpenBao."),
        CommonFlags.allowLostEntries,
        .boolean(
            "allow-missing-log",
            help:
                "Migrate a Raft directory whose log is missing or cannot be read, or holds writes that the data lacks: "
                + "they are not copied."),
        .boolean(
            "practice", environment: ["SEALIFT_PRACTICE"],
            help: "A practice run on one machine: accept a loopback or port-less cluster_addr."),
        .string(
            "source-in-use", placeholder: "allow",
            help:
                "With allow, read a source whose lock of the active node is alive. What a server writes meanwhile may be "
                + "missing.", completion: .values(["allow"])),
        .boolean(
            "source-unchanged",
            help:
                "Nothing was written to the source since an earlier run of this migration stopped: go on from what it "
                + "had read, although its migration marker is gone."),
        CommonFlags.listedOnly,
        .boolean("read-only-source", help: "Set no migration marker on the source. Make sure no server starts on it."),
        .string(
            "state-dir", placeholder: "path",
            help: "Folder for lock, manifest and report; by default beside a Raft destination, else below "
                + "~/.local/state/sealift.", completion: .directory),
        .string("chown", placeholder: "user[:group]", help: "Owner of what is created, by name or number; needs root."),
    ] + LiveView.flags + [CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format])

/// Runs `operator migrate`.
struct OperatorMigrate {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    /// - Returns: The exit code.
    func run() -> Int32 {
        do throws(MigrationFailure) {
            let logger = try console.logger(flags)
            try CommonFlags.checkParallel(flags)
            let path = try CommonFlags.configPath(flags)
            try CommonFlags.checkFormat(flags)
            let options = try options()
            let configuration = try ConfigurationFile(path: path, environment: console.environment)
            try migrate(configuration, options, logger)
            return 0
        } catch {
            return console.fail(error, flags, prefix: "Error migrating: ")
        }
    }

    private func options() throws(MigrationFailure) -> MigrationOptions {
        var options = MigrationOptions()
        options.start = try CommonFlags.start(flags)
        options.maximumParallel = flags.integer("max-parallel")
        options.isDryRun = flags.boolean("dry-run")
        options.allowsAnyData = flags.boolean("allow-any-data")
        options.allowsLostEntries = flags.boolean("allow-lost-entries")
        options.allowsMissingLog = flags.boolean("allow-missing-log")
        options.isPractice = flags.boolean("practice")
        options.hasReadOnlySource = flags.boolean("read-only-source")
        options.listedOnly = flags.boolean("listed-only")
        options.isSourceUnchanged = flags.boolean("source-unchanged")
        switch flags.string("source-in-use") {
        case "": break
        case "allow": options.allowsSourceInUse = true
        case let other:
            throw MigrationFailure(.configuration, "-source-in-use takes allow, not \"\(other)\".")
        }
        if !flags.string("state-dir").isEmpty { options.stateFolder = flags.string("state-dir") }
        if !flags.string("chown").isEmpty { options.owner = try fileOwner(flags.string("chown")) }
        return options
    }

    private func migrate(
        _ configuration: ConfigurationFile, _ options: MigrationOptions, _ logger: Logger
    ) throws(MigrationFailure) {
        let cancellation = CancellationToken()
        let isReset = flags.boolean("reset")
        let isJSON = flags.string("format") == "json"
        do throws(ThreadFailure) {
            try console.watchSignals(cancellation, announcement: isJSON ? nil : "==> Migration shutdown triggered\n")
        } catch {
            throw MigrationFailure(.failed, "\(error)")
        }
        let counters = ProgressCounters()
        let live = isReset ? nil : try LiveView.start(flags, counters)
        if let live { announce(live, isJSON) }
        let context = RunContext(
            logger: logger, counters: counters, cancellation: cancellation, environment: console.environment,
            version: sealiftVersion, isWatched: live != nil || !isJSON && console.screen.allowsLiveBlock,
            watcher: live?.watcher)
        let run = MigrationRun(
            configuration: configuration, drivers: backendDrivers, options: options, context: context)
        if isReset {
            try run.reset()
            console.printResult("Success! Migration lock reset (if it was set).")
            return
        }
        let display = ProgressDisplay(counters, style: console.progressStyle(flags, logger))
        defer { display.finish(showingLast: false) }
        do throws(MigrationFailure) {
            try perform(run, display, isJSON)
            live?.finish(nil)
        } catch {
            display.finish(showingLast: false)
            live?.finish(error.message)
            throw error
        }
    }

    private func announce(_ live: LiveView, _ isJSON: Bool) {
        if isJSON {
            EventWriter().emit("live_view", [("url", .string(live.url))])
        } else {
            console.printError("Live view: \(live.url)")
        }
    }

    private func perform(_ run: MigrationRun, _ display: ProgressDisplay, _ isJSON: Bool) throws(MigrationFailure) {
        try run.run { summary in
            display.finish(showingLast: false)
            if isJSON {
                EventWriter().emit("result", summary.members)
            } else {
                console.printResult(summaryText(summary))
            }
            do throws(OutputFailure) {
                try console.checkResult()
            } catch {
                throw MigrationFailure(
                    .failed,
                    summary.isDryRun
                        ? "Error: \(error)"
                        : "\(error)\nThe destination is proven and complete. Run the same command again: it "
                            + "compares both sides once more and prints the result.",
                    isPrefixed: !summary.isDryRun)
            }
        }
    }
}

/// Resolves `user[:group]`, names or numbers.
func fileOwner(_ text: String) throws(MigrationFailure) -> FileOwner {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    var user: UInt32?
    var group: UInt32?
    if let number = UInt32(parts[0]) {
        user = number
        group = getpwuid(number)?.pointee.pw_gid ?? number
    } else if let entry = getpwnam(parts[0]) {
        user = entry.pointee.pw_uid
        group = entry.pointee.pw_gid
    }
    if parts.count == 2 { group = UInt32(parts[1]) ?? getgrnam(parts[1])?.pointee.gr_gid }
    guard let user, let group else {
        throw MigrationFailure(.configuration, "-chown \(text): there is no such user or group on this machine.")
    }
    return FileOwner(user: user, group: group)
}
