/// What the words of a command line ask for.
package enum Resolution: Sendable {
    /// Run a command with what follows its words.
    case command(CommandSpec, arguments: [String])
    /// Print a command's help on standard output and exit with 0.
    case help(CommandSpec)
    /// Print the version and exit with 0.
    case version
    /// A group was named without one of its commands: print its help on standard error and exit with that code.
    case incomplete(CommandSpec, exitCode: Int32)
}

extension CommandSpec {
    /// Finds the command that an argument vector names.
    ///
    /// Called on the root.
    /// - Parameter arguments: The process's arguments without the program's name.
    /// - Throws: `FlagError` with code `.unknownCommand`, with the nearest name; with `.badFlag` if a flag stands where
    ///   a command is expected.
    package func resolve(_ arguments: [String]) throws(FlagError) -> Resolution {
        var command = self
        var rest = arguments[...]
        while !command.subcommands.isEmpty {
            guard let word = rest.first else {
                // Vault's manner: no command at all is as wrong as an unknown one, a group alone is not.
                return .incomplete(command, exitCode: command.path.count == 1 ? 127 : 1)
            }
            if let next = command.subcommands.first(where: { $0.name == word }) {
                command = next
                rest = rest.dropFirst()
            } else if ["-v", "-version", "--version"].contains(word), command.path.count == 1 {
                return .version
            } else if command.asksForHelp(rest) {
                return .help(command)
            } else {
                throw command.unexpected(word)
            }
        }
        if command.asksForHelp(rest) { return .help(command) }
        return .command(command, arguments: Array(rest))
    }

    private func unexpected(_ word: String) -> FlagError {
        if word.utf8.first == UInt8(ascii: "-") {
            return FlagError(
                .badFlag, "Invalid flags before the subcommand: \(goQuoted(word)). Put flags after the subcommand.")
        }
        let near = nearestName(to: word, among: subcommands.map(\.name))
        let remedy = near.map { "Did you mean \"\($0)\"?" } ?? "See: \(commandLine) -help"
        return FlagError(.unknownCommand, "\(commandLine) has no command \(goQuoted(word)).\n\(remedy)")
    }
}
