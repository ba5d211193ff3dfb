import Flags
import Telemetry

/// Sealift's version.
let sealiftVersion = "0.1.0"

/// Every command, from which parsing, help, completion and the README's reference come.
let rootCommand = CommandSpec(
    path: ["sealift"], summary: "Moves a Vault or OpenBao store from one storage backend to another, and proves it",
    description: """
        Moves the storage of a HashiCorp Vault or OpenBao server from one storage backend to another. Entries stay \
        encrypted: no unseal key is needed and nothing is decrypted. What was written is read back and compared, entry \
        by entry, before success is reported.
        """,
    subcommands: [
        CommandSpec(
            path: ["sealift", "operator"], summary: "Operate on a server's storage",
            description: "Commands with the names they have in Vault.",
            subcommands: [operatorMigrateCommand, operatorRollbackCommand]),
        checkCommand, proveCommand, drillCommand, repairCommand, checksumCommand, planCommand, inspectCommand,
        reportCommand,
        raftCommand,
        snapshotCommand,
        practiceTableCommand,
        completionCommand, helpCommand, referenceCommand,
        CommandSpec(path: ["sealift", "version"], summary: "Print the version"),
    ])

/// Runs the command that was found.
///
/// - Returns: The exit code.
func run(_ command: CommandSpec, _ flags: ParsedFlags, _ console: Console) -> Int32 {
    if let found = raftCommands.first(where: { $0.spec.path == command.path }) { return found.run(flags, console) }
    switch command.path.dropFirst().joined(separator: " ") {
    case "operator migrate": return OperatorMigrate(flags, console).run()
    case "operator rollback": return OperatorRollback(flags, console).run()
    case "check": return Check(flags, console).run()
    case "prove": return Prove(flags, console).run()
    case "drill": return DrillCommand(flags, console).run()
    case "drill history": return DrillHistoryCommand(flags, console).run()
    case "repair": return Repair(flags, console).run()
    case "checksum": return Checksum(flags, console).run()
    case "plan": return Plan(flags, console).run()
    case "report": return ReportCommand(flags, console).run()
    case "inspect ls": return Inspect(flags, console).list()
    case "inspect du": return Inspect(flags, console).usage()
    case "inspect stat": return Inspect(flags, console).stat()
    case "inspect pages": return InspectPages(flags, console).run()
    case "inspect snapshot": return InspectSnapshot(flags, console).run()
    case "snapshot verify": return SnapshotVerify(flags, console).run()
    case "snapshot diff": return SnapshotDiff(flags, console).run()
    case "practice-table": return PracticeTableRun(flags, console).run()
    case "completion": return printCompletion(flags, console)
    case "reference":
        return printReference(flags, console)
    case "help backends": return HelpBackends(flags, console).run()
    case "version":
        console.printResult("Sealift v\(sealiftVersion)")
        return 0
    default:
        if let found = raftCommands.first(where: { $0.spec.path == command.path }) { return found.run(flags, console) }
        preconditionFailure("\(command.commandLine) is declared and not run")
    }
}

/// `sealift completion`.
let completionCommand = CommandSpec(
    path: ["sealift", "completion"], summary: "Print a completion script for a shell",
    description: "Prints a script that teaches bash, zsh or fish the commands and flags.",
    examples: [
        .init("For this bash session:", "source <(sealift completion bash)"),
        .init("For every zsh session:", "sealift completion zsh > ~/.zfunc/_sealift"),
        .init("For every fish session:", "sealift completion fish > ~/.config/fish/completions/sealift.fish"),
    ],
    positional: [.init("SHELL", help: "bash, zsh or fish", completion: .values(Shell.allCases.map(\.rawValue)))])

private func printCompletion(_ flags: ParsedFlags, _ console: Console) -> Int32 {
    let words = flags.arguments.map { String(decoding: $0, as: UTF8.self) }
    guard words.count == 1, let shell = Shell(rawValue: words[0]) else {
        let names = Shell.allCases.map(\.rawValue).joined(separator: ", ")
        console.printError("Name one shell: \(names). Example: sealift completion bash")
        return 1
    }
    console.printResult(rootCommand.completionScript(for: shell))
    return 0
}
