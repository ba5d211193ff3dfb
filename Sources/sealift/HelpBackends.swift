import Flags
import Storage
import Telemetry

/// `sealift help`: explains commands, and what they can be pointed at.
let helpCommand = CommandSpec(
    path: ["sealift", "help"], summary: "Explain a command, or the storage backends",
    description: "With the words of a command: its help. The storage backends have a page of their own.",
    subcommands: [
        CommandSpec(
            path: ["sealift", "help", "backends"], summary: "List the storage backends and their options",
            description: """
                Lists the types of storage that a configuration file can name, or the options of one: what each takes, \
                the environment variables that win over the file, the default.
                """,
            examples: [
                .init("All storage backends:", "sealift help backends"),
                .init("The options of one:", "sealift help backends dynamodb"),
                .init("For a program:", "sealift help backends -format=json raft"),
            ], flags: [CommonFlags.format],
            positional: [
                .init(
                    "TYPE", help: "a type of storage; all of them if absent",
                    completion: .values(backendDrivers.map(\.kind)))
            ])
    ])

/// Runs `sealift help backends`.
struct HelpBackends {
    private let flags: ParsedFlags
    private let console: Console

    init(_ flags: ParsedFlags, _ console: Console) {
        self.flags = flags
        self.console = console
    }

    func run() -> Int32 {
        do {
            try CommonFlags.checkFormat(flags)
            let words = flags.arguments.map { String(decoding: $0, as: UTF8.self) }
            guard words.count <= 1 else {
                console.printError("Name one type of storage at most. Example: sealift help backends raft")
                return 1
            }
            let drivers = words.first.map { word in backendDrivers.filter { $0.kind == word } } ?? backendDrivers
            guard !drivers.isEmpty else {
                console.printError(
                    "There is no type of storage \"\(StorageKey(words[0]))\". Known are "
                        + "\(backendDrivers.map(\.kind).joined(separator: ", ")).")
                return 1
            }
            if flags.string("format") == "json" {
                for driver in drivers { console.printResult(driver.json.text) }
            } else if words.isEmpty {
                console.printResult(list)
            } else {
                for driver in drivers { console.printResult(driver.helpText(width: console.helpWidth)) }
            }
            return 0
        } catch {
            return console.fail(error, flags)
        }
    }

    private var list: String {
        let column = (backendDrivers.map(\.kind.count).max() ?? 0) + 4
        let lines = backendDrivers.flatMap { driver in
            var text = wrapped(driver.summary, indent: column, limit: console.helpWidth - 2)
            let padding = String(repeating: " ", count: column - 2 - driver.kind.count)
            if !text.isEmpty { text[0] = "  " + driver.kind + padding + text[0].dropFirst(column) }
            return text
        }
        return (lines + ["", "The options of one: sealift help backends TYPE"]).joined(separator: "\n")
    }
}

extension BackendDriver {
    /// Options that have an effect.
    private var effective: [BackendOption] { options.filter { !$0.isIgnored } }
    private var ignored: [String] { options.filter(\.isIgnored).map(\.name) }

    /// The options for a terminal.
    func helpText(width: Int) -> String {
        let limit = max(width - 2, 40)
        var lines = wrapped("Storage backend \"\(kind)\": \(summary) \(notes)", indent: 0, limit: limit) + [""]
        for option in effective {
            lines.append("  \(option.name) (\(option.takes))")
            lines += wrapped(option.fullHelp, indent: 6, limit: limit) + [""]
        }
        if !ignored.isEmpty {
            lines += wrapped(
                "Accepted, without effect on a migration: \(ignored.joined(separator: ", ")).", indent: 2, limit: limit)
        }
        while lines.last == "" { lines.removeLast() }
        return lines.joined(separator: "\n")
    }

    /// The section of the page on storage backends.
    var referenceMarkdown: String {
        var lines = ["### `\(kind)`", "", notes.isEmpty ? summary : "\(summary) \(notes)", ""]
        if !effective.isEmpty {
            lines += [
                "| Option | Takes | Default | Environment | Meaning |", "| --- | --- | --- | --- | --- |",
            ]
            lines += effective.map { option in
                let cells = [
                    "`\(option.name)`", option.takes, option.standard.map { "`\($0)`" } ?? "",
                    option.environment.map { "`\($0)`" }.joined(separator: ", "), option.help + option.remarks,
                ]
                return "| \(cells.joined(separator: " | ")) |"
            }
            lines.append("")
        }
        if !ignored.isEmpty {
            let names = ignored.map { "`\($0)`" }.joined(separator: ", ")
            lines += ["Accepted, without effect on a migration: \(names).", ""]
        }
        return lines.joined(separator: "\n")
    }

    /// The same as an object.
    var json: JSONText {
        .object([
            ("type", .string(kind)), ("summary", .string(summary)), ("notes", .string(notes)),
            (
                "options",
                .array(
                    effective.map { option in
                        .object([
                            ("name", .string(option.name)), ("takes", .string(option.takes)),
                            ("default", option.standard.map { .string($0) } ?? .null),
                            ("environment", .array(option.environment.map { .string($0) })),
                            ("secret", .boolean(option.isSecret)), ("help", .string(option.help)),
                        ])
                    })
            ),
            ("ignored", .array(ignored.map { .string($0) })),
        ])
    }
}

extension BackendOption {
    /// What follows from the declaration.
    fileprivate var remarks: String {
        (isSecret ? " Never shown." : "")
            + (isOwn ? " Of Sealift's own: take it out before a server reads the file." : "")
    }

    fileprivate var fullHelp: String {
        var text = help + remarks
        if let standard { text += " The default is \(standard)." }
        if !environment.isEmpty { text += " \(environment.joined(separator: ", then ")) wins over the file." }
        return text
    }
}
