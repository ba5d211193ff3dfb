/// Why a parser stopped.
enum ParseFailure: Error {
    /// The text ended where an item or a value could have started.
    case endOfInput
    /// A token that cannot stand where it stands.
    case syntax(Diagnostic)
    /// A bound of `Limits` was passed; outer levels hand this on unchanged.
    case limit(Diagnostic)

    /// A syntax failure at a token.
    static func at(_ token: Token, _ summary: String, _ detail: String) -> ParseFailure {
        .syntax(
            Diagnostic(
                summary: summary, detail: detail, range: token.range,
                incumbentText: "At \(token.place.incumbentText): \(summary)"))
    }

    /// The failure for nesting beyond the bound.
    static func tooDeep(at token: Token) -> ParseFailure {
        .limit(
            Diagnostic(
                summary: "nesting deeper than \(Limits.depth) levels",
                detail: "No configuration needs that many objects, lists and labels inside one another.",
                range: token.range))
    }
}

extension LexicalFault {
    /// The fault as a diagnostic.
    ///
    /// - Parameter prefix: What HCL 1 prints before the position: `At ` for HCL, nothing for JSON.
    func diagnostic(prefix: String) -> Diagnostic {
        Diagnostic(
            summary: summary, detail: detail, range: SourceRange(start: place.position, end: end),
            incumbentText: "\(prefix)\(place.incumbentText): \(summary)")
    }
}
