import CSimdJSON

/// Parses JSON texts with simdjson, one after the other in memory of its own. For one thread at a time.
package final class JSONParser {
    /// Deepest nesting that is taken; DynamoDB allows 32 levels of attributes, two levels of JSON each.
    package static let maximumDepth = 80

    private let parser: OpaquePointer

    /// - Throws: ``JSONError`` if there is no memory.
    package init() throws(JSONError) {
        guard let parser = cs_json_parser_create() else { throw JSONError("out of memory") }
        self.parser = parser
    }

    deinit { cs_json_parser_destroy(parser) }

    /// Parses one text; strings must be valid UTF-8 (RFC 8259).
    ///
    /// - Returns: The root value, valid until the next parse or the parser's end.
    package func parse(_ text: UnsafeRawBufferPointer) throws(JSONError) -> JSONNode {
        guard let base = text.baseAddress else { throw JSONError("there is no text") }
        var nodes: UnsafePointer<cs_json_node>?
        var count = 0
        let failure = cs_json_parse(
            parser, base.assumingMemoryBound(to: CChar.self), text.count, Self.maximumDepth, &nodes, &count)
        guard failure == 0, let nodes, count > 0 else {
            throw JSONError(cs_json_error_text(failure).map { String(cString: $0) } ?? "error \(failure)")
        }
        return JSONNode(nodes)
    }
}

/// A text is not JSON. Holds nothing of the text.
package struct JSONError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
