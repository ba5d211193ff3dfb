import Glibc

/// An address and port to listen on: `127.0.0.1:8000`, `[::1]:8000`, `localhost:0`.
package struct SocketAddress: Sendable, Equatable {
    /// As given, without the brackets of IPv6.
    package let host: String
    /// 0 lets the system choose.
    package let port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// - Throws: `.badAddress` if `text` is not an address, a colon and a port.
    package init(_ text: String) throws(HTTPServerError) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw Self.bad(text)
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw Self.bad(text)
        }
        guard !host.isEmpty else { throw Self.bad(text) }
        self.init(host: String(host), port: port)
    }

    private static func bad(_ text: String) -> HTTPServerError {
        HTTPServerError(
            .badAddress,
            "\"\(text.prefix(80))\" is no address to listen on. Give address and port, for example 127.0.0.1:8000; "
                + "port 0 takes any free one.")
    }

    /// Whether only programs of this machine reach it.
    package var isLoopback: Bool {
        host == "::1" || host == "localhost" || (numeric4.map { UInt32(bigEndian: $0.s_addr) >> 24 == 127 } ?? false)
    }

    private var numeric4: in_addr? {
        var address = in_addr()
        return inet_pton(AF_INET, host, &address) == 1 ? address : nil
    }

    /// Calls `body` with the system's form of the address.
    func withSystemAddress<Result>(
        _ body: (UnsafePointer<sockaddr>) throws(HTTPServerError) -> Result
    ) throws(HTTPServerError) -> Result {
        var storage = sockaddr_storage()
        var six = in6_addr()
        let name = host == "localhost" ? SocketAddress(host: "127.0.0.1", port: port) : self
        if let four = name.numeric4 {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr = four
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in.self) }
        } else if inet_pton(AF_INET6, host, &six) == 1 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_addr = six
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in6.self) }
        } else {
            throw Self.bad("\(host):\(port)")
        }
        return try withUnsafePointer(to: storage) { storage throws(HTTPServerError) in
            try body(UnsafeRawPointer(storage).assumingMemoryBound(to: sockaddr.self))
        }
    }

    /// The address in the form a URL has it.
    package func authority(port: UInt16) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
