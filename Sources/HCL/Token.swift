/// The kinds of token in both syntaxes; the raw value is HCL 1's name for it, which appears in messages.
enum TokenKind: String {
    case illegal = "ILLEGAL"
    case end = "EOF"
    case comment = "COMMENT"
    case identifier = "IDENT"
    case number = "NUMBER"
    case float = "FLOAT"
    case boolean = "BOOL"
    case string = "STRING"
    case heredoc = "HEREDOC"
    case null = "NULL"
    case leftBracket = "LBRACK"
    case leftBrace = "LBRACE"
    case comma = "COMMA"
    case period = "PERIOD"
    case colon = "COLON"
    case rightBracket = "RBRACK"
    case rightBrace = "RBRACE"
    case assign = "ASSIGN"
    case add = "ADD"
    case subtract = "SUB"
}

/// One token. Only the place of its text is kept; what it means is worked out when it is used.
struct Token {
    var kind: TokenKind
    /// Where it starts.
    var place: Place
    /// The character after it.
    var end: SourcePosition

    /// Where the token is.
    var range: SourceRange { SourceRange(start: place.position, end: end) }
}
