/// A place in a source text.
///
/// Lines and columns count from 1. A column is a Unicode scalar, not a byte and not a terminal cell; a byte that is
/// not part of valid UTF-8 counts as one. That is how HCL 1 counts, so positions agree with what its users know.
package struct SourcePosition: Sendable, Hashable {
    /// Line, from 1; only `\n` ends a line (a `\r` before it belongs to the line end).
    package var line: Int
    /// Column in Unicode scalars, from 1.
    package var column: Int
    /// Distance from the start of the text in bytes.
    package var offset: Int

    /// Creates a position from its three coordinates, which are taken as they are.
    package init(line: Int, column: Int, offset: Int) {
        self.line = line
        self.column = column
        self.offset = offset
    }
}

extension SourcePosition: CustomStringConvertible {
    /// `line:column`, as in messages.
    package var description: String { "\(line):\(column)" }
}

/// A stretch of a source text, from `start` up to, not including, `end`.
package struct SourceRange: Sendable, Hashable {
    /// The first character.
    package var start: SourcePosition
    /// The character after the last one; equal to `start` at the end of the text.
    package var end: SourcePosition

    /// Creates a range; `end` must not lie before `start`.
    package init(start: SourcePosition, end: SourcePosition) {
        self.start = start
        self.end = end
    }
}
