/// A parsed configuration file.
package struct Document: Sendable {
    /// The two surface syntaxes.
    package enum Form: Sendable {
        /// HashiCorp Configuration Language, version 1.
        case hcl
        /// Its JSON form.
        case json
    }

    /// The text the tree was made from.
    package let source: SourceText
    /// What the file was read as.
    package let form: Form
    /// Everything at the top level; empty for an empty file.
    package let root: ObjectNode

    /// Reads a file.
    ///
    /// The content decides the form, not the name: JSON if the first character that is not white space is `{`, else
    /// HCL. A byte order mark or a JSON list at the root therefore fails as HCL.
    ///
    /// - Throws: The mistake that HCL 1 would report, or a bound on nesting that was passed.
    package static func parse(_ source: SourceText) throws(Diagnostic) -> Document {
        do throws(Diagnostic) {
            switch form(of: source.bytes) {
            case .hcl: return Document(source: source, form: .hcl, root: try HCLParser.parse(source))
            case .json: return Document(source: source, form: .json, root: try JSONFormParser.parse(source))
            }
        } catch {
            var diagnostic = error
            diagnostic.detail = commonMistake(in: source, at: error.range) ?? error.detail
            throw diagnostic
        }
    }

    /// What a file is read as.
    static func form(of bytes: [UInt8]) -> Form {
        var offset = 0
        while let (scalar, length) = decodeScalar(in: bytes, at: offset) {
            if scalar == 0x7B { return .json }
            if !isUnicodeSpace(scalar) { return .hcl }
            offset += length
        }
        return .hcl
    }
}
