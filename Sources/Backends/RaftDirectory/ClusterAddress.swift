import Glibc
package import Storage

/// The top-level `cluster_addr`: of the URL only host and port count. They are what other nodes are told to dial, and
/// nothing corrects them later.
package struct ClusterAddress: Sendable, Equatable {
    /// `host:port` as the cluster's configuration keeps it; IPv6 hosts in brackets. In a practice run perhaps without
    /// port.
    package let hostAndPort: String
    /// Why no real cluster could form with this address; `nil` for a usable one.
    package let objection: String?

    /// Takes an address apart.
    ///
    /// - Throws: `.configuration` in the words of the stock command for what it refuses as well (Go `net/url`).
    package init(parsing text: String) throws(StorageError) {
        let authority = try Self.authority(of: text)
        let (host, port) = Self.split(authority)
        hostAndPort = authority
        objection = Self.objection(host: host, port: port)
    }

    /// The part of a URL that names host and port, without user and password (Go `net/url` `parse`).
    private static func authority(of text: String) throws(StorageError) -> String {
        do throws(ParseError) {
            return String(decoding: try authority(of: text.utf8.prefix { $0 != UInt8(ascii: "#") }), as: UTF8.self)
        } catch {
            throw StorageError(
                .configuration, "error parsing cluster address: parse \(goQuoted(text.utf8)): \(error.reason)")
        }
    }

    private struct ParseError: Error {
        let reason: String
    }

    private static func authority(of url: Substring.UTF8View) throws(ParseError) -> Substring.UTF8View {
        guard !url.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            throw ParseError(reason: "net/url: invalid control character in URL")
        }
        let (hasScheme, rest) = try cutScheme(url)
        guard rest.starts(with: "//".utf8), hasScheme || !rest.starts(with: "///".utf8) else {
            // Without a scheme the part before the first slash is a path, and may not hold a colon.
            let segment = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
            guard hasScheme || !segment.contains(UInt8(ascii: ":")) else {
                throw ParseError(reason: "first path segment in URL cannot contain colon")
            }
            return rest.prefix(0)
        }
        let whole = rest.dropFirst(2).prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        let host = whole.lastIndex(of: UInt8(ascii: "@")).map { whole[whole.index(after: $0)...] } ?? whole
        try check(host)
        return host
    }

    private static func cutScheme(_ url: Substring.UTF8View) throws(ParseError) -> (Bool, Substring.UTF8View) {
        for (place, byte) in zip(url.indices, url) {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): continue
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
                if place == url.startIndex { return (false, url) }
            case UInt8(ascii: ":"):
                guard place != url.startIndex else { throw ParseError(reason: "missing protocol scheme") }
                return (true, url[url.index(after: place)...])
            default: return (false, url)
            }
        }
        return (false, url)
    }

    /// Refuses what Go refuses as host and port.
    private static func check(_ host: Substring.UTF8View) throws(ParseError) {
        var port = host.suffix(0)
        if host.first == UInt8(ascii: "[") {
            guard let end = host.lastIndex(of: UInt8(ascii: "]")) else {
                throw ParseError(reason: "missing ']' in host")
            }
            port = host[host.index(after: end)...]
        } else if let colon = host.lastIndex(of: UInt8(ascii: ":")) {
            port = host[colon...]
        }
        let digits = port.dropFirst()
        guard port.isEmpty || port.first == UInt8(ascii: ":"),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { throw ParseError(reason: "invalid port \(goQuoted(port)) after host") }
        if let percent = host.firstIndex(of: UInt8(ascii: "%")) {
            throw ParseError(reason: "invalid URL escape \(goQuoted(host[percent...].prefix(3)))")
        }
        if let stray = host.firstIndex(where: { #" \^`{|}"#.utf8.contains($0) }) {
            throw ParseError(reason: "invalid character \(goQuoted(host[stray...].prefix(1))) in host name")
        }
    }

    /// A text as Go's `%q` prints it.
    private static func goQuoted(_ text: some Sequence<UInt8>) -> String {
        var quoted: [UInt8] = [UInt8(ascii: "\"")]
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): quoted += [UInt8(ascii: "\\"), byte]
            case 0x07...0x0d: quoted += [UInt8(ascii: "\\"), Array("abtnvfr".utf8)[Int(byte) - 7]]
            case 0..<0x20, 0x7f: quoted += Array("\\x".utf8) + [hexDigit(byte >> 4), hexDigit(byte & 15)]
            default: quoted.append(byte)
            }
        }
        return String(decoding: quoted, as: UTF8.self) + "\""
    }

    private static func split(_ authority: String) -> (host: String, port: String) {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            let host = String(authority[authority.index(after: authority.startIndex)..<end])
            let rest = authority[authority.index(after: end)...]
            return (host, rest.hasPrefix(":") ? String(rest.dropFirst()) : "")
        }
        guard let colon = authority.lastIndex(of: ":") else { return (authority, "") }
        return (String(authority[..<colon]), String(authority[authority.index(after: colon)...]))
    }

    /// A reason that a practice run may pass over begins with one of these; see ``isExcusedInPractice``.
    private enum Reason {
        static let loopback = "is a loopback address: the other nodes would dial themselves"
        static let port = "has no port: the other nodes could not dial it"
    }

    private static func objection(host: String, port: String) -> String? {
        if host.isEmpty { return "names no host; write it as a URL, for example https://10.0.0.11:8201" }
        let address = networkAddress(host)
        if let address, address.allSatisfy({ $0 == 0 }) {
            return "is the unspecified address, which the server refuses; write the address the other nodes can dial"
        }
        guard !port.isEmpty else { return Reason.port }
        guard let number = Int(port), (1...65535).contains(number) else {
            return "has the port \"\(port)\", which is none; the usual cluster port is 8201"
        }
        let name = host.lowercased()
        let isLoopback =
            name == "localhost" || name.hasSuffix(".localhost") || address?.first == 127
            || address?.dropLast().allSatisfy { $0 == 0 } == true && address?.last == 1 && address?.count == 16
        return isLoopback ? Reason.loopback : nil
    }

    /// The 4 or 16 bytes of an IP address, an IPv4 address in IPv6 form as its 4 bytes; `nil` for a name.
    private static func networkAddress(_ host: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, host, &bytes) == 1 { return Array(bytes[..<4]) }
        guard inet_pton(AF_INET6, host, &bytes) == 1 else { return nil }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
        return isMapped ? Array(bytes[12...]) : bytes
    }

    /// Whether a practice run may use the address all the same: a single node boots with it.
    package var isExcusedInPractice: Bool { objection == Reason.loopback || objection == Reason.port }
}
