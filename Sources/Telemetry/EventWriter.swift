/// Writes events for programs: one JSON object per line, `{"event":"…", …}`.
package struct EventWriter: Sendable {
    private let output: TerminalOutput

    /// - Parameter output: Where the lines go; results belong on standard output.
    package init(output: TerminalOutput = .standardOutput) {
        self.output = output
    }

    /// Writes one event; lines of several threads do not mix.
    package func emit(_ event: String, _ members: [(String, JSONText)] = []) {
        output.writeLine(JSONText.object([("event", .string(event))] + members).text)
    }
}
