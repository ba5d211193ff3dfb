/// Why a server cannot be started.
package struct HTTPServerError: Error, Equatable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The text is no address and port.
        case badAddress
        /// The address is not this machine's own and remote clients were not allowed.
        case notLoopback
        /// Another program listens there, or the address is none of this machine's.
        case cannotListen
    }

    package let code: Code
    /// What happened and what to do next.
    package let message: String

    package var description: String { message }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
