/// The bytes of one configuration file and the name under which messages speak of it.
package struct SourceText: Sendable {
    /// The path as the user gave it.
    package let name: String
    /// The whole file, unchanged: any bytes, not necessarily UTF-8.
    package let bytes: [UInt8]
    /// Offsets of the first byte of every line, ascending; the first is 0.
    private let lineStarts: [Int]

    /// Takes the bytes and notes where lines begin.
    package init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
        var starts = [0]
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
            starts.append(offset + 1)
        }
        lineStarts = starts
    }

    /// Number of lines; a text that ends in a line feed has an empty last line.
    package var lineCount: Int { lineStarts.count }

    /// The offsets of a line's bytes without its line end, or `nil` if the text has no such line.
    ///
    /// - Parameter line: Line, from 1.
    package func byteRange(ofLine line: Int) -> Range<Int>? {
        guard line >= 1, line <= lineStarts.count else { return nil }
        let start = lineStarts[line - 1]
        guard line < lineStarts.count else { return start..<bytes.count }
        let lineFeed = lineStarts[line] - 1
        let hasCarriageReturn = lineFeed > start && bytes[lineFeed - 1] == UInt8(ascii: "\r")
        return start..<(hasCarriageReturn ? lineFeed - 1 : lineFeed)
    }

    /// The bytes of a line without its line end; empty if the text has no such line.
    ///
    /// - Parameter line: Line, from 1.
    package func bytes(ofLine line: Int) -> ArraySlice<UInt8> {
        guard let range = byteRange(ofLine: line) else { return [] }
        return bytes[range]
    }
}
