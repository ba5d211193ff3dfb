import Drill
import Flags
import Migration
import Storage
import Telemetry

/// `sealift drill history`.
let drillHistoryCommand = CommandSpec(
    path: ["sealift", "drill", "history"], summary: "List the drills of a folder: dates, sizes, times, verdicts",
    description: """
        Lists what the reports in the folder's history say, oldest first: when, the verdict, with the phase that failed, entries, \
        bytes, and how long it took. A drill whose report says that it has not come to its end was killed, or is under way. \
        What stood out against the last good drill of its time stands below each. Nothing is changed.
        """,
    examples: [
        .init("For people:", "sealift drill history -config drill.hcl"),
        .init("For programs, one drill a line:", "sealift drill history -config drill.hcl -format=json"),
    ], flags: [CommonFlags.config, CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format])

/// Runs `drill history`.
struct DrillHistoryCommand {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        console.perform(flags) { _ in
            let (settings, _) = try DrillSettings.read(
                try CommonFlags.configPath(flags), environment: console.environment, looksForServer: false)
            let history = try DrillHistory(folder: settings.folder)
            for name in history.unreadable {
                console.printError(
                    console.screen.paint(
                        "Warning: \(settings.folder)/history/\(StorageKey(Array(name.utf8))) is no report of a drill.",
                        .yellow))
            }
            if flags.string("format") == "json" {
                for drill in history.drills { EventWriter().emit("drill", drill.members) }
            } else {
                console.printResult(text(history))
            }
            return 0
        }
    }

    private func text(_ history: DrillHistory) -> String {
        guard !history.drills.isEmpty else { return "There has been no drill." }
        var rows = [["STARTED", "VERDICT", "ENTRIES", "BYTES", "TOOK", "SOURCE"]]
        for (index, drill) in history.drills.enumerated() {
            let isPresent = history.isBusy && index == history.drills.count - 1 && drill.result == "unfinished"
            let verdict = isPresent ? "under way" : drill.result + (drill.failedPhase.map { " (\($0))" } ?? "")
            rows.append([
                shown(String(drill.started.prefix(19))), shown(verdict), drill.entries.map { formatCount($0) } ?? "-",
                drill.bytes.map { formatBytes($0) } ?? "-",
                drill.result == "unfinished" ? "-" : drill.seconds.map { seconds($0) } ?? "-", shown(drill.source),
            ])
        }
        let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines: [String] = []
        for (number, row) in rows.enumerated() {
            let cells = zip(row, widths).map { text, width in text + String(repeating: " ", count: width - text.count) }
            lines.append((cells + [row[5]]).joined(separator: "  "))
            guard number > 0 else { continue }
            lines += history.drills[number - 1].findings.prefix(5).map { "  ! \(shown($0))" }
        }
        return lines.joined(separator: "\n")
    }

    private func seconds(_ seconds: Double) -> String {
        formatDuration(.milliseconds(Int(min(max(seconds, 0), 1e9) * 1000)))
    }

    /// A text of a report, which anybody may have changed.
    private func shown(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value >= 0x20 && $0.value != 0x7f ? Character($0) : "?" }.prefix(400))
    }
}
