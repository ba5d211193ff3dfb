import Wording

extension CommandSpec {
    /// Bash splits `-config=x` into three words at `=`; the script puts them together again.
    func bashCompletion() -> String {
        let function = completionFunction
        let lines = [
            "# bash completion for \(name)",
            "\(function)_words() {",
            "    local word",
            "    for word in \"$@\"; do",
            "        if [[ $word == \"$cur\"* ]]; then COMPREPLY+=(\"$word\"); fi",
            "    done",
            "}",
            "\(function)() {",
            "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev='' command=\(shellQuoted(name)) dashes='-' i",
            "    COMPREPLY=()",
            "    if ((COMP_CWORD > 0)); then prev=\"${COMP_WORDS[COMP_CWORD - 1]}\"; fi",
            "    if [[ $cur == '=' ]]; then",
            "        cur=''",
            "    elif [[ $prev == '=' ]] && ((COMP_CWORD > 1)); then",
            "        prev=\"${COMP_WORDS[COMP_CWORD - 2]}\"",
            "    fi",
            "    if [[ $prev == --* ]]; then prev=\"${prev#-}\"; fi",
            "    if [[ $cur == --* ]]; then dashes='--'; fi",
            "    for ((i = 1; i < COMP_CWORD; i++)); do",
            "        case \"$command ${COMP_WORDS[i]}\" in",
            "            \(knownPathsPattern)) command=\"$command ${COMP_WORDS[i]}\" ;;",
            "            *) break ;;",
            "        esac",
            "    done",
            "    case \"$command $prev\" in",
        ]
        let values = valueFlags.map { command, flag in
            "        \(shellQuoted("\(command.commandLine) -\(flag.name)"))) \(bashOffer(flag.completion)); return ;;"
        }
        let commands = all.flatMap(\.bashCase)
        return
            (lines + values + ["    esac", "    case \"$command\" in"] + commands + [
                "    esac",
                "}",
                "complete -F \(function) \(shellQuoted(name))",
            ]).joined(separator: "\n") + "\n"
    }

    private var bashCase: [String] {
        let flags = visibleFlags.map { "\"${dashes}\"\(shellQuoted($0.name))" } + ["\"${dashes}help\""]
        let helper = completionFunction + "_words"
        var lines = [
            "        \(shellQuoted(commandLine)))",
            "            if [[ $cur == -* ]]; then",
            "                \(helper) \(flags.joined(separator: " "))",
            "                return",
            "            fi",
        ]
        if !subcommands.isEmpty {
            lines.append("            \(helper) \(subcommands.map { shellQuoted($0.name) }.joined(separator: " "))")
        } else if let argument = positional.first {
            lines.append("            \(bashOffer(argument.completion))")
        }
        return lines + ["            ;;"]
    }

    private func bashOffer(_ hint: CompletionHint) -> String {
        switch hint {
        case .none: ":"
        case .file: "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")"
        case .directory: "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")"
        case .values(let values):
            "\(completionFunction)_words \(values.map(shellQuoted).joined(separator: " "))"
        }
    }
}
