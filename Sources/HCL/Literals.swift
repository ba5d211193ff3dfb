/// The node of a literal in HCL.
func hclLiteral(kind: TokenKind, text: [UInt8], range: SourceRange) -> Node {
    switch kind {
    case .string: return stringLiteral(unquoted(text, keepsTemplates: true), range: range)
    case .heredoc: return stringLiteral(heredocContent(text), range: range)
    default: return plainLiteral(kind: kind, text: text, range: range)
    }
}

/// The node of a literal in JSON.
func jsonLiteral(kind: TokenKind, text: [UInt8], range: SourceRange) -> Node {
    switch kind {
    case .string: return stringLiteral(unquoted(text, keepsTemplates: false), range: range)
    case .null: return Node(value: .null, range: range)
    default: return plainLiteral(kind: kind, text: text, range: range)
    }
}

private func stringLiteral(_ bytes: [UInt8]?, range: SourceRange) -> Node {
    if let text = bytes.flatMap(validString) { return Node(value: .string(text), range: range) }
    return Node(
        value: .malformed(
            Diagnostic(
                summary: "illegal char escape",
                detail: "An escape in this string stands for no text. Write the character itself, as UTF-8.",
                range: range)), range: range)
}

/// Numbers and booleans, which both syntaxes share.
private func plainLiteral(kind: TokenKind, text: [UInt8], range: SourceRange) -> Node {
    let word = String(decoding: text, as: UTF8.self)
    switch kind {
    case .boolean: return Node(value: .boolean(word == "true"), range: range)
    case .number:
        do throws(NumberFault) {
            return Node(value: .integer(try parseInteger(word)), range: range, integerText: word)
        } catch {
            let value = malformedNumber("ParseInt", error, range)
            return Node(value: value, range: range, integerText: word)
        }
    default:
        do throws(NumberFault) {
            return Node(value: .float(try parseFloat(word)), range: range)
        } catch {
            return Node(value: malformedNumber("ParseFloat", error, range), range: range)
        }
    }
}

private func malformedNumber(_ function: String, _ fault: NumberFault, _ range: SourceRange) -> Value {
    .malformed(numberDiagnostic(function: function, fault: fault, range: range))
}

/// The diagnostic for a number without value, in the words of Go's `strconv`; what was written is not repeated.
func numberDiagnostic(function: String, fault: NumberFault, range: SourceRange) -> Diagnostic {
    let summary = "strconv.\(function): parsing \"***\": \(fault.rawValue)"
    let detail =
        fault == .range
        ? "Whole numbers must fit into 64 bits, others into a double; put longer ones into double quotes."
        : "Write a decimal number, 0x and hexadecimal digits, or 0 and octal digits; put other text into double quotes."
    return Diagnostic(summary: summary, detail: detail, range: range, incumbentText: summary)
}
