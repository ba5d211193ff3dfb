import CSimdJSON

/// A value of a parsed text; valid as long as what its parser says. Costs one pointer.
package struct JSONNode {
    package enum Kind: Sendable { case null, boolean, number, string, array, object }

    let node: UnsafePointer<cs_json_node>

    init(_ node: UnsafePointer<cs_json_node>) {
        self.node = node
    }

    package var kind: Kind {
        switch Int(node.pointee.kind) {
        case CS_JSON_NULL: .null
        case CS_JSON_FALSE, CS_JSON_TRUE: .boolean
        case CS_JSON_INTEGER, CS_JSON_DOUBLE, CS_JSON_UNSIGNED: .number
        case CS_JSON_STRING: .string
        case CS_JSON_ARRAY: .array
        default: .object
        }
    }

    /// The unescaped UTF-8 of a string, borrowed; empty for anything else.
    package var bytes: UnsafeRawBufferPointer {
        guard Int(node.pointee.kind) == CS_JSON_STRING else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: node.pointee.value.text, count: Int(node.pointee.length))
    }

    /// A string's text; `nil` for anything else.
    package var text: String? {
        Int(node.pointee.kind) == CS_JSON_STRING ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// A number written without fraction and exponent that fits; `nil` for anything else.
    package var integer: Int? {
        Int(node.pointee.kind) == CS_JSON_INTEGER ? Int(node.pointee.value.integer) : nil
    }

    /// A whole number from 0 to 2^64 - 1, exactly; `nil` for anything else.
    package var natural: UInt64? {
        switch Int(node.pointee.kind) {
        case CS_JSON_INTEGER: UInt64(exactly: node.pointee.value.integer)
        case CS_JSON_UNSIGNED: node.pointee.value.natural
        default: nil
        }
    }

    /// Any number; `nil` for anything else.
    package var double: Double? {
        switch Int(node.pointee.kind) {
        case CS_JSON_INTEGER: Double(node.pointee.value.integer)
        case CS_JSON_DOUBLE: node.pointee.value.number
        case CS_JSON_UNSIGNED: Double(node.pointee.value.natural)
        default: nil
        }
    }

    package var boolean: Bool? {
        switch Int(node.pointee.kind) {
        case CS_JSON_TRUE: true
        case CS_JSON_FALSE: false
        default: nil
        }
    }

    /// Members of an object, elements of an array; 0 for anything else.
    package var count: Int {
        let kind = Int(node.pointee.kind)
        return kind == CS_JSON_ARRAY || kind == CS_JSON_OBJECT ? Int(node.pointee.value.count) : 0
    }

    /// Whether a string has these bytes.
    package func isString(_ text: StaticString) -> Bool {
        Int(node.pointee.kind) == CS_JSON_STRING && Self.equal(bytes, text)
    }

    /// The first member of that name; `nil` if there is none or this is no object.
    package subscript(_ name: StaticString) -> JSONNode? {
        for (found, value) in members where Self.equal(found, name) { return value }
        return nil
    }

    /// The first member of that name, compared bytewise.
    package func member(named name: some Collection<UInt8>) -> JSONNode? {
        for (found, value) in members where found.elementsEqual(name) { return value }
        return nil
    }

    /// The members of an object in their order; none for anything else.
    package var members: JSONMembers { JSONMembers(self) }

    /// The elements of an array in their order; none for anything else.
    package var elements: JSONElements { JSONElements(self) }

    private static func equal(_ bytes: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        bytes.count == name.utf8CodeUnitCount
            && name.withUTF8Buffer { bytes.elementsEqual($0) }
    }
}

/// Walks the members of an object.
package struct JSONMembers: Sequence, IteratorProtocol {
    private var left: Int
    private var at: UnsafePointer<cs_json_node>

    init(_ node: JSONNode) {
        left = node.kind == .object ? node.count : 0
        at = node.node + 1
    }

    /// The next name, borrowed, and its value.
    package mutating func next() -> (name: UnsafeRawBufferPointer, value: JSONNode)? {
        guard left > 0 else { return nil }
        left -= 1
        let name = JSONNode(at).bytes
        // A name is one node, its value the next.
        let value = at + 1
        at = value + Int(value.pointee.span)
        return (name, JSONNode(value))
    }
}

/// Walks the elements of an array.
package struct JSONElements: Sequence, IteratorProtocol {
    private var left: Int
    private var at: UnsafePointer<cs_json_node>?

    init(_ node: JSONNode) {
        left = node.kind == .array ? node.count : 0
        at = node.node + 1
    }

    private init() {
        left = 0
        at = nil
    }

    /// No elements.
    package static var none: JSONElements { JSONElements() }

    package mutating func next() -> JSONNode? {
        guard left > 0, let node = at else { return nil }
        left -= 1
        at = node + Int(node.pointee.span)
        return JSONNode(node)
    }
}
