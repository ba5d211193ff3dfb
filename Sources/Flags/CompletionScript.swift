import Wording

/// The shells that completion scripts can be written for.
package enum Shell: String, Sendable, CaseIterable {
    case bash
    case zsh
    case fish
}

extension CommandSpec {
    /// A script that teaches a shell to complete this program's commands, flags, files and values.
    ///
    /// Called on the root. The script needs nothing but the shell: it does not run the program.
    package func completionScript(for shell: Shell) -> String {
        switch shell {
        case .bash: bashCompletion()
        case .zsh: zshCompletion()
        case .fish: fishCompletion()
        }
    }

    /// The name of the shell function, the same for the root and all below it: the program's name, every character but
    /// letters and digits replaced.
    var completionFunction: String {
        "_" + String(path[0].map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    }

    /// A shell `case` pattern of all command lines below the root, the root itself left out; a harmless one if there
    /// are none.
    var knownPathsPattern: String {
        let paths = all.dropFirst().map { shellQuoted($0.commandLine) }
        return paths.isEmpty ? "''" : paths.joined(separator: " | ")
    }

    /// Every flag that takes a value, with the command it belongs to.
    var valueFlags: [(command: CommandSpec, flag: FlagSpec)] {
        all.flatMap { command in command.visibleFlags.filter(\.takesValue).map { (command, $0) } }
    }
}
