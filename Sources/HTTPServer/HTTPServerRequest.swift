/// One request, its body included.
package struct HTTPServerRequest: Sendable {
    package let method: String
    /// The path as it was sent, with its escapes.
    package let path: String
    /// What stood behind the question mark, with its escapes; empty if nothing did.
    package let query: String
    /// Names in lower case, in the order sent.
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]
    /// Whether the client has shown a certificate that the server's authority for clients vouches for.
    package let isClientKnown: Bool

    package init(
        method: String, path: String, query: String = "", headers: [(name: String, value: String)] = [],
        body: [UInt8] = [], isClientKnown: Bool = false
    ) {
        self.isClientKnown = isClientKnown
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// The value of an argument of the query, its escapes resolved; `nil` if there is none or it is no UTF-8.
    package func argument(_ name: String) -> String? {
        for part in query.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard let first = pair.first, first.elementsEqual(name) else { continue }
            return Self.unescaped(pair.count > 1 ? pair[1] : "")
        }
        return nil
    }

    private static func unescaped(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        func digit(_ byte: UInt8?) -> UInt8? {
            byte.flatMap { Character(UnicodeScalar($0)).hexDigitValue }.map(UInt8.init)
        }
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                continue
            }
            guard let high = digit(rest.next()), let low = digit(rest.next()) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The first header of that name.
    ///
    /// - Parameter name: In lower case.
    package func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}
