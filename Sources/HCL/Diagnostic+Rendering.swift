/// Most characters of the summary that are shown; it can quote text of any length.
private let longestSummary = 240
/// Most terminal cells of the source line that are shown.
private let windowWidth = 100
/// Cells kept visible before the marked place when the line is cut on the left.
private let windowLead = 40

extension Diagnostic {
    /// The diagnostic as text for a terminal: place and summary, the line with a mark below, the detail.
    ///
    /// Control characters, invisible characters and bytes that are not UTF-8 are shown escaped, tabs as four
    /// spaces, and a long line is cut to about 100 cells around the mark. Of the line only names and punctuation are
    /// seen: every character of a value is an asterisk, because it may be a secret. The text has no final line feed.
    ///
    /// - Parameter source: The text the diagnostic was made from.
    package func rendered(in source: SourceText) -> String {
        let label = severity == .warning ? "warning: " : ""
        let name = printable(Array(source.name.utf8))
        let headline = label + printable(Array(shortened(summary).utf8))
        var lines: [String] = []
        if let range {
            lines.append("\(name):\(range.start): \(headline)")
            lines.append(contentsOf: excerpt(of: range, in: source))
        } else {
            lines.append("\(name): \(headline)")
        }
        if let detail { lines.append(printable(Array(shortened(detail, to: 4 * longestSummary).utf8))) }
        return lines.joined(separator: "\n")
    }

    /// The source line and the line of carets, both behind a gutter; nothing if the text has no such line.
    private func excerpt(of range: SourceRange, in source: SourceText) -> [String] {
        guard let line = source.byteRange(ofLine: range.start.line) else { return [] }
        var cells: [Cell] = []
        var marked = 0..<0
        var offset = line.lowerBound
        let mask = ExcerptMask(source.bytes, line: line, isJSON: Document.form(of: source.bytes) == .json)
        while offset < line.upperBound, let (scalar, length) = decodeScalar(in: source.bytes, at: offset) {
            if offset < range.start.offset { marked = (cells.count + 1)..<(cells.count + 1) }
            if offset < range.end.offset { marked = marked.lowerBound..<(cells.count + 1) }
            cells.append(
                mask.hides(offset)
                    ? .hidden : Cell(scalar: scalar, length: length, byte: source.bytes[offset]))
            offset += length
        }
        let window = Window(cells: cells, marked: marked)
        let number = String(range.start.line)
        let blank = String(repeating: " ", count: number.count)
        return [" \(number) | \(window.text)", " \(blank) | \(window.carets)"]
    }
}

/// The beginning of a text, with an ellipsis if that is not all.
private func shortened(_ text: String, to limit: Int = longestSummary) -> String {
    let kept = text.unicodeScalars.prefix(limit)
    return kept.endIndex == text.unicodeScalars.endIndex ? text : String(kept) + "…"
}

/// One character of the source line as it is shown.
private struct Cell {
    /// What stands for a character that must not be seen.
    static let hidden = Cell(scalar: 0x2A, length: 1, byte: 0x2A)

    let text: String
    let width: Int

    init(scalar: UInt32, length: Int, byte: UInt8) {
        if scalar == replacementScalar, length == 1 {
            (text, width) = (hexEscape(byte), 4)
        } else if scalar == 0x09 {
            (text, width) = ("    ", 4)
        } else {
            text = visible(scalar)
            width = text.unicodeScalars.count == 1 ? terminalWidth(scalar) : text.unicodeScalars.count
        }
    }
}

/// The part of a line that is shown, and the carets below it.
private struct Window {
    let text: String
    let carets: String

    init(cells: [Cell], marked: Range<Int>) {
        let total = cells.reduce(0) { $0 + $1.width }
        var first = 0
        if total > windowWidth {
            // From the mark back until the lead is used up.
            first = min(marked.lowerBound, cells.count)
            var lead = 0
            while first > 0, lead + cells[first - 1].width <= windowLead {
                first -= 1
                lead += cells[first].width
            }
        }
        var text = first > 0 ? "…" : ""
        var before = first > 0 ? 1 : 0
        var under = 0
        var shown = 0
        var index = first
        while index < cells.count, shown + cells[index].width <= windowWidth || total <= windowWidth {
            let cell = cells[index]
            text += cell.text
            shown += cell.width
            if index < marked.lowerBound {
                before += cell.width
            } else if index < marked.upperBound {
                under += cell.width
            }
            index += 1
        }
        if index < cells.count { text += "…" }
        self.text = text
        carets = String(repeating: " ", count: before) + String(repeating: "^", count: max(under, 1))
    }
}
