/// Cuts items out of DynamoDB JSON that comes in pieces: objects with a member `Item`, one after the other, or one
/// object whose member `Items` is a list, as `aws dynamodb scan` prints it.
struct ItemSplitter {
    /// Longest text of one item: 400 KB, each byte escaped, and the names of types.
    static let maximumItemBytes = 4 << 20

    /// What a text that was cut out is.
    enum Piece {
        /// An object that has the item as member `Item`.
        case record
        /// The item itself, out of a list.
        case item
    }

    private var text: [UInt8] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// Where in `text` the string under way began.
    private var stringStart = 0
    /// Whether the last string at depth 1 was `Items`, which a list must follow.
    private var sawItemsName = false
    /// Whether the root's list of items is being read.
    private var isInList = false
    /// Whether the list of items has ended and its root has not.
    private var isBehindList = false

    /// Whether the text so far ends with a whole object.
    var isAtEnd: Bool { depth == 0 && !isInString }

    /// Reads the next piece.
    ///
    /// - Parameter deliver: Called with each item's text, borrowed for the call.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, _ deliver: (UnsafeRawBufferPointer, Piece) throws -> Void
    ) throws {
        var kept = 0
        for (index, byte) in bytes.enumerated() {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                    if depth == 1, !isInList { endName(bytes, kept, index) }
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
                if depth == 1, !isInList { stringStart = text.count + index - kept }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth == 2, byte == UInt8(ascii: "["), sawItemsName {
                    isInList = true
                    text.removeAll(keepingCapacity: true)
                    kept = index + 1
                } else if !isBehindList, depth == (isInList ? 3 : 1) {
                    text.removeAll(keepingCapacity: true)
                    kept = index
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                guard depth >= 0 else { throw ImportError(description: "the text is not JSON") }
                if isBehindList {
                    isBehindList = depth > 0
                    kept = index + 1
                } else if depth == (isInList ? 2 : 0) {
                    text.append(contentsOf: bytes[kept...index])
                    try text.withUnsafeBytes { try deliver($0, isInList ? .item : .record) }
                    text.removeAll(keepingCapacity: true)
                    kept = index + 1
                } else if isInList, depth == 1 {
                    // The rest of the root is of no interest, and must not be taken for a record.
                    isInList = false
                    isBehindList = true
                }
            case UInt8(ascii: ","): if depth == 1 { sawItemsName = false }
            default: break
            }
            if isBehindList { kept = index + 1 }
        }
        if kept < bytes.count { text.append(contentsOf: bytes[kept...]) }
        guard text.count <= Self.maximumItemBytes else {
            throw ImportError(
                description: "an item is longer than \(Self.maximumItemBytes) bytes, or the text is not JSON")
        }
    }

    private mutating func endName(_ bytes: UnsafeRawBufferPointer, _ kept: Int, _ index: Int) {
        // The name lies in what was kept from earlier pieces, in this piece, or in both.
        let count = text.count + index - kept - stringStart - 1
        guard count == 5 else {
            sawItemsName = false
            return
        }
        sawItemsName = (0..<5).allSatisfy { offset in
            let place = stringStart + 1 + offset
            let byte = place < text.count ? text[place] : bytes[kept + place - text.count]
            return byte == Array("Items".utf8)[offset]
        }
    }
}
