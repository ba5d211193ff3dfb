/// Where a server's API is reached.
package struct ServerAddress: Sendable, Equatable {
    /// `http://127.0.0.1:8200`, with a base path perhaps and without a slash at its end.
    package let url: String
    /// A socket of the file system that is dialled in place of the URL's host; at most 107 bytes.
    package let socket: String?

    package init(url: String) {
        self.url = String(url.reversed().drop { $0 == "/" }.reversed())
        socket = nil
    }

    /// A server on this machine that listens on a socket of the file system.
    package init(socket: String) {
        url = "http://localhost"
        self.socket = socket
    }
}
