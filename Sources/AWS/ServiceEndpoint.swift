/// Where a service answers: scheme, host and path of its URL.
package struct ServiceEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// Longest URL and region that are taken.
    private static let maximumLength = 1024
    private static let maximumRegion = 63

    package let scheme: String
    /// Host and, unless it is the scheme's own, port: what the `Host` header says.
    package let host: String
    /// Begins with a slash.
    package let path: String

    package var description: String { "\(scheme)://\(host)\(path)" }

    /// The endpoint of a service in a region of AWS.
    ///
    /// - Parameter service: As in host names, such as `dynamodb`.
    /// - Returns: `nil` if the region's name cannot be part of a host name.
    package init?(service: StaticString, region: String) {
        guard Self.isRegion(region) else { return nil }
        scheme = "https"
        host = "\(service).\(region).\(Self.domain(of: region))"
        path = "/"
    }

    /// An endpoint as users write it; without a scheme it is `https`, as in the SDKs.
    ///
    /// - Returns: `nil` if it is no URL with only scheme, host, port and path.
    package init?(_ text: String) {
        let parts = text.firstRange(of: "://").map { (text[..<$0.lowerBound], text[$0.upperBound...]) }
        let scheme = parts.map { asciiLowercased(String($0.0)) } ?? "https"
        let rest = parts?.1 ?? text[...]
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.utf8.count)
        guard scheme == "http" || scheme == "https", text.utf8.count <= Self.maximumLength,
            let host = Self.host(authority, scheme: scheme),
            path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
        else { return nil }
        self.scheme = scheme
        self.host = host
        self.path = path.isEmpty ? "/" : String(path)
    }

    /// Whether the text can be the name of a region: letters, digits and inner hyphens.
    package static func isRegion(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8?) -> Bool {
            guard let byte else { return false }
            return byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26
        }
        let bytes = text.utf8
        return bytes.count <= maximumRegion && isAlphanumeric(bytes.first) && isAlphanumeric(bytes.last)
            && bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    /// The domain of the partition that a region belongs to (AWS's public list of partitions).
    static func domain(of region: String) -> String {
        let partitions = [
            ("cn-", "amazonaws.com.cn"), ("us-isob-", "sc2s.sgov.gov"), ("us-isof-", "csp.hci.ic.gov"),
            ("eu-isoe-", "cloud.adc-e.uk"), ("us-iso-", "c2s.ic.gov"), ("eusc-", "amazonaws.eu"),
        ]
        return partitions.first { region.hasPrefix($0.0) }?.1 ?? "amazonaws.com"
    }

    private static func host(_ authority: Substring, scheme: String) -> String? {
        var name = authority
        var port: Substring?
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            name = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        let isAddress = name.hasPrefix("[") && name.hasSuffix("]")
        let letters = isAddress ? name.dropFirst().dropLast() : name
        let isPlain = letters.utf8.allSatisfy { byte in
            byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: "_") || isAddress && byte == UInt8(ascii: ":")
        }
        guard !letters.isEmpty, isPlain else { return nil }
        guard let port else { return String(name) }
        guard let number = UInt16(port), number > 0, port.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
        return number == (scheme == "https" ? 443 : 80) ? String(name) : "\(name):\(number)"
    }
}
