import HCL
import Testing

/// Parses a text under the name `migrate.hcl`.
func document(_ text: String) throws(Diagnostic) -> Document {
    try document(Array(text.utf8))
}

/// Parses bytes under the name `migrate.hcl`.
func document(_ bytes: [UInt8]) throws(Diagnostic) -> Document {
    try Document.parse(SourceText(name: "migrate.hcl", bytes: bytes))
}

/// Checks that a diagnostic names a place of the text, consistently in offset, line and column.
func expectPlaceInside(_ diagnostic: Diagnostic, _ bytes: [UInt8]) {
    expectPlaceInside(diagnostic, SourceText(name: "x", bytes: bytes))
}

/// The same for a text at hand. Nothing is recorded unless it fails: this runs for tens of thousands of texts.
func expectPlaceInside(_ diagnostic: Diagnostic, _ source: SourceText) {
    if !isInside(diagnostic.range, source) {
        let place = String(describing: diagnostic.range)
        Issue.record("\(diagnostic.summary) at \(place) in \(String(decoding: source.bytes, as: UTF8.self))")
    }
}

private func isInside(_ range: SourceRange?, _ source: SourceText) -> Bool {
    guard let range, let line = source.byteRange(ofLine: range.start.line) else { return false }
    let isOrdered = 0 <= range.start.offset && range.start.offset <= range.end.offset
    // The line feed itself is one further than a carriage return before it.
    let isInLine = line.lowerBound <= range.start.offset && range.start.offset <= line.upperBound + 1
    let hasColumn = range.start.column >= 1 && range.start.column - 1 <= range.start.offset - line.lowerBound
    return isOrdered && range.end.offset <= source.bytes.count && isInLine && hasColumn
        && source.byteRange(ofLine: range.end.line) != nil
}
