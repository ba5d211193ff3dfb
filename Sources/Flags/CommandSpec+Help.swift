extension CommandSpec {
    /// The help text in Vault's manner, ending in a newline.
    ///
    /// - Parameter width: Columns of the terminal; lines stay two columns short of it, but no shorter than 40.
    package func helpText(width: Int = 80) -> String {
        let limit = max(width - 2, 40)
        var lines = ["Usage: \(usage)", ""]
        for paragraph in paragraphs(description.isEmpty ? summary + "." : description) {
            lines += wrapped(paragraph, indent: 2, limit: limit) + [""]
        }
        for example in examples {
            lines += wrapped(example.comment, indent: 2, limit: limit)
            lines += [""] + Self.brokenCommand(example.commandLine, limit: limit) + [""]
        }
        lines += subcommandLines(limit: limit) + positionalLines(limit: limit) + flagLines(limit: limit)
        while lines.last == "" { lines.removeLast() }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A command line at a prompt, broken as a shell takes it: at spaces outside quotes, with a backslash at the end.
    private static func brokenCommand(_ command: String, limit: Int) -> [String] {
        var words: [String] = []
        var isQuoted = false
        for word in command.split(separator: " ", omittingEmptySubsequences: false) {
            // A flag and its value stay together, and so does what is quoted.
            let isValue = words.last.map { $0.hasPrefix("-") && !$0.contains { "= ".contains($0) } } ?? false
            if isQuoted || isValue && !word.hasPrefix("-"), let last = words.popLast() {
                words.append("\(last) \(word)")
            } else {
                words.append(String(word))
            }
            if word.count(where: { $0 == "'" || $0 == "\"" }) % 2 == 1 { isQuoted.toggle() }
        }
        var lines: [String] = []
        var line = "      $"
        for word in words {
            if line.count + 3 + word.count > limit, line.count > 10 {
                lines.append(line + " \\")
                line = "         "
            }
            line += " " + word
        }
        return lines + [line]
    }

    /// The first line of the help without `Usage:`.
    package var usage: String {
        if path.count == 1, !subcommands.isEmpty { return "\(commandLine) <command> [args]" }
        if !isRunnable { return "\(commandLine) <subcommand> [options] [args]" }
        let words =
            [commandLine] + (subcommands.isEmpty ? [] : ["[subcommand]"]) + (visibleFlags.isEmpty ? [] : ["[options]"])
            + positional.map(\.name)
        return words.joined(separator: " ")
    }

    private func subcommandLines(limit: Int) -> [String] {
        guard !subcommands.isEmpty else { return [] }
        let column = (subcommands.map(\.name.count).max() ?? 0) + 8
        var lines = [path.count == 1 ? "Commands:" : "Subcommands:"]
        for command in subcommands {
            var text = wrapped(command.summary, indent: column, limit: limit)
            let padding = String(repeating: " ", count: column - 4 - command.name.count)
            if !text.isEmpty { text[0] = "    " + command.name + padding + text[0].dropFirst(column) }
            lines += text
        }
        return lines + [""]
    }

    private func positionalLines(limit: Int) -> [String] {
        guard !positional.isEmpty else { return [] }
        return ["Arguments:", ""]
            + positional.flatMap { ["  \($0.name)"] + wrapped($0.help, indent: 6, limit: limit) + [""] }
    }

    private func flagLines(limit: Int) -> [String] {
        guard !visibleFlags.isEmpty else { return [] }
        return ["Command Options:", ""]
            + visibleFlags.flatMap { flag in
                ["  " + flag.synopsis] + wrapped(flag.fullHelp, indent: 6, limit: limit) + [""]
            }
    }
}

extension FlagSpec {
    /// The flag as help shows it: `-config=<path>`, `-reset`.
    var synopsis: String { takesValue ? "-\(name)=<\(placeholder)>" : "-\(name)" }

    /// The help with what follows from the declaration: repetition, default, variables.
    var fullHelp: String {
        var text = help
        if kind == .list { text += " This can be specified multiple times." }
        if let defaultText, !defaultText.isEmpty { text += " The default is \(defaultText)." }
        if !environment.isEmpty {
            let names = environment.joined(separator: " or ")
            text += " This can also be specified via the \(names) environment variable."
        }
        return text
    }
}

/// The paragraphs of a prose text, line breaks within them undone.
func paragraphs(_ text: String) -> [String] {
    var paragraphs: [[Substring]] = [[]]
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        let words = line.split(separator: " ")
        if words.isEmpty {
            paragraphs.append([])
        } else {
            paragraphs[paragraphs.count - 1] += words
        }
    }
    return paragraphs.filter { !$0.isEmpty }.map { $0.joined(separator: " ") }
}

/// Breaks a text at spaces into lines of at most `limit` columns, indentation included. Longer words stay whole.
package func wrapped(_ text: String, indent: Int, limit: Int) -> [String] {
    let margin = String(repeating: " ", count: indent)
    var lines: [String] = []
    var line = ""
    for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
        if !line.isEmpty, indent + line.count + 1 + word.count > limit {
            lines.append(margin + line)
            line = ""
        }
        line += line.isEmpty ? String(word) : " " + word
    }
    return line.isEmpty ? lines : lines + [margin + line]
}
