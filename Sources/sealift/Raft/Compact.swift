import Bolt
import Flags
import Migration
import RaftMaintenance
import Storage
import Telemetry
import Workers

/// `sealift raft compact`: writes the files of a stopped node anew.
let compactCommand = CommandSpec(
    path: ["sealift", "raft", "compact"], summary: "Shrink the files of a stopped node",
    description: """
        Writes vault.db and raft/raft.db of a stopped node anew, dense and in key order: files that servers never shrink, \
        and walk through whole when they open them. Everything is kept: data, membership, position, term, vote and the \
        log. Each new file is read back and compared with the old one by content, and only then takes its place; at \
        every point a server finds a whole file there. The old files stay beside the new ones, as \
        NAME.before-compact-TIME, unless -remove-old is given. A node treated so goes on in its cluster as before. A log \
        in raft/wal is left as it is. Works on directories of Vault and of OpenBao.

        Needs room for the new files beside the old ones, which is looked at first. Killed at any point, run again: what \
        was left is put right, and said.

        Exit codes: 0 done, or nothing to do; 1 flags or configuration; 2 failed, or the result could not be written; 130 \
        interrupted.
        """,
    examples: [
        .init("What would be given back:", "sealift raft compact -dry-run /opt/vault/raft"),
        .init("Shrink, and keep the old files:", "sealift raft compact /opt/vault/raft"),
        .init(
            "Shrink, and remove each old file once the new one is in place:",
            "sealift raft compact -remove-old /opt/vault/raft"),
    ],
    flags: [
        .boolean("dry-run", help: "Read both files, say what would be given back, write nothing."),
        .boolean(
            "remove-old", help: "Remove each old file once the new one, proven to hold the same, has taken its place."),
    ] + NodeDirectory.flags + [CommonFlags.logLevel, CommonFlags.logFormat, CommonFlags.format],
    positional: [NodeDirectory.argument])

/// Runs `raft compact`.
struct Compact {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    private var isJSON: Bool { flags.string("format") == "json" }

    func run() -> Int32 {
        console.perform(flags) { logger in
            do {
                try work(logger)
                return 0
            } catch {
                throw nodeFailure(error)
            }
        }
    }

    private func work(_ logger: Logger) throws {
        let directory = try NodeDirectory(flags, console)
        let cancellation = CancellationToken()
        try console.watchSignals(cancellation, announcement: nil)
        let node = try StoppedNode(path: directory.path)
        defer { node.close() }
        let compaction = Compaction(
            node, isCancelled: { cancellation.isCancelled }, stage: logStages(logger.named("compact")))
        for remark in node.remarks + compaction.remarks { console.printError(remark) }
        let files = try compaction.plan()
        let removesOld = flags.boolean("remove-old")
        if flags.boolean("dry-run") {
            let obstacle = compaction.obstacle(files, removesOld: removesOld)
            if let obstacle { console.printError("Not possible now: \(obstacle.message)") }
            return print(files.map { Line($0) }, node.path, isDry: true, obstacle?.message)
        }
        let results = try compaction.run(
            files, time: WallTime.now().compact, removesOld: removesOld, report: { console.printError($0) })
        print(results.map { Line($0) }, node.path, isDry: false, nil)
    }

    private func print(_ lines: [Line], _ path: String, isDry: Bool, _ obstacle: String?) {
        guard !isJSON else {
            EventWriter().emit(
                "result",
                [
                    ("path", .string(path)), ("dry_run", .boolean(isDry)), ("obstacle", .optional(obstacle)),
                    ("files", .array(lines.map(\.json))),
                ])
            return
        }
        console.printResult((["Directory  \(path)"] + lines.map { $0.text(isDry: isDry) }).joined(separator: "\n"))
    }
}

/// One file in the result.
private struct Line {
    let file: Compaction.File
    /// Bytes of the new file, whether there is one already or not.
    let bytes: Int
    var result: Compaction.Result?

    init(_ file: Compaction.File) {
        self.file = file
        bytes = file.isWorthwhile ? file.shape.compactBytes : file.shape.fileBytes
    }

    init(_ result: Compaction.Result) {
        file = result.file
        bytes = result.bytes
        self.result = result
    }

    func text(isDry: Bool) -> String {
        let before = "\(file.name): \(formatBytes(file.shape.fileBytes))"
        guard file.isWorthwhile else { return "\(before), dense already: left as it is" }
        let back = formatBytes(file.shape.fileBytes - bytes)
        let entries = counted(file.shape.entries, "entry", "entries")
        guard let result else {
            return "\(before) -> \(formatBytes(bytes)), would give \(back) back; \(entries)"
        }
        let old = result.oldPath.map { "the old file is kept as \($0)" } ?? "the old file was removed"
        return "\(before) -> \(formatBytes(bytes)), gave \(back) back; \(entries) read back and equal; \(old)"
    }

    var json: JSONText {
        .object(
            [
                ("name", .string(file.name)), ("bytes_before", .integer(file.shape.fileBytes)),
                ("bytes_after", .integer(bytes)), ("entries", .integer(file.shape.entries)),
                ("replaced", .boolean(result?.isReplaced == true)), ("sha256", .optional(result?.digest)),
                ("old_path", .optional(result?.oldPath)),
            ] + shapeMembers(file.shape))
    }
}
