/// What the words of a command line ask for.
package enum Resolution: Sendable {
    /// Run a command with what follows its words.
    case command(CommandSpec, arguments: [[UInt8]])
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
    /// - Parameter arguments: The process's arguments without the program's name, as bytes.
    /// - Throws: `FlagError` with code `.unknownCommand`, with the nearest name; with `.badFlag` if a flag stands where
    ///   a command is expected.
    package func resolve(_ arguments: [[UInt8]]) throws(FlagError) -> Resolution {
        var command = self
        var rest = arguments[...]
        while !command.subcommands.isEmpty {
            guard let word = rest.first else {
                if command.isRunnable { return .command(command, arguments: []) }
                // Vault's manner: no command at all is as wrong as an unknown one, a group alone is not.
                return .incomplete(command, exitCode: command.path.count == 1 ? 127 : 1)
            }
            if command.path.count == 1, let named = command.namedForHelp(rest) { return .help(named) }
            if let next = command.subcommands.first(where: { word.elementsEqual($0.name.utf8) }) {
                command = next
                rest = rest.dropFirst()
            } else if command.path.count == 1,
                ["-v", "-version", "--version"].contains(where: { word.elementsEqual($0.utf8) })
            {
                return .version
            } else if command.asksForHelp(rest) {
                return .help(command)
            } else if command.isRunnable, word.first == UInt8(ascii: "-") {
                return .command(command, arguments: Array(rest))
            } else {
                throw command.unexpected(word)
            }
        }
        if command.asksForHelp(rest) { return .help(command) }
        return .command(command, arguments: Array(rest))
    }

    /// The command that `help COMMAND` names, the root for `help` alone; `nil` for anything else.
    private func namedForHelp(_ words: ArraySlice<[UInt8]>) -> CommandSpec? {
        guard let first = words.first, first.elementsEqual("help".utf8) else { return nil }
        var command = self
        for word in words.dropFirst() {
            guard let next = command.subcommands.first(where: { word.elementsEqual($0.name.utf8) }) else { return nil }
            command = next
        }
        return command
    }

    /// The same with texts.
    package func resolve(_ arguments: [String]) throws(FlagError) -> Resolution {
        try resolve(arguments.map { Array($0.utf8) })
    }

    private func unexpected(_ word: [UInt8]) -> FlagError {
        if word.first == UInt8(ascii: "-") {
            return FlagError(
                .badFlag, "Invalid flags before the subcommand: \(goQuoted(word)). Put flags after the subcommand.")
        }
        let near = nearestName(to: shownText(word), among: subcommands.map(\.name))
        let remedy = near.map { "Did you mean \"\($0)\"?" } ?? "See: \(commandLine) -help"
        return FlagError(.unknownCommand, "\(commandLine) has no command \(goQuoted(word)).\n\(remedy)")
    }
}
