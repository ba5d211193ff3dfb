extension CommandSpec {
    /// One `complete` line per command, flag and argument, each valid only behind its command's words.
    func fishCompletion() -> String {
        let function = "__" + completionFunction.dropFirst()
        var lines = [
            "# fish completion for \(name)",
            "function \(function)_at",
            "    set -l words (commandline -opc)",
            "    set -l command \(fishQuoted(name))",
            "    for word in $words[2..-1]",
            "        switch \"$command $word\"",
        ]
        let paths = all.dropFirst().map { fishQuoted($0.commandLine) }
        if !paths.isEmpty {
            lines.append("            case \(paths.joined(separator: " "))")
            lines.append("                set command \"$command $word\"")
        }
        lines += [
            "            case '*'",
            "                break",
            "        end",
            "    end",
            "    test \"$command\" = \"$argv\"",
            "end",
            "complete -c \(fishQuoted(name)) -f",
        ]
        for command in all { lines += command.fishLines(program: fishQuoted(name), function: function) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func fishLines(program: String, function: String) -> [String] {
        let start = "complete -c \(program) -n \(fishQuoted("\(function)_at \(commandLine)"))"
        var lines = subcommands.map { "\(start) -a \(fishQuoted($0.name)) -d \(fishQuoted($0.summary))" }
        for flag in visibleFlags {
            let text = fishQuoted(firstSentence(flag.help))
            let offer = flag.takesValue ? " -r" + fishOffer(flag.completion) : ""
            // Go's flags take one dash or two; to fish these are different kinds of option.
            lines.append("\(start) -o \(fishQuoted(flag.name))\(offer) -d \(text)")
            lines.append("\(start) -l \(fishQuoted(flag.name))\(offer) -d \(text)")
        }
        lines += ["\(start) -o help -d 'Show help'", "\(start) -l help -d 'Show help'"]
        if subcommands.isEmpty, let argument = positional.first, argument.completion != .none {
            lines.append(start + fishOffer(argument.completion))
        }
        return lines
    }

    private func fishOffer(_ hint: CompletionHint) -> String {
        switch hint {
        case .none: " -f"
        case .file: " -F"
        case .directory: " -f -a '(__fish_complete_directories)'"
        case .values(let values): " -f -a \(fishQuoted(values.joined(separator: " ")))"
        }
    }
}

/// A text as one word of fish, whose single quotes know `\'` and `\\`.
private func fishQuoted(_ text: String) -> String {
    var quoted = "'"
    for character in text {
        if character == "'" || character == "\\" { quoted.append("\\") }
        quoted.append(character)
    }
    return quoted + "'"
}
