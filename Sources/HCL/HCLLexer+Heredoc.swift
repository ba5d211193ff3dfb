extension HCLLexer {
    /// Reads a heredoc whose first `<` has been read, up to and including the line that ends it.
    mutating func scanHeredoc() {
        guard cursor.next() == 0x3C else {
            cursor.report("heredoc expected second '<', didn't see it", "A heredoc starts with <<EOF or <<-EOF.")
            return
        }
        let anchorStart = cursor.position.offset
        var scalar = cursor.next()
        if scalar == 0x2D { scalar = cursor.next() }
        while isLetter(scalar) || isDigit(scalar) { scalar = cursor.next() }
        if scalar == 0 { return reportUnterminated() }
        if scalar == 0x0D, cursor.peek() == 0x0A { scalar = cursor.next() }
        guard scalar == 0x0A else {
            cursor.report(
                "invalid characters in heredoc anchor",
                "Only letters, digits and _ may stand between << and the line end.")
            return
        }
        let anchor = cursor.text(from: anchorStart, to: cursor.lastPosition.offset)
        if anchor.isEmpty || anchor == [0x2D] {
            cursor.report("zero-length heredoc anchor", "Name the line that ends the text, as in <<EOF.")
            return
        }
        scanHeredocBody(anchor: anchor)
    }

    private mutating func scanHeredocBody(anchor: [UInt8]) {
        let word = anchor.first == 0x2D ? anchor.dropFirst() : anchor[...]
        var lineStart = cursor.position.offset
        while true {
            let scalar = cursor.next()
            if scalar == 0 { return reportUnterminated() }
            guard scalar == 0x0A else { continue }
            let line = cursor.bytes[lineStart..<cursor.lastPosition.offset]
            if heredocEnds(line, anchor: anchor[...], word: word) { return }
            lineStart = cursor.position.offset
        }
    }

    private mutating func reportUnterminated() {
        cursor.report(
            "heredoc not terminated",
            "End the text with a line that holds only the word after <<; for <<- that line must be indented.")
    }
}

/// Whether a line ends a heredoc: white space, the word, and nothing but carriage returns after it.
///
/// - Parameter anchor: What stands behind `<<`. With the dash of `<<-` it is longer than the word, so that the last line
///   of such a heredoc must be indented to be recognised.
func heredocEnds(_ line: ArraySlice<UInt8>, anchor: ArraySlice<UInt8>, word: ArraySlice<UInt8>) -> Bool {
    guard line.count >= anchor.count else { return false }
    let start = line.firstIndex { !((0x09...0x0D).contains($0) || $0 == 0x20) } ?? line.endIndex
    let rest = line[start...]
    guard rest.starts(with: word) else { return false }
    return rest.dropFirst(word.count).allSatisfy { $0 == 0x0D }
}

/// The text of a heredoc token, its last line feed included.
///
/// With `<<-` the white space before the ending word is taken from every line, if every line has it; if one has less,
/// only blanks and tabs at the very end go. Line ends are already normalised.
func heredocContent(_ token: [UInt8]) -> [UInt8] {
    guard let lineEnd = token.firstIndex(of: 0x0A), token.count > 2 else { return [] }
    // The ending word and its line feed are as long as `<<`, the anchor and its line feed, less one.
    let start = lineEnd + 1
    let end = max(start, token.count - lineEnd + 1)
    guard token[2] == 0x2D else { return Array(token[start..<end]) }
    let lines = token[start..<min(end + 1, token.count)].split(separator: 0x0A, omittingEmptySubsequences: false)
    let indent = lines.last ?? []
    guard lines.allSatisfy({ $0.starts(with: indent) }) else {
        let kept = token[start..<end].lastIndex { $0 != 0x20 && $0 != 0x09 }
        return Array(token[start..<(kept.map { $0 + 1 } ?? start)])
    }
    var content: [UInt8] = []
    for line in lines.dropLast() {
        content.append(contentsOf: line.dropFirst(indent.count))
        content.append(0x0A)
    }
    return content
}
