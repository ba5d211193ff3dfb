import Drill
import Flags
import Migration
import Storage
import Telemetry
import Workers

/// `sealift drill`: a restore that is really made, timed and removed.
let drillCommand = CommandSpec(
    path: ["sealift", "drill"],
    summary: "Practise a restore: restore, prove, start a server on the copy, report, remove",
    description: """
        Restores a source of any kind (a snapshot, a copied directory, a file tree, an export, a database) into a scratch \
        directory of integrated storage below a folder of its own, reads it back and compares it, looks at every entry's \
        structure, and with -prove authenticates every entry with key shares. With a server block it starts that server on the \
        copy, unseals it with the same shares, waits until it is active, has it list its mounts and read what `read` names, and \
        stops it. Then the copy is removed. The time of each phase is in the report. The source is only read.

        The file has storage_source, as for a migration; drill { folder = "…" }, with drop_leases (true), drop_audit_devices \
        (true), keep (false), slower (1.5), smaller (0.9), allow_source_in_use, allow_lost_entries and allow_missing_log \
        (false); and perhaps server { binary = "/usr/bin/bao" }, with network (cut_if_allowed, cut or shared), port and \
        cluster_port (0: free ones, on loopback), timeout (300 seconds), read (a list of paths) and allow_live_leases (false).

        The server gets a network of its own, without a way out, where the system lets it; the report says whether. Leases are \
        left out of the copy, so that it revokes nothing that is real, and audit devices, so that it writes to no log of this \
        machine. With leases and with a network no server is started unless the file says allow_live_leases. Of VAULT_… and BAO_… \
        it sees nothing. It ends with the drill, however that ends.

        Nothing is removed but what carries the mark of a drill: a drill that was killed leaves its copy, and the next one \
        removes it. The folder's history has a report.json and a page for each drill; see `sealift drill history`. One that was \
        slower or smaller than the last good one of the same source, by the shares set, is pointed out.

        Exit codes: 0 passed, 1 flags or configuration, 2 failed, 3 the copy differs from the source or its entries are damaged, \
        4 passed with -strict, and slower or smaller than allowed, 130 interrupted.
        """,
    examples: [
        .init(
            "With a server, which needs the key shares; without -shares-fd they are asked for:",
            "sealift drill -config drill.hcl -shares-fd 3 3< shares.txt"),
        .init(
            "Every entry authenticated as well, and the copy kept to be looked at:",
            "sealift drill -config drill.hcl -prove -keep -shares-fd 3 3< shares.txt"),
        .init("Without a server, as a timer does it:", "sealift drill -config nightly-drill.hcl -strict -format=json"),
    ],
    flags: [
        CommonFlags.config,
        .boolean("prove", help: "Authenticate every entry of the copy, with key shares."),
        ShareInput.flag,
        .boolean("keep", help: "Leave the copy where it is, whatever the file says."),
        .boolean("strict", help: "Exit with 4 if the drill passed, and was slower or smaller than allowed."),
        CommonFlags.maxParallel, CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format,
    ], subcommands: [drillHistoryCommand])

/// Runs `drill`.
struct DrillCommand {
    /// The exit code of a drill that passed, and is worse than allowed.
    private static let worse: Int32 = 4

    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 { console.perform(flags) { try drill($0) } }

    private var isJSON: Bool { flags.string("format") == "json" }

