import Glibc
import Storage

/// Finds the items in a stream of JSON objects, piece by piece, without holding more than one of them.
///
/// Three forms are known: items alone (`jq -c '.Items[]'`), whose members are told one by one, objects with an item each
/// (`{"Item":{…}}`, an export's lines) and objects with a list of them
/// (`{"Items":[{…},…],"Count":…}`, what `aws dynamodb scan` prints, of any size and over any number of lines). Only the
/// two outer levels are looked at here; whoever takes an item parses it, and so notices what is wrong inside.
package struct ItemSplitter {
    /// Bytes of an item, or of another member, at most: an item of 400 KB has about 600 KB as JSON.
    package static let maximumBytes = 4 << 20
    private static let maximumName = 255

    /// What was found, in the order of the text. The bytes are borrowed for the call.
    package enum Event {
        case objectBegins
        /// The list of items of an object.
        case listBegins
        /// An item, alone or in a list.
        case item(UnsafeRawBufferPointer, isListed: Bool)
        /// Another member.
        case member(name: [UInt8], UnsafeRawBufferPointer)
        case objectEnds
    }

    /// What is wrong with the text.
    package struct Problem: Error {
        package let line: Int
        package let message: String
    }

    private enum State {
        case betweenObjects
        case beforeName(isFirst: Bool)
        case inName
        case beforeColon
        case beforeValue
        case inValue
        case behindValue
        case beforeElement(isFirst: Bool)
        case inElement
        case behindElement
    }

    /// Where in a value the text is.
    private struct Nesting {
        var depth = 0
        var isInString = false
        /// The byte before was a backslash of a string.
        var isEscaped = false
        /// Neither an object, a list nor a string: ends before the next delimiter.
        var isBare = false
    }

    private var state = State.betweenObjects
    private var nesting = Nesting()
    private var name: [UInt8] = []
    /// What of the value came in earlier pieces.
    private var carried: [UInt8] = []
    /// The line at hand, from 1.
    package private(set) var line = 1
    /// The line in which the value at hand began.
    private(set) var valueLine = 1

    package init() {}

    /// Whether the text may end here.
    package var isBetweenObjects: Bool {
        if case .betweenObjects = state { true } else { false }
    }

    /// Reads the next piece of the text.
    ///
    /// - Parameters:
    ///   - problem: Makes the error of a text that has another form.
    ///   - deliver: Is handed what was found and the line in which it begins; its error ends the reading.
    package mutating func read<Failure: Error>(
        _ piece: UnsafeRawBufferPointer, problem: (Problem) -> Failure,
        _ deliver: (Event, _ line: Int) throws(Failure) -> Void
    ) throws(Failure) {
        var index = 0
        while index < piece.count {
            switch state {
            case .inValue, .inElement:
                let start = index
                let isAtEnd = skipValue(piece, &index)
                guard carried.count + index - start <= Self.maximumBytes else {
                    throw problem(
                        Problem(line: valueLine, message: "an item of more than \(Self.maximumBytes >> 20) MiB begins"))
                }
                let part = UnsafeRawBufferPointer(rebasing: piece[start..<index])
                guard isAtEnd else {
                    carried.append(contentsOf: part)
                    continue
                }
                try finishValue(part, deliver)
            case .inName:
                readName(piece, &index)
                guard name.count <= Self.maximumName else { throw problem(unexpected("a name of such length")) }
            default:
                let byte = piece[index]
                if byte == 0x0a { line += 1 }
                if byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
                    index += 1
                    continue
                }
                guard try step(byte, &index, deliver) else { throw problem(unexpected(Self.shown(byte))) }
            }
        }
    }

    private func unexpected(_ what: String) -> Problem {
        Problem(line: line, message: "\(what) is not what DynamoDB JSON has there")
    }

    private static func shown(_ byte: UInt8) -> String {
        byte > 0x20 && byte < 0x7f ? "\"\(Character(UnicodeScalar(byte)))\"" : "byte \(byte)"
    }

    /// Takes a byte between values.
    ///
    /// - Returns: `false` if it does not belong there.
    private mutating func step<Failure: Error>(
        _ byte: UInt8, _ index: inout Int, _ deliver: (Event, Int) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        switch (state, byte) {
        case (.betweenObjects, UInt8(ascii: "{")):
            state = .beforeName(isFirst: true)
            index += 1
            try deliver(.objectBegins, line)
        case (.beforeName, UInt8(ascii: "\"")):
            name.removeAll(keepingCapacity: true)
            state = .inName
            index += 1
        case (.beforeName(isFirst: true), UInt8(ascii: "}")), (.behindValue, UInt8(ascii: "}")):
            state = .betweenObjects
            index += 1
            try deliver(.objectEnds, line)
        case (.beforeColon, UInt8(ascii: ":")):
            state = .beforeValue
            index += 1
        case (.behindValue, UInt8(ascii: ",")):
            state = .beforeName(isFirst: false)
            index += 1
        case (.beforeValue, UInt8(ascii: "[")) where name.elementsEqual("Items".utf8):
            state = .beforeElement(isFirst: true)
            index += 1
            try deliver(.listBegins, line)
        case (.beforeElement(isFirst: true), UInt8(ascii: "]")), (.behindElement, UInt8(ascii: "]")):
            state = .behindValue
            index += 1
        case (.behindElement, UInt8(ascii: ",")):
            state = .beforeElement(isFirst: false)
            index += 1
        case (.beforeValue, _) where Self.beginsValue(byte): begin(.inValue, byte)
        case (.beforeElement, _) where Self.beginsValue(byte): begin(.inElement, byte)
        default: return false
        }
        return true
    }

    private static func beginsValue(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"), UInt8(ascii: "]"): false
        default: true
        }
    }

    private mutating func begin(_ state: State, _ byte: UInt8) {
        self.state = state
        nesting = Nesting()
        carried.removeAll(keepingCapacity: true)
        valueLine = line
        nesting.isBare = byte != UInt8(ascii: "{") && byte != UInt8(ascii: "[") && byte != UInt8(ascii: "\"")
    }

    private mutating func finishValue<Failure: Error>(
        _ part: UnsafeRawBufferPointer, _ deliver: (Event, Int) throws(Failure) -> Void
    ) throws(Failure) {
        let isListed = if case .inElement = state { true } else { false }
        state = isListed ? .behindElement : .behindValue
        guard carried.isEmpty else {
            carried.append(contentsOf: part)
            let whole = carried
            try whole.withBytes { bytes throws(Failure) in try tell(bytes, isListed, deliver) }
            return
        }
        try tell(part, isListed, deliver)
    }

    private func tell<Failure: Error>(
        _ bytes: UnsafeRawBufferPointer, _ isListed: Bool, _ deliver: (Event, Int) throws(Failure) -> Void
    ) throws(Failure) {
        if isListed || name.elementsEqual("Item".utf8) {
            try deliver(.item(bytes, isListed: isListed), valueLine)
        } else {
            try deliver(.member(name: name, bytes), valueLine)
        }
    }

    /// Reads a member's name up to its closing quote. No name that matters has an escape in it.
    private mutating func readName(_ piece: UnsafeRawBufferPointer, _ index: inout Int) {
        while index < piece.count {
            let byte = piece[index]
            index += 1
            if byte == UInt8(ascii: "\""), !nesting.isEscaped {
                state = .beforeColon
                return
            }
            nesting.isEscaped = byte == UInt8(ascii: "\\") && !nesting.isEscaped
            name.append(byte)
            if name.count > Self.maximumName { return }
        }
    }

    /// Goes to the byte behind the value at hand.
    ///
    /// - Returns: `false` if the piece ends before.
    private mutating func skipValue(_ piece: UnsafeRawBufferPointer, _ index: inout Int) -> Bool {
        while index < piece.count {
            if nesting.isInString {
                guard skipString(piece, &index) else { return false }
                if nesting.depth == 0 { return true }
                continue
            }
            let byte = piece[index]
            if nesting.isBare {
                if byte <= 0x20 || !Self.beginsValue(byte) { return true }
                index += 1
                continue
            }
            index += 1
            switch byte {
            case UInt8(ascii: "\""): nesting.isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): nesting.depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                nesting.depth -= 1
                if nesting.depth == 0 { return true }
            case 0x0a: line += 1
            default: break
            }
        }
        return false
    }

    /// Goes behind the closing quote of a string.
    private mutating func skipString(_ piece: UnsafeRawBufferPointer, _ index: inout Int) -> Bool {
        guard let base = piece.baseAddress else { return false }
        while index < piece.count {
            if nesting.isEscaped {
                nesting.isEscaped = false
                index += 1
                continue
            }
            let rest = piece.count - index
            let quote = memchr(base + index, Int32(UInt8(ascii: "\"")), rest).map { UnsafeRawPointer($0) - base }
            let end = quote ?? piece.count
            if let escape = memchr(base + index, Int32(UInt8(ascii: "\\")), end - index) {
                index = UnsafeRawPointer(escape) - base + 1
                nesting.isEscaped = true
                continue
            }
            index = end
            guard quote != nil else { return false }
            nesting.isInString = false
            index += 1
            return true
        }
        return false
    }
}
