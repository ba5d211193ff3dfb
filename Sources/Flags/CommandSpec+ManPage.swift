extension CommandSpec {
    /// The man page in roff (man(7)), section 1.
    ///
    /// - Parameter version: The program's, for the footer.
    package func manPage(version: String) -> String {
        let title = path.joined(separator: "-")
        var lines = [
            ".TH \"\(Self.roff(title.uppercased()))\" \"1\" \"\" \"Sealift \(Self.roff(version))\" \"Sealift\"",
            ".SH NAME",
            "\(Self.roff(title)) \\- \(Self.roff(summary))", ".SH SYNOPSIS", ".B \(Self.roff(usage))",
            ".SH DESCRIPTION",
        ]
        for paragraph in paragraphs(description.isEmpty ? summary + "." : description) {
            lines += [".PP", Self.roff(paragraph)]
        }
        if !subcommands.isEmpty {
            lines.append(".SH COMMANDS")
            for command in subcommands {
                lines += [".TP", ".B \(Self.roff(command.name))", Self.roff(command.summary)]
            }
        }
        if !positional.isEmpty {
            lines.append(".SH ARGUMENTS")
            for argument in positional { lines += [".TP", ".I \(Self.roff(argument.name))", Self.roff(argument.help)] }
        }
        if !visibleFlags.isEmpty {
            lines.append(".SH OPTIONS")
            for flag in visibleFlags { lines += [".TP", ".B \(Self.roff(flag.synopsis))", Self.roff(flag.fullHelp)] }
        }
        if !examples.isEmpty {
            lines.append(".SH EXAMPLES")
            for example in examples {
                lines += [
                    ".PP", Self.roff(example.comment), ".PP", ".RS", ".nf", Self.roff(example.commandLine), ".fi",
                    ".RE",
                ]
            }
        }
        lines += [".SH SEE ALSO", Self.roff(seeAlso.map { "\($0)(1)" }.joined(separator: ", "))]
        return lines.joined(separator: "\n")
    }

    private var seeAlso: [String] {
        let above = path.count > 1 ? [path.dropLast().joined(separator: "-")] : []
        let below = subcommands.map { $0.path.joined(separator: "-") }
        return above + below + ["vault"]
    }

    /// A text in which nothing is a request or an escape. A hyphen stays what was typed, so that it can be copied.
    private static func roff(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "\"": result += "\\(dq"
            default: result.append(character)
            }
        }
        return result.hasPrefix(".") || result.hasPrefix("'") ? "\\&" + result : result
    }
}
