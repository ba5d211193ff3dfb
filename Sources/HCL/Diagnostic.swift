/// What is wrong with a configuration, where, and what to do about it.
///
/// The same value serves two readers: `rendered(in:)` shows the line with a mark under the place, `incumbentText`
/// is the line that the stock command prints for the same mistake.
package struct Diagnostic: Error, Sendable {
    /// How bad it is.
    package enum Severity: Sendable {
        /// The configuration cannot be used.
        case error
        /// The configuration can be used, but probably does not say what was meant.
        case warning
    }

    /// How bad it is.
    package var severity: Severity
    /// One line that stands alone. For a mistake HCL 1 knows, its text without the position.
    package var summary: String
    /// What to do next, in whole sentences.
    package var detail: String?
    /// The place, if the mistake has one; an absent block has none.
    package var range: SourceRange?
    /// What the stock command prints after `Error loading configuration from <path>: `, such as
    /// `At 2:12: literal not terminated`. Its column counts on past the end of the text in the same odd cases.
    /// For a mistake that it does not notice, summary and position in the same form.
    package var incumbentText: String

    /// Creates a diagnostic; without `incumbentText` that becomes `At <line>:<column>: <summary>`, or the bare
    /// summary where there is no range.
    package init(
        severity: Severity = .error, summary: String, detail: String? = nil, range: SourceRange? = nil,
        incumbentText: String? = nil
    ) {
        self.severity = severity
        self.summary = summary
        self.detail = detail
        self.range = range
        self.incumbentText = incumbentText ?? range.map { "At \($0.start): \(summary)" } ?? summary
    }

    /// The same diagnostic with both of its texts set behind a prefix.
    func prefixed(by prefix: String) -> Diagnostic {
        var copy = self
        copy.summary = prefix + summary
        copy.incumbentText = prefix + incumbentText
        return copy
    }
}
