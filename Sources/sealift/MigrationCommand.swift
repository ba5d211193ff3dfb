import Flags
import Migration
import Storage
import Telemetry
import Workers

/// What all commands share that run the engine of migrations: signals, progress, and the result in both forms.
struct MigrationCommand {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    /// Runs to the end and tells of it.
    ///
    /// - Parameter isReset: Whether only the marker is removed.
    func run(
        _ configuration: ConfigurationFile, _ options: MigrationOptions, _ logger: Logger, isReset: Bool = false
    ) throws(MigrationFailure) {
        let cancellation = CancellationToken()
        let isJSON = flags.string("format") == "json"
        do throws(ThreadFailure) {
            try console.watchSignals(cancellation, announcement: isJSON ? nil : "==> Migration shutdown triggered\n")
        } catch {
            throw MigrationFailure(.failed, "\(error)")
        }
        let counters = ProgressCounters()
        let context = RunContext(
            logger: logger, counters: counters, cancellation: cancellation, environment: console.environment,
            version: sealiftVersion, isWatched: !isJSON && console.screen.allowsLiveBlock)
        let run = MigrationRun(
            configuration: configuration, drivers: backendDrivers, options: options, context: context)
        if isReset {
            try run.reset()
            console.printResult("Success! Migration lock reset (if it was set).")
            return
        }
        let display = ProgressDisplay(counters, style: console.progressStyle(flags, logger))
        defer { display.finish(showingLast: false) }
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
