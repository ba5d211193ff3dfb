import Flags
import Storage

/// `sealift reference`: what the pages of the documentation and the man pages are made with.
let referenceCommand = CommandSpec(
    path: ["sealift", "reference"], summary: "Print the reference of commands or storage backends, or man pages",
    description: """
        Prints the reference of all commands as Markdown, that of the storage backends, or the man page of one command in \
        roff.
        """,
    examples: [
        .init("The commands, as Markdown:", "sealift reference commands"),
        .init("The storage backends, as Markdown:", "sealift reference backends"),
        .init("The man page of a command:", "sealift reference man operator migrate"),
    ],
    positional: [
        .init(
            "WHAT", help: "commands, backends, or man and the words of a command",
            completion: .values(["commands", "backends", "man"]))
    ])

func printReference(_ flags: ParsedFlags, _ console: Console) -> Int32 {
    let words = flags.arguments.map { String(decoding: $0, as: UTF8.self) }
    switch words.first {
    case "commands" where words.count == 1:
        console.printResult(rootCommand.referenceMarkdown())
    case "backends" where words.count == 1:
        console.printResult(backendDrivers.map(\.referenceMarkdown).joined(separator: "\n"))
    case "man":
        let path = ["sealift"] + words.dropFirst()
        guard let command = rootCommand.all.first(where: { $0.path == path }) else {
            console.printError("There is no command \(path.joined(separator: " ")). See: sealift -help")
            return 1
        }
        console.printResult(command.manPage(version: sealiftVersion))
    default:
        console.printError("Name one: commands, backends, or man and a command. Example: sealift reference man check")
        return 1
    }
    return 0
}