    private func drill(_ logger: Logger) throws -> Int32 {
        var (settings, source) = try DrillSettings.read(
            try CommonFlags.configPath(flags), environment: console.environment)
        if flags.boolean("keep") { settings.keeps = true }
        if let driver = backendDrivers.first(where: { $0.kind == source.type }) {
            for remark in try source.checkOptions(driver) { console.printError("Warning: \(remark)") }
        }
        let needsShares = flags.boolean("prove") || settings.server != nil
        guard needsShares || !flags.isSet("shares-fd") else {
            throw MigrationFailure(.configuration, "-shares-fd goes with -prove, or with a server block.")
        }
        let cancellation = CancellationToken()
        // The server's socket is reached by way of /proc/self.
        let input = needsShares ? try ShareInput(flags, cancellation) : nil
        try console.watchSignals(cancellation, announcement: isJSON ? nil : "==> Drill shutdown triggered\n")
        let counters = ProgressCounters()
        let context = RunContext(
            logger: logger, counters: counters, cancellation: cancellation, environment: console.environment,
            version: sealiftVersion, isWatched: !isJSON && console.screen.allowsLiveBlock)
        let display = ProgressDisplay(counters, style: console.progressStyle(flags, logger))
        defer { display.finish(showingLast: false) }
        let run = DrillRun(
            settings, source: source, drivers: backendDrivers, proves: flags.boolean("prove"),
            readers: flags.integer("max-parallel"), context: context, ask: input.map { input in { try input.ask($0) } }
        ) { tell($0, logger) }
        let (record, failure) = try run.run()
        display.finish(showingLast: false)
        if isJSON { EventWriter().emit("result", record.members) } else { console.printResult(text(record, settings)) }
        if let failure {
            let phase = record.failedPhase.map { "The drill failed, in the phase \"\($0.rawValue)\": " } ?? ""
            throw MigrationFailure(
                failure.kind, failure.kind == .interrupted ? Self.interrupted : phase + failure.message,
                cause: failure.cause, place: failure.place)
        }
        for finding in record.findings { console.printError(console.screen.paint("Warning: \(finding)", .yellow)) }
        return flags.boolean("strict") && !record.findings.isEmpty ? Self.worse : 0
    }

    private static let interrupted =
        "Interrupted. The server was stopped and the copy removed, unless it is to be kept."

    private func tell(_ event: DrillRun.DrillEvent, _ logger: Logger) {
        guard isJSON else {
            if case .ended(let phase) = event {
                logger.info(
                    "phase",
                    [
                        "phase": .string(phase.phase.rawValue), "passed": .string(phase.isPassed ? "yes" : "no"),
                        "seconds": .string(seconds(phase.seconds)),
                    ])
            }
            return
        }
        switch event {
        case .begun(let phase):
            EventWriter().emit("phase", [("phase", .string(phase.rawValue)), ("state", .string("begun"))])
        case .ended(let phase):
            EventWriter().emit(
                "phase",
                [
                    ("phase", .string(phase.phase.rawValue)), ("state", .string(phase.isPassed ? "passed" : "failed")),
                    ("seconds", .double(phase.seconds)),
                ])
        }
    }

    private func seconds(_ seconds: Double) -> String { formatDuration(.milliseconds(Int(seconds * 1000))) }

    private func text(_ record: DrillRecord, _ settings: DrillSettings) -> String {
        var lines: [String] = []
        func row(_ name: String, _ text: String) {
            lines.append("  " + name + String(repeating: " ", count: max(16 - name.count, 1)) + text)
        }
        lines.append(
            record.result == .passed
                ? "The drill passed\(record.findings.isEmpty ? "." : ", and something stands out.")"
                : "The drill did not pass.")
        lines.append("")
        row("Source", "\(record.sourceKind) \(record.sourceLocation)")
        if let entries = record.entries {
            row("Restored", "\(counted(entries, "entry", "entries")), \(formatBytes(record.bytes ?? 0))")
        }
        if let digest = record.keyspaceDigest { row("Keyspace digest", digest) }
        if let count = record.authenticated { row("Authenticated", counted(count, "entry", "entries")) }
        if let server = record.server {
            row("Server", "\(server.binary)\(server.version.map { ", \($0)" } ?? "")")
            row("Network", server.isNetworkCut ? "cut off" : "not cut off")
            if let mounts = server.mounts { row("Mounts", "\(formatCount(mounts)), \(server.mountsFrom ?? "")") }
            if let paths = settings.server?.reads, !paths.isEmpty {
                row("Served", "\(formatCount(server.reads)) of \(counted(paths.count, "path"))")
            }
        }
        for phase in record.phases {
            row(
                phase.phase.rawValue,
                "\(seconds(phase.seconds))\(phase.isPassed ? "" : "  FAILED")  \(phase.phase.about)")
        }
        let ours = record.phases.filter { !$0.phase.isServers }.reduce(0) { $0 + $1.seconds }
        row("Took", "\(seconds(record.seconds)); without the server's phases \(seconds(ours))")
        if let copy = record.keptCopy { row("Kept", copy) }
        for finding in record.findings { row("Stands out", finding) }
        for remark in record.remarks { row("Remark", remark) }
        row("Report", "\(settings.folder)/history/\(record.id).html")
        return lines.joined(separator: "\n")
    }
}
