/// A request as it goes over the wire, in the parts that Signature Version 4 signs.
package struct SignableRequest {
    package var method: String
    /// The path of the request line, as sent, without the query.
    package var path: String
    /// What follows the question mark, as sent; empty if nothing.
    package var query: String
    package var headers: [(name: String, value: String)]

    package init(method: String, path: String, query: String = "", headers: [(name: String, value: String)]) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
    }
}

/// The one form of a request that both sides hash (AWS General Reference, "Create a signed AWS API request").
enum CanonicalRequest {
    /// The canonical request: method, path, query, headers, names of the signed headers and digest of the body.
    ///
    /// - Parameter signed: Lower-case names of the headers to sign, in ascending order.
    static func bytes(
        _ request: SignableRequest, signed: [String], bodyDigest: String
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        func line(_ text: some Sequence<UInt8>) {
            bytes += text
            bytes.append(UInt8(ascii: "\n"))
        }
        line(request.method.utf8)
        line(path(Array(request.path.utf8)))
        line(query(Array(request.query.utf8)))
        for name in signed { line(Array(name.utf8) + [UInt8(ascii: ":")] + values(of: name, in: request.headers)) }
        line([])
        line(signed.joined(separator: ";").utf8)
        bytes += bodyDigest.utf8
        return bytes
    }

    /// All values of a header, in their order, trimmed, runs of white space folded to one space, joined by commas.
    private static func values(of name: String, in headers: [(name: String, value: String)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, header) in headers.filter({ asciiLowercased($0.name) == name }).enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            let words = header.value.utf8.split { $0 == 0x20 || (0x09...0x0d).contains($0) }
            bytes += words.joined(separator: [0x20])
        }
        return bytes
    }

    /// The path without empty, `.` and `..` segments, percent-encoded as it stands: what was already encoded is encoded
    /// twice, which every service but S3 asks for.
    private static func path(_ path: [UInt8]) -> [UInt8] {
        var segments: [ArraySlice<UInt8>] = []
        for segment in path.split(separator: UInt8(ascii: "/")) {
            if segment.elementsEqual("..".utf8) {
                _ = segments.popLast()
            } else if !segment.elementsEqual(".".utf8) {
                segments.append(segment)
            }
        }
        var bytes: [UInt8] = []
        for segment in segments {
            bytes.append(UInt8(ascii: "/"))
            appendPercentEncoded(segment, to: &bytes)
        }
        if bytes.isEmpty || path.last == UInt8(ascii: "/") { bytes.append(UInt8(ascii: "/")) }
        return bytes
    }

    /// Names and values decoded, encoded in the one way of the rules, and sorted.
    private static func query(_ query: [UInt8]) -> [UInt8] {
        var pairs: [(name: [UInt8], value: [UInt8])] = []
        for part in query.split(separator: UInt8(ascii: "&")) {
            let cut = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            pairs.append((encodedOnce(part[..<cut]), encodedOnce(part[cut...].dropFirst())))
        }
        pairs.sort { left, right in
            left.name == right.name
                ? left.value.lexicographicallyPrecedes(right.value) : left.name.lexicographicallyPrecedes(right.name)
        }
        var bytes: [UInt8] = []
        for (index, pair) in pairs.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: "&")) }
            bytes += pair.name + [UInt8(ascii: "=")] + pair.value
        }
        return bytes
    }

    private static func encodedOnce(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let high = hexadecimalValue(rest[rest.startIndex]),
                let low = hexadecimalValue(rest[rest.startIndex + 1])
            {
                decoded.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                decoded.append(byte)
            }
        }
        var encoded: [UInt8] = []
        appendPercentEncoded(decoded[...], to: &encoded)
        return encoded
    }
}

/// Appends bytes with all but RFC 3986's unreserved characters percent-encoded, in upper case.
func appendPercentEncoded(_ text: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in text {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            bytes.append(byte)
        default:
            bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
}

/// The value of a hexadecimal digit of either case; `nil` for any other byte.
func hexadecimalValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// The text with A to Z in lower case, and nothing else changed, whatever the language.
func asciiLowercased(_ text: String) -> String {
    guard text.utf8.contains(where: { (0x41...0x5a).contains($0) }) else { return text }
    return String(decoding: text.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
}
