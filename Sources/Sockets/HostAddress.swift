import Glibc

/// A host and a port as `host:port`, the host of IPv6 in brackets.
package struct HostAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name or a numeric address, without brackets.
    package let host: String
    package let port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`; `nil` for anything else.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")),
            let port = UInt16(String(decoding: bytes[(colon + 1)...], as: UTF8.self)), bytes.count <= 300
        else { return nil }
        var host = bytes[..<colon]
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(UInt8(ascii: ":")) {
            return nil
        }
        guard !host.isEmpty, host.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        self.init(host: String(decoding: host, as: UTF8.self), port: port)
    }

    package var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Calls `body` with each address that the name stands for until it returns something.
    func resolve<Result>(
        isPassive: Bool, _ body: (UnsafePointer<addrinfo>) -> Result?
    ) throws(SocketError) -> Result? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (isPassive ? AI_PASSIVE : 0)
        var list: UnsafeMutablePointer<addrinfo>?
        let failure = getaddrinfo(host, String(port), &hints, &list)
        guard failure == 0 else {
            throw SocketError(.unreachable, "resolve \(self): \(String(cString: gai_strerror(failure)))")
        }
        defer { freeaddrinfo(list) }
        var next = list
        while let info = next {
            if let result = body(info) { return result }
            next = info.pointee.ai_next
        }
        return nil
    }
}
