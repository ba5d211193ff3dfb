import HTTPClient

/// Why a server's answer is not what was asked for.
package struct VaultAPIError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// Nobody answered, or not to the end; asking again may help.
        case noAnswer
        /// The caller does not want to wait any longer.
        case cancelled
        /// The server has no such operation, or does not allow it (404, 405).
        case unsupported
        /// The server refused: any other status of the client's doing (4xx).
        case refused
        /// The server could not (5xx), a sealed one among it.
        case failed
        /// What came is no answer of such a server.
        case foreign
    }

    package let code: Code
    /// The status; `nil` without an answer.
    package let status: Int?
    /// What, and what the server said of it. Nothing of what was sent.
    package let message: String

    package init(_ code: Code, status: Int? = nil, _ message: String) {
        self.code = code
        self.status = status
        self.message = message
    }

    package var description: String { message }

    init(_ error: HTTPError) {
        self.init(error.code == .cancelled ? .cancelled : .noAnswer, error.message)
    }
}
