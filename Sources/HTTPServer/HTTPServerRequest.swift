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

    package init(
        method: String, path: String, query: String = "", headers: [(name: String, value: String)] = [],
        body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }

    /// The first header of that name.
    ///
    /// - Parameter name: In lower case.
    package func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}
