import Flags
import Migration
import Storage
import Telemetry
import Workers

/// What all commands share that run the engine of migrations: signals, progress, and the result in both forms.
struct MigrationCommand {
    private let flags: ParsedFlags
    private let console: Console
    /// Cancelled by the signals that ``run(_:_:_:isReset:isServed:)`` watches.
    let cancellation = CancellationToken()

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    /// Looks at the flags that all of them have, runs `body`, and tells of its failure.
    ///
    /// - Parameter prefix: What the command says of its failures.
    /// - Returns: The exit code.
    func perform(_ prefix: String, _ body: (Logger) throws(MigrationFailure) -> Int32) -> Int32 {
        do throws(MigrationFailure) {
            let logger = try console.logger(flags)
            try CommonFlags.checkParallel(flags)
            try CommonFlags.checkFormat(flags)
            return try body(logger)
        } catch {
            return console.fail(error, flags, prefix: prefix)
        }
    }

    /// What the flags say that all of them have.
    func options(_ mode: MigrationMode) -> MigrationOptions {
        var options = MigrationOptions()
        options.mode = mode
        options.maximumParallel = flags.integer("max-parallel")
        options.allowsMissingLog = flags.boolean("allow-missing-log")
        options.hasReadOnlySource = flags.boolean("read-only-source")
        if !flags.string("state-dir").isEmpty { options.stateFolder = flags.string("state-dir") }
        return options
    }

    /// Runs to the end and tells of it.
    ///
    /// - Parameters:
    ///   - isReset: Whether only the marker is removed.
    ///   - isServed: Whether the command has the flags of the live view.
    ///   - archive: Packs the directories that were made.
    func run(
        _ configuration: ConfigurationFile, _ options: MigrationOptions, _ logger: Logger, isReset: Bool = false,
        isServed: Bool = false, archive: ArchiveFlag? = nil
    ) throws(MigrationFailure) {
        let isJSON = flags.string("format") == "json"
        do throws(ThreadFailure) {
            try console.watchSignals(cancellation, announcement: isJSON ? nil : "==> Migration shutdown triggered\n")
        } catch {
            throw MigrationFailure(.failed, "\(error)")
        }
        let counters = ProgressCounters()
        let live = isServed ? try LiveView.start(flags, counters) : nil
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
            try perform(run, display, isJSON, archive)
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

    private func perform(
        _ run: MigrationRun, _ display: ProgressDisplay, _ isJSON: Bool, _ archive: ArchiveFlag?
    ) throws(MigrationFailure) {
        try run.run { summary in
            let places = summary.isDryRun || !summary.isFinal ? [] : summary.destinations.map(\.location)
            let archives = try archive?.pack(places) { [cancellation] in cancellation.isCancelled }
            display.finish(showingLast: false)
            if isJSON {
                let more = archives.map { [("archives", ArchiveFlag.json($0))] } ?? []
                EventWriter().emit("result", summary.members + more)
            } else {
                console.printResult(
                    ([summaryText(summary)] + ArchiveFlag.text(archives ?? [])).joined(separator: "\n"))
            }
            do throws(OutputFailure) {
                try console.checkResult()
            } catch {
                throw MigrationFailure(
                    .failed,
                    summary.isDryRun
                        ? "Error: \(error)"
                        : !summary.isFinal
                            ? "\(error)\nThe warm pass is done, the migration is not. Run it again, or go on with "
                                + "-mode=final."
                            : "\(error)\nThe destination is proven and complete. Run the same command again: it "
                                + "compares both sides once more and prints the result.",
                    isPrefixed: !summary.isDryRun)
            }
        }
    }
}
