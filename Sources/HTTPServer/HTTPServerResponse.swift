/// An answer that has no end yet. The thread of its connection calls it.
package protocol HTTPServerStream: AnyObject, Sendable {
    /// The next piece; waits until there is one.
    ///
    /// A client that went away is only noticed when a piece is sent, so there should be one now and then.
    ///
    /// - Returns: `nil` at the end, which ends the answer.
    func next() -> [UInt8]?

    /// The answer is sent, or its client is gone: there will be no further call.
    func close()
}

/// What is sent back for one request, or done instead.
package struct HTTPServerResponse: Sendable {
    /// How the answer is delivered; all but ``whole`` are for rehearsing bad days.
    package enum Delivery: Sendable, Equatable {
        case whole
        /// The connection is closed without an answer.
        case dropped
        /// The length of the whole body is announced, this many bytes are sent, then the connection is closed.
        case truncated(bytes: Int)
    }

    package var status: Int
    /// Sent beside Date, Content-Length and Connection, which the server writes.
    package var headers: [(name: String, value: String)]
    package var body: HTTPServerBody
    package var delivery = Delivery.whole
    /// What is sent instead of the body, piece by piece, for as long as it gives pieces; only by a server with a thread
    /// for each connection.
    package var stream: (any HTTPServerStream)?

    package init(status: Int, headers: [(name: String, value: String)] = [], body: HTTPServerBody) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An answer that is text.
    package init(status: Int, text: String) {
        self.init(
            status: status, headers: [("Content-Type", "text/plain; charset=utf-8")],
            body: HTTPServerBody(copying: Array(text.utf8)))
    }

    /// No answer at all: the connection is closed.
    package static var dropped: HTTPServerResponse {
        var response = HTTPServerResponse(status: 0, body: HTTPServerBody(capacity: 0))
        response.delivery = .dropped
        return response
    }
}
