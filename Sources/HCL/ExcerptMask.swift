/// Tells which bytes of a line an excerpt may show: names, punctuation, `true` and `false`, but no values.
///
/// The files under a diagnostic are those that no parser could read, so the scan knows only what both syntaxes share,
/// never fails, and hides whatever it does not know: a value without quotation marks is hidden up to the end of its line,
/// a text without end up to the end of the file.
struct ExcerptMask {
    private enum State {
        /// Where a name can stand.
        case item
        /// Behind a name: a label, `=`, `:` or `{` follows.
        case named
        /// Where a value stands.
        case value
        /// Behind a value, up to the end of its line, `,` or `}`: what stands there may be the rest of a value that has a
        /// quotation mark in it, so nothing is a name.
        case behind
    }

    private let bytes: [UInt8]
    private let isJSON: Bool
    private let line: Range<Int>
    private var offset = 0
    private var state = State.item
    /// The brackets that are open, from the outside in.
    private var brackets: [UInt8] = []
    private var isHiddenInLine: [Bool]

    /// - Parameter line: Offsets of the line that is to be shown.
    init(_ bytes: [UInt8], line: Range<Int>, isJSON: Bool) {
        self.bytes = bytes
        self.isJSON = isJSON
        self.line = line
        isHiddenInLine = Array(repeating: true, count: line.count)
        while offset < line.upperBound, offset < bytes.count {
            let before = offset
            step(bytes[offset])
            offset = max(offset, before + 1)
        }
    }

    /// Whether the byte must not be shown.
    func hides(_ offset: Int) -> Bool {
        line.contains(offset) ? isHiddenInLine[offset - line.lowerBound] : true
    }

    private mutating func step(_ byte: UInt8) {
        switch byte {
        case 0x0A:
            show(1)
            if state == .named { state = .item }
            if state == .behind { state = brackets.last == UInt8(ascii: "[") ? .value : .item }
        case 0x20, 0x09, 0x0D: show(1)
        case UInt8(ascii: "#"): skipComment(marker: 1)
        case UInt8(ascii: "/") where next(is: "/"): skipComment(marker: 2)
        case UInt8(ascii: "/") where next(is: "*"): skipLongComment()
        case UInt8(ascii: "<") where next(is: "<"): skipHeredoc()
        case UInt8(ascii: "\""): scanString()
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            show(1)
            brackets.append(byte)
            if state != .behind { state = byte == UInt8(ascii: "{") ? .item : .value }
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            show(1)
            _ = brackets.popLast()
            state = byte == UInt8(ascii: "}") ? .item : .behind
        case UInt8(ascii: ","):
            show(1)
            state = brackets.last == UInt8(ascii: "[") ? .value : .item
        case UInt8(ascii: "="), UInt8(ascii: ":"):
            show(1)
            if state != .behind { state = .value }
        case UInt8(ascii: ";") where state == .item || state == .behind: show(1)
        default:
            if isByteOrderMark { return show(3) }
            switch state {
            case .value: scanBareValue()
            case .behind: offset += 1
            case .item, .named: scanWord()
            }
        }
    }

    private var isByteOrderMark: Bool { offset == 0 && bytes.starts(with: [0xEF, 0xBB, 0xBF]) }

    private func next(is character: Unicode.Scalar) -> Bool {
        offset + 1 < bytes.count && UInt32(bytes[offset + 1]) == character.value
    }

    /// Lets the next bytes be seen and goes past them.
    private mutating func show(_ count: Int) {
        for place in offset..<(offset + count) where line.contains(place) {
            isHiddenInLine[place - line.lowerBound] = false
        }
        offset += count
    }

    private func endOfLine(from start: Int) -> Int {
        bytes[min(start, bytes.count)...].firstIndex(of: 0x0A) ?? bytes.count
    }

    private mutating func hideRestOfLine() {
        offset = endOfLine(from: offset)
        state = .item
    }

    private mutating func skipComment(marker: Int) {
        if isJSON || state == .value { return hideRestOfLine() }
        show(marker)
        offset = endOfLine(from: offset)
    }

