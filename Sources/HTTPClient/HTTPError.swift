/// A request got no whole answer. What the server answers, whatever its status, is no error here.
package struct HTTPError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The name of the server, or of the proxy, has no address.
        case cannotResolve
        /// Nothing accepts connections there, or not in time.
        case cannotConnect
        /// The whole request took longer than it may.
        case timedOut
        /// The connection ended before the answer did; a body shorter than announced is one of these.
        case connectionLost
        /// The server's certificate, or anything else of TLS, is not right.
        case tls
        /// The answer is larger than the configured bound.
        case tooLarge
        /// The caller wanted to stop.
        case cancelled
        /// Anything else, a URL that is none among it.
        case other
    }

    package let code: Code
    /// What happened and with which server, one sentence; nothing of the request's headers and body.
    package let message: String
    /// Whether the server may have seen the request and acted on it.
    package let mayHaveBeenSent: Bool

    package var description: String { message }
}
