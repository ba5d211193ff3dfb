/// The name of a server in a cluster (`node_id`): bytes, compared as such.
package struct NodeID: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package init(stringLiteral text: String) {
        bytes = Array(text.utf8)
    }

    package static func < (left: NodeID, right: NodeID) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

    package var description: String { String(decoding: bytes, as: UTF8.self) }
}
