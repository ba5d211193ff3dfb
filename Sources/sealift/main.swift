import Flags
import Glibc
import Telemetry

/// The program: finds the command that the arguments name and exits with its code.
occupyStandardStreams()
ignoreSignalsOfWrites()
let memoryProblem = fitIntoAddressSpace()
let variables = processEnvironment()
let console = Console(environment: variables)

do throws(FlagError) {
    switch try rootCommand.resolve(processArguments()) {
    case .help(let command): console.printResult(command.helpText(width: console.helpWidth))
    case .version: console.printResult("Sealift v\(sealiftVersion)")
    case .incomplete(let group, let code):
        console.printError(group.helpText())
        exit(code)
    case .command(let command, let arguments):
        let flags = try command.parse(arguments, environment: variables)
        for warning in flags.warnings { console.printError(console.screen.paint(warning, .yellow)) }
        if flags.wantsHelp {
            console.printResult(command.helpText(width: console.helpWidth))
        } else {
            if let problem = memoryProblem ?? console.environmentProblem, !command.flags.isEmpty {
                console.printError(console.screen.paint(problem, .red))
                exit(memoryProblem == nil ? 1 : 2)
            }
            exit(console.exitCode(after: run(command, flags, console)))
        }
    }
    exit(console.exitCode(after: 0))
} catch {
    exit(console.fail(error, processArguments()))
}
