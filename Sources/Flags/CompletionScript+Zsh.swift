import Wording

extension CommandSpec {
    /// Works both as a file `_name` in `fpath` and when it is sourced.
    func zshCompletion() -> String {
        let function = completionFunction
        let lines = [
            "#compdef \(name)",
            "\(function)() {",
            "    local current=\"${words[CURRENT]}\" previous=\"${words[CURRENT - 1]}\" command=\(shellQuoted(name))",
            "    local dashes='-'",
            "    local -i i",
            "    local -a choices",
            "    if [[ $current == -*=* ]]; then",
            "        previous=\"${current%%=*}\"",
            "        compset -P '*='",
            "    fi",
            "    if [[ $previous == --* ]]; then previous=\"${previous#-}\"; fi",
            "    if [[ $current == --* ]]; then dashes='--'; fi",
            "    for ((i = 2; i < CURRENT; i++)); do",
            "        case \"$command ${words[i]}\" in",
            "            (\(knownPathsPattern)) command=\"$command ${words[i]}\" ;;",
            "            (*) break ;;",
            "        esac",
            "    done",
            "    case \"$command $previous\" in",
        ]
        let values = valueFlags.map { command, flag in
            "        (\(shellQuoted("\(command.commandLine) -\(flag.name)"))) \(zshOffer(flag.completion)); return ;;"
        }
        let commands = all.flatMap(\.zshCase)
        return
            (lines + values + ["    esac", "    case \"$command\" in"] + commands + [
                "    esac",
                "}",
                // An autoloaded file is its function's body and has to run it; a sourced one only registers it.
                "if [[ \"${funcstack[1]}\" == \(shellQuoted(function)) ]]; then",
                "    \(function) \"$@\"",
                "else",
                "    compdef \(function) \(shellQuoted(name))",
                "fi",
            ]).joined(separator: "\n") + "\n"
    }

    private var zshCase: [String] {
        let flags = visibleFlags.map { "\"${dashes}\"\(described($0.name, $0.help))" } + ["\"${dashes}help:show help\""]
        var lines = [
            "        (\(shellQuoted(commandLine)))",
            "            if [[ $current == -* ]]; then",
            "                choices=(\(flags.joined(separator: " ")))",
            "                _describe -o option choices",
            "                return",
            "            fi",
        ]
        if !subcommands.isEmpty {
            let choices = subcommands.map { described($0.name, $0.summary) }.joined(separator: " ")
            lines += ["            choices=(\(choices))", "            _describe command choices"]
        } else if let argument = positional.first {
            lines.append("            \(zshOffer(argument.completion))")
        }
        return lines + ["            ;;"]
    }

    /// `name:text` as `_describe` reads it, quoted; only the first sentence of the text.
    private func described(_ name: String, _ text: String) -> String {
        shellQuoted(escapedColons(name) + ":" + firstSentence(text))
    }

    private func escapedColons(_ text: String) -> String {
        text.split(separator: ":", omittingEmptySubsequences: false).joined(separator: "\\:")
    }

    private func zshOffer(_ hint: CompletionHint) -> String {
        switch hint {
        case .none: ":"
        case .file: "_files"
        case .directory: "_files -/"
        case .values(let values): "compadd -- \(values.map(shellQuoted).joined(separator: " "))"
        }
    }
}

/// The text up to the first full stop that ends a sentence, without it.
func firstSentence(_ text: String) -> String {
    let flat = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
    var words: [Substring] = []
    for word in flat {
        words.append(word)
        if word.hasSuffix(".") { break }
    }
    let sentence = words.joined(separator: " ")
    return sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence
}
