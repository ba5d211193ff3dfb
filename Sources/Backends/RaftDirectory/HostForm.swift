import Glibc

/// What the host of a `cluster_addr` is, judged without asking a resolver.
enum HostForm: Equatable {
    /// An IP address or a name that another node may be able to dial.
    case usable
    /// This machine itself, in whatever spelling.
    case loopback
    /// Nobody could dial it; the reason, to follow the address in a message.
    case unusable(String)

    static let loopbackReason = "is a loopback address: the other nodes would dial themselves"

    /// - Parameters:
    ///   - host: Not empty, without brackets.
    ///   - isBracketed: Whether it stood in the brackets of an IPv6 address.
    init(_ host: String, isBracketed: Bool) {
        if isBracketed {
            self =
                Self.bytes(AF_INET6, host).map(Self.sixth)
                ?? .unusable(
                    "has brackets around what is no IPv6 address; only IPv6 addresses stand in brackets")
        } else if host.contains(":") {
            self = .unusable(
                Self.bytes(AF_INET6, host) == nil
                    ? "has more than one colon; write it as a URL, for example https://10.0.0.11:8201"
                    : "is an IPv6 address without brackets; write https://[fd00::11]:8201")
        } else if let address = Self.bytes(AF_INET, host) {
            self = Self.fourth(address)
        } else {
            self = Self.name(host)
        }
    }

    private static func bytes(_ family: Int32, _ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(family, text, &bytes) == 1 else { return nil }
        return family == AF_INET ? Array(bytes[..<4]) : bytes
    }

    /// An IPv4 address (IANA's registries of special and of multicast addresses).
    private static func fourth(_ address: [UInt8]) -> HostForm {
        switch address[0] {
        case _ where address.allSatisfy({ $0 == 0 }): unspecified
        case 0: .unusable("is an address of \"this network\", which nobody can dial")
        case 127: .loopback
        case 224...239: .unusable("is a multicast address, which belongs to no node")
        case _ where address.allSatisfy({ $0 == 255 }): .unusable("is the broadcast address, which belongs to no node")
        default: .usable
        }
    }

    private static func sixth(_ address: [UInt8]) -> HostForm {
        let isEmbedding = address[..<10].allSatisfy { $0 == 0 }
        if isEmbedding, address[10] == 0xff, address[11] == 0xff { return fourth(Array(address[12...])) }
        if isEmbedding, address[10] == 0, address[11] == 0 {
            if address[12..<15].allSatisfy({ $0 == 0 }) {
                if address[15] == 0 { return unspecified }
                if address[15] == 1 { return .loopback }
            }
            return fourth(Array(address[12...]))
        }
        if address[0] == 0xff { return .unusable("is a multicast address, which belongs to no node") }
        if address[0] == 0xfe, address[1] & 0xc0 == 0x80 {
            return .unusable("is a link-local address, which other nodes can dial only with a zone of their own")
        }
        return .usable
    }

    private static let unspecified = HostForm.unusable(
        "is the unspecified address, which the server refuses; write the address the other nodes can dial")

    /// Names that hosts files give to the machine itself.
    private static let ownNames: Set<String> = [
        "localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6",
        "localhost6.localdomain6", "ip6-localhost", "ip6-loopback",
    ]

    /// A name of the DNS: labels of 1 to 63 letters, digits and inner hyphens, 253 characters in all (RFC 1123).
    /// Underscores are taken, as resolvers do: container networks give such names.
    private static func name(_ host: String) -> HostForm {
        var name = host.lowercased()[...]
        if name.hasSuffix("."), name.utf8.count > 1 { name = name.dropLast() }
        if ownNames.contains(String(name)) || name.hasSuffix(".localhost") { return .loopback }
        guard name.utf8.allSatisfy({ $0 < 0x80 }) else {
            return .unusable("is no host name: write letters beyond ASCII in their xn-- form")
        }
        if name.contains("*") { return .unusable("is a pattern, not a host; write this node's own name or address") }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        if let last = labels.last, isNumber(last) { return number(String(name)) }
        guard name.utf8.count <= 253 else { return .unusable("is no host name: it is longer than 253 characters") }
        for label in labels {
            guard (1...63).contains(label.utf8.count) else {
                return .unusable("is no host name: between two points stand 1 to 63 characters")
            }
            let isPlain = label.utf8.allSatisfy {
                (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d || $0 == 0x5f
            }
            guard isPlain, label.first != "-", label.last != "-" else {
                return .unusable("is no host name: it has other characters than letters, digits and inner hyphens")
            }
        }
        return .usable
    }

    /// Digits, or hexadecimal digits behind `0x`: no top-level domain is one, and old calls read it as an address.
    private static func isNumber(_ label: Substring) -> Bool {
        let isHexadecimal = label.hasPrefix("0x")
        let digits = isHexadecimal ? label.dropFirst(2) : label
        return (isHexadecimal || !digits.isEmpty)
            && digits.utf8.allSatisfy {
                (0x30...0x39).contains($0) || isHexadecimal && (0x61...0x66).contains($0)
            }
    }

    /// The spellings of an IPv4 address that old calls take: fewer parts, octal, hexadecimal.
    private static func number(_ name: String) -> HostForm {
        var address = in_addr()
        guard inet_aton(name, &address) == 1 else {
            return .unusable("is no IPv4 address: it has four numbers from 0 to 255, as in 10.0.0.11")
        }
        let parts = withUnsafeBytes(of: address.s_addr) { Array($0) }
        let form = fourth(parts)
        guard form == .usable else { return form }
        return .unusable(
            "is a spelling that not every program reads; write \(parts.map { "\($0)" }.joined(separator: "."))")
    }
}

/// Finds what a shell, a template or a reader should have replaced.
enum PlaceholderText {
    private static let pairs: [(String, String)] = [
        ("${", "}"), ("$(", ")"), ("{{", "}}"), ("<", ">"), ("$", ""), ("%{", "}"), ("{", "}"),
    ]
    /// Longest placeholder that is repeated.
    private static let longestShown = 40

    /// The placeholder as messages show it: what stands in it only if that is a name.
    static func find(in url: String) -> String? {
        // Only host and port count; a user's password may have any character.
        let authority = url.firstRange(of: "//").map { url[$0.upperBound...] } ?? url[...]
        let text = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        for (opening, closing) in pairs {
            guard let start = text.firstRange(of: opening) else { continue }
            let rest = text[start.upperBound...]
            let name: Substring
            if closing.isEmpty {
                name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
                guard let first = name.first, !first.isNumber else { continue }
            } else {
                guard let end = rest.firstRange(of: closing) else {
                    guard opening.count == 2 else { continue }
                    return "\(opening)…"
                }
                name = rest[..<end.lowerBound]
            }
            let isShown =
                name.utf8.count <= longestShown
                && name.utf8.allSatisfy {
                    (0x61...0x7a).contains($0 | 0x20) || [0x20, 0x2d, 0x2e, 0x5f].contains($0)
                }
            return "\(opening)\(isShown ? String(name) : "…")\(closing)"
        }
        return nil
    }
}
