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
