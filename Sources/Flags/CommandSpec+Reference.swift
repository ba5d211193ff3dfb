extension CommandSpec {
    /// The reference of this command and all below it in Markdown, for the README.
    ///
    /// - Parameter headingLevel: The level of each command's heading, from 1 to 6.
    package func referenceMarkdown(headingLevel: Int = 3) -> String {
        all.filter(\.isRunnable).map { $0.section(headingLevel: headingLevel) }.joined(separator: "\n")
    }

    private func section(headingLevel: Int) -> String {
        let heading = String(repeating: "#", count: min(max(headingLevel, 1), 6))
        var lines = ["\(heading) `\(commandLine)`", "", "    \(usage)", ""]
        for paragraph in paragraphs(description.isEmpty ? summary + "." : description) { lines += [paragraph, ""] }
        for example in examples { lines += [example.comment, "", "    \(example.commandLine)", ""] }
        for argument in positional { lines += ["- `\(argument.name)`: \(argument.help)"] }
        if !positional.isEmpty { lines.append("") }
        if !visibleFlags.isEmpty {
            lines += ["| Flag | Default | Environment | Meaning |", "| --- | --- | --- | --- |"]
            lines += visibleFlags.map(\.tableRow) + [""]
        }
        return lines.joined(separator: "\n")
    }
}

extension FlagSpec {
    fileprivate var tableRow: String {
        let repeated = kind == .list ? " Repeatable." : ""
        let cells = [
            "`\(synopsis)`", defaultText.map { $0.isEmpty ? "" : "`\($0)`" } ?? "",
            environment.map { "`\($0)`" }.joined(separator: ", "), help + repeated,
        ]
        let row = cells.map { $0.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|") }
        return "| " + row.joined(separator: " | ") + " |"
    }
}