    private mutating func skipLongComment() {
        if isJSON || state == .value { return hideRestOfLine() }
        show(2)
        while offset < bytes.count {
            if bytes[offset] == UInt8(ascii: "*"), next(is: "/") { return show(2) }
            offset += 1
        }
    }

    /// Goes past a heredoc, its last line included; to the end of the text if that is missing.
    private mutating func skipHeredoc() {
        show(2)
        let first = endOfLine(from: offset)
        var anchor = bytes[min(offset, first)..<first]
        while anchor.last == 0x0D { anchor = anchor.dropLast() }
        let word = anchor.first == UInt8(ascii: "-") ? anchor.dropFirst() : anchor
        offset = first
        guard !word.isEmpty else { return state = .item }
        while offset < bytes.count {
            let start = min(offset + 1, bytes.count)
            offset = endOfLine(from: start)
            if heredocEnds(bytes[start..<offset], anchor: anchor, word: word) { break }
        }
        state = .item
    }
}

extension ExcerptMask {
    /// Goes past a string. Its quotation marks are seen; what is in it only if it is a name.
    private mutating func scanString() {
        let start = offset + 1
        let (end, isClosed) = endOfString(from: start)
        show(1)
        let isName = isClosed && (state == .item || state == .named) && isShownName(start..<end, behind: end + 1)
        if isName { show(end - start) } else { offset = end }
        // The rest of a value that is wrapped over lines stands where names would: nothing behind it can be trusted.
        guard isClosed else { return offset = bytes.count }
        show(1)
        state = state == .value || state == .behind ? .behind : .named
    }

    /// - Returns: Where the closing quotation mark is, or the line or the text ends.
    private func endOfString(from start: Int) -> (end: Int, isClosed: Bool) {
        var place = start
        var braces = 0
        while place < bytes.count {
            switch bytes[place] {
            case 0x0A where braces == 0: return (place, false)
            case UInt8(ascii: "\"") where braces == 0: return (place, true)
            case UInt8(ascii: "\\"): place += 1
            case UInt8(ascii: "{") where !isJSON && (braces > 0 || place > start && bytes[place - 1] == 0x24):
                braces += 1
            case UInt8(ascii: "}") where braces > 0: braces -= 1
            default: break
            }
            place += 1
        }
        return (min(place, bytes.count), false)
    }

    /// A word where a name or a label can stand.
    private mutating func scanWord() {
        var end = offset
        while let (scalar, length) = decodeScalar(in: bytes, at: end),
            isLetter(scalar) || isDigit(scalar) || scalar == 0x2D || scalar == 0x2E
        {
            end += length
        }
        guard !isJSON, end > offset else {
            if end == offset, bytes[offset] < 0x80 { show(1) }
            return hideRestOfLine()
        }
        if isShownName(offset..<end, behind: end) { show(end - offset) } else { offset = end }
        state = .named
    }

    /// A value without quotation marks: up to the end of the line, because nothing else says where it ends.
    private mutating func scanBareValue() {
        let delimiters = Set(" \t\r\n,]}".utf8)
        let end = bytes[offset...].firstIndex { delimiters.contains($0) } ?? bytes.count
        let word = bytes[offset..<end]
        if [Array("true".utf8), Array("false".utf8), Array("null".utf8)].contains(Array(word)) {
            show(end - offset)
            state = .behind
        } else if word.allSatisfy({ isDecimal(UInt32($0)) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }) {
            offset = end
            state = .behind
        } else {
            if bytes[offset] == UInt8(ascii: "'") { show(1) }
            hideRestOfLine()
        }
    }

    /// Whether the text can be seen: the name of something, with `=`, `:`, `{` or a label behind it, or a label that
    /// is a type of storage.
    private func isShownName(_ range: Range<Int>, behind end: Int) -> Bool {
        guard let text = validString(Array(bytes[range])) else { return false }
        if state == .named { return knownStorageTypes.contains(text.lowercased()) }
        let follower = bytes[min(end, bytes.count)...].first { $0 != 0x20 && $0 != 0x09 }
        guard let follower, follower != 0x0A, follower != 0x0D, looksLikeName(text) else { return false }
        return isJSON ? follower == UInt8(ascii: ":") : "=:{\"".utf8.contains(follower)
    }
}
