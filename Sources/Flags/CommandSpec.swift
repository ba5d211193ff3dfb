/// A command, or a group of commands: the one declaration from which parsing, help, shell completion and the
/// reference come.
package struct CommandSpec: Sendable {
    /// A command line worth showing, with the sentence that introduces it.
    package struct Example: Sendable {
        /// A sentence ending in a colon.
        package let comment: String
        /// What to type, without the shell's prompt.
        package let commandLine: String

        package init(_ comment: String, _ commandLine: String) {
            self.comment = comment
            self.commandLine = commandLine
        }
    }

    /// Arguments behind the flags.
    package struct Positional: Sendable {
        /// As help shows it, for example `FILE`.
        package let name: String
        package let help: String
        package let completion: CompletionHint

        package init(_ name: String, help: String, completion: CompletionHint = .none) {
            self.name = name
            self.help = help
            self.completion = completion
        }
    }

    /// The words that call it, the program's name first: `["sealift", "operator", "migrate"]`.
    package let path: [String]
    /// One line for lists of commands, without a full stop.
    package let summary: String
    /// Paragraphs of prose; an empty line separates two.
    package let description: String
    package let examples: [Example]
    package let flags: [FlagSpec]
    package let positional: [Positional]
    /// Not empty for a group, which does nothing by itself unless it has flags.
    package let subcommands: [CommandSpec]

    /// Declares a command.
    ///
    /// - Precondition: Flag names are unique; each subcommand's path is this one's and one more word.
    package init(
        path: [String], summary: String, description: String = "", examples: [Example] = [], flags: [FlagSpec] = [],
        positional: [Positional] = [], subcommands: [CommandSpec] = []
    ) {
        precondition(!path.isEmpty, "a command's path begins with the program's name")
        precondition(Set(flags.map(\.name)).count == flags.count, "\(path) declares a flag twice")
        precondition(
            subcommands.allSatisfy { $0.path.dropLast() == path[...] },
            "a subcommand of \(path) has a path that does not begin with it")
        self.path = path
        self.summary = summary
        self.description = description
        self.examples = examples
        self.flags = flags
        self.positional = positional
        self.subcommands = subcommands
    }

    /// Whether there is something to run, and not only a group of commands.
    var isRunnable: Bool { subcommands.isEmpty || !flags.isEmpty }

    /// The last word of the path.
    package var name: String { path[path.count - 1] }

    /// The path as typed: `sealift operator migrate`.
    package var commandLine: String { path.joined(separator: " ") }

    /// This command and all below it, each before its subcommands.
    package var all: [CommandSpec] { [self] + subcommands.flatMap(\.all) }

    var visibleFlags: [FlagSpec] { flags.filter { !$0.isHidden } }
}
