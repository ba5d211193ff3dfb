import Glibc

/// A connection failed or was refused.
package struct SocketError: Error, Sendable, CustomStringConvertible {
    /// What a caller can do differently.
    package enum Code: Sendable {
        /// Nobody listens there, or the other side cannot be reached.
        case unreachable
        /// The other side closed the connection, or this one did.
        case closed
        case timedOut
        /// One side does not trust the other, or they speak no common TLS.
        case notTrusted
        /// An address, a certificate or a key cannot be used.
        case configuration
        case system
    }

    package let code: Code
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// The error of a system call.
    static func system(_ call: String, _ place: String, _ number: Int32) -> SocketError {
        let code: Code =
            switch number {
            case ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN: .unreachable
            case ECONNRESET, EPIPE, ECONNABORTED, ENOTCONN: .closed
            case ETIMEDOUT: .timedOut
            default: .system
            }
        return SocketError(code, "\(call) \(place): \(String(cString: strerror(number)))")
    }
}
