import Digest
package import JSON

/// A JSON value of its own, with names and texts as bytes: a letter in two forms of Unicode stays two.
package indirect enum JSONValue: Sendable, Equatable {
    case null
    case boolean(Bool)
    case number(String)
    case string([UInt8])
    case array([JSONValue])
    case object([Member])

    package struct Member: Sendable, Equatable {
        package let name: [UInt8]
        package let value: JSONValue
    }

    package init(_ node: JSONNode) {
        switch node.kind {
        case .null: self = .null
        case .boolean: self = .boolean(node.boolean ?? false)
        case .number: self = .number(node.integer.map { String($0) } ?? String(node.double ?? 0))
        case .string: self = .string(Array(node.bytes))
        case .array: self = .array(node.elements.map { JSONValue($0) })
        case .object: self = .object(node.members.map { Member(name: Array($0.name), value: JSONValue($0.value)) })
        }
    }

    /// Parses a text; an empty one, as servers answer to many writes, is null.
    package init(parsing text: some Sequence<UInt8>) throws {
        let bytes = Array(text)
        if bytes.isEmpty {
            self = .null
            return
        }
        let parser = try JSONParser()
        self = JSONValue(try bytes.withUnsafeBytes { bytes in try parser.parse(bytes) })
    }

    /// The member at the end of a path of names with dots between; `nil` if there is none. The empty path is the value
    /// itself.
    package subscript(_ path: String) -> JSONValue? {
        var found = self
        for name in path.split(separator: ".") {
            guard case .object(let members) = found,
                let member = members.first(where: { $0.name.elementsEqual(name.utf8) })
            else { return nil }
            found = member.value
        }
        return found
    }

    package var text: String? {
        if case .string(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    package var integer: Int? {
        if case .number(let text) = self { Int(text) } else { nil }
    }

    package var boolean: Bool? {
        if case .boolean(let isTrue) = self { isTrue } else { nil }
    }

    package var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    /// The SHA-256 of the canonical form: members in byte order of their names, texts behind their length.
    package func digest() throws -> String {
        let bytes = canonical
        return try bytes.withUnsafeBytes { bytes in try SHA256Digest.of(bytes).hexadecimal }
    }

    private var canonical: [UInt8] {
        switch self {
        case .null: Array("null".utf8)
        case .boolean(let isTrue): Array("\(isTrue)".utf8)
        case .number(let text): Array(text.utf8)
        case .string(let bytes): Array("\(bytes.count):".utf8) + bytes
        case .array(let elements):
            Array("[".utf8) + elements.flatMap { $0.canonical + Array(",".utf8) } + Array("]".utf8)
        case .object(let members):
            Array("{".utf8)
                + members.sorted { $0.name.lexicographicallyPrecedes($1.name) }.flatMap { member in
                    Array("\(member.name.count):".utf8) + member.name + member.value.canonical + Array(",".utf8)
                } + Array("}".utf8)
        }
    }
}

/// A text as a JSON string.
package func quoted(_ text: String) -> String {
    var writer = JSONWriter()
    writer.string(text)
    return String(decoding: writer.bytes, as: UTF8.self)
}
