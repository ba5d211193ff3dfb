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
        objection = Self.objection(host: host, port: port, text: text)
    }

    private static func authority(of text: String) throws(StorageError) -> String {
        let failure = "error parsing cluster address: parse \"\(text)\": "
        guard !text.utf8.contains(where: { $0 < 0x21 || $0 == 0x7f }) else {
            throw StorageError(.configuration, failure + "net/url: invalid control character or space in URL")
        }
        guard let colon = text.firstIndex(of: ":") else { return "" }
        let scheme = text[..<colon]
        guard isScheme(scheme) else {
            // Without a scheme the part before the first slash is a path, and may not hold a colon.
            let firstSegment = text.prefix { $0 != "/" }
            guard !firstSegment.contains(":") else {
                throw StorageError(.configuration, failure + "first path segment in URL cannot contain colon")
            }
            return ""
        }
        let rest = text[text.index(after: colon)...]
        guard rest.hasPrefix("//") else { return "" }
        let authority = rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return String(authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority)
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.first, first.isASCII, first.isLetter else { return false }
        return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "+" || $0 == "-" || $0 == ".") }
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

    private static func objection(host: String, port: String, text: String) -> String? {
        if host.isEmpty { return "names no host; write it as a URL, for example https://10.0.0.11:8201" }
        if ["0.0.0.0", "::", "0:0:0:0:0:0:0:0"].contains(host) {
            return "is the unspecified address, which the server refuses; write the address the other nodes can dial"
        }
        guard !port.isEmpty else { return Reason.port }
        guard let number = Int(port), (1...65535).contains(number) else {
            return "has the port \"\(port)\", which is none; the usual cluster port is 8201"
        }
        let isLoopback =
            host == "localhost" || host == "::1" || host.hasSuffix(".localhost") || isLoopbackIPv4(host)
        return isLoopback ? Reason.loopback : nil
    }

    private static func isLoopbackIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Whether a practice run may use the address all the same: a single node boots with it.
    package var isExcusedInPractice: Bool { objection == Reason.loopback || objection == Reason.port }
}
