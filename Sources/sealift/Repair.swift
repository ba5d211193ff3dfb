import Flags
import Migration
import Storage
import Telemetry
import Workers

/// `sealift repair`: puts right what a comparison found.
let repairCommand = CommandSpec(
    path: ["sealift", "repair"], summary: "Write only what differs at a destination, and prove it again",
    description: """
        Reads both stores of a migration's file while no server runs on either, writes to the destination what is missing \
        there or different, and nothing else, and proves every entry. Entries that only the destination has stay, and end \
        the repair before it writes anything, unless -remove-extra is given.

        With -from only the differences in that report may be put right: if there are others, nothing is written. A \
        directory of integrated storage is built whole and is not repaired: migrate once more.

        Exit codes: 0 repaired and proven, 1 flags or configuration, 2 failed, 3 the destination still differs, 130 \
        interrupted.
        """,
    examples: [
        .init("Put right whatever differs:", "sealift repair -config migrate.hcl"),
        .init(
            "Look first, then put right what was found and nothing else:",
            "sealift check -config migrate.hcl -format=json > check.json; sealift repair -config migrate.hcl -from check.json"
        ),
    ],
    flags: [
        CommonFlags.config,
        .string(
            "from", placeholder: "path",
            help: "A report that sealift check -format=json has written: its differences are put right, no others.",
            completion: .file),
        .boolean("remove-extra", help: "Remove entries that only the destination has."),
        CommonFlags.include, CommonFlags.exclude, CommonFlags.maxParallel, CommonFlags.allowAnyData,
        CommonFlags.allowLostEntries, CommonFlags.allowMissingLog, CommonFlags.listedOnly, CommonFlags.readOnlySource,
        CommonFlags.stateFolder, CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
    ])

/// Runs `repair`.
struct Repair {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        let command = MigrationCommand(flags, console)
        return command.perform("Error repairing: ") { logger throws(MigrationFailure) in
            let path = try CommonFlags.configPath(flags)
            let options = try options(command)
            let configuration = try ConfigurationFile(path: path, environment: console.environment)
            try command.run(configuration, options, logger)
            return 0
        }
    }

    private func options(_ command: MigrationCommand) throws(MigrationFailure) -> MigrationOptions {
        var options = command.options(.repair)
        options.scope = KeyScope(
            included: try CommonFlags.prefixes(flags, "include"), excluded: try CommonFlags.prefixes(flags, "exclude"))
        // What was left out by the migration is not missed.
        options.isForced = true
        options.allowsAnyData = flags.boolean("allow-any-data")
        options.allowsLostEntries = flags.boolean("allow-lost-entries")
        options.listedOnly = flags.boolean("listed-only")
        options.removesExtra = flags.boolean("remove-extra")
        let report = flags.string("from")
        guard !report.isEmpty || !flags.isSet("from") else {
            throw MigrationFailure(.configuration, "-from names no file.")
        }
        if !report.isEmpty {
            do throws(StorageError) {
                options.reported = try ReportedDifferences(path: report)
            } catch {
                throw MigrationFailure(.configuration, error.message, cause: error)
            }
        }
        return options
    }
}
