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
        if PlaceholderText.find(in: text) != nil {
            // Go refuses some of them for one of their characters, which tells nobody what is wrong.
            hostAndPort = ""
            objection = Self.objection(text: text, host: "", port: "", isBracketed: false)
            return
        }
        let authority = try Self.authority(of: text)
        let (host, port) = Self.split(authority)
        hostAndPort = authority
        objection = Self.objection(text: text, host: host, port: port, isBracketed: authority.hasPrefix("["))
    }

    /// The part of a URL that names host and port, without user and password (Go `net/url` `parse`).
    private static func authority(of text: String) throws(StorageError) -> String {
        do throws(ParseError) {
            return String(decoding: try authority(of: text.utf8.prefix { $0 != UInt8(ascii: "#") }), as: UTF8.self)
        } catch {
            throw StorageError(
                .configuration,
                "error parsing cluster address: parse \(goQuoted(withoutSecrets(text).utf8)): \(error.reason)")
        }
    }

    /// The text without what may be a user's name and password, or a token behind the host.
    private static func withoutSecrets(_ text: String) -> String {
        var text = text[...]
        if let end = text.firstIndex(where: { $0 == "?" || $0 == "#" }) { text = text[..<end] + "***" }
        guard let at = text.lastIndex(of: "@") else { return String(text) }
        let start = text.firstRange(of: "//")?.upperBound ?? text.startIndex
        return start <= at ? text[..<start] + "***" + text[at...] : "***" + text[at...]
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
        static let port = "has no port: the other nodes could not dial it"
    }

    private static func objection(text: String, host: String, port: String, isBracketed: Bool) -> String? {
        if let placeholder = PlaceholderText.find(in: text) {
            return "has the placeholder \(placeholder), which nothing fills in here; write what it stands for"
        }
        if host.isEmpty { return "names no host; write it as a URL, for example https://10.0.0.11:8201" }
        switch HostForm(host, isBracketed: isBracketed) {
        case .usable, .loopback: break
        case .unusable(let reason): return reason
        }
        guard !port.isEmpty else { return Reason.port }
        guard let number = Int(port), (1...65535).contains(number) else {
            return "has the port \"\(port.prefix(8))\", which is none; the usual cluster port is 8201"
        }
        return HostForm(host, isBracketed: isBracketed) == .loopback ? HostForm.loopbackReason : nil
    }

    /// The port as written, or the default one in a practice run without.
    var port: String {
        let port = Self.split(hostAndPort).port
        return port.isEmpty ? "8201" : port
    }

    /// The host as it stands in a URL.
    var hostWithBrackets: String {
        let host = Self.split(hostAndPort).host
        return host.contains(":") ? "[\(host)]" : host
    }

    /// What is unusual about a usable address.
    package var remarks: [String] {
        guard objection == nil || isExcusedInPractice else { return [] }
        let (host, port) = Self.split(hostAndPort)
        var remarks: [String] = []
        if Int(port) == 8200 {
            remarks.append(
                "cluster_addr has port 8200, where servers answer their API; nodes talk to each other on 8201 by default."
            )
        }
        if host.contains("_") {
            remarks.append(
                "cluster_addr: \(host) has an underscore, which host names may not have; some resolvers refuse it.")
        }
        return remarks
    }

    /// Whether it leads back to the machine that dials it.
    package var isLoopback: Bool { objection == HostForm.loopbackReason }

    /// Whether a practice run may use the address all the same: a single node boots with it.
    package var isExcusedInPractice: Bool { objection == HostForm.loopbackReason || objection == Reason.port }
}
