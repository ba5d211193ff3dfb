import Flags
import Glibc
import Telemetry

/// The program: finds the command that the arguments name and exits with its code.
let console = Console(environment: processEnvironment())

do throws(FlagError) {
    switch try rootCommand.resolve(Array(CommandLine.arguments.dropFirst())) {
    case .help(let command): console.printResult(command.helpText(width: min(terminalWidth(of: 1), 100)))
    case .version: console.printResult("Sealift v\(sealiftVersion)")
    case .incomplete(let group, let code):
        console.printError(group.helpText())
        exit(code)
    case .command(let command, let arguments):
        let flags = try command.parse(arguments, environment: console.environment)
        for warning in flags.warnings { console.printError(console.screen.paint(warning, .yellow)) }
        if flags.wantsHelp {
            console.printResult(command.helpText(width: min(terminalWidth(of: 1), 100)))
            exit(0)
        }
        exit(run(command, flags, console))
    }
} catch {
    console.printError(console.screen.paint(error.message, .red))
    exit(error.exitCode)
}
