/// A header block of a tar archive, POSIX ustar; sizes that have no room in it in base 256, as GNU tar writes them.
package struct TarHeader {
    package enum Kind: UInt8, Sendable {
        case file = 0x30
        case folder = 0x35
        case extended = 0x78
    }

    /// Bytes of a block: headers, and what contents are padded to.
    package static let blockBytes = TarStream.blockBytes
    /// One more than what a field of eleven octal digits holds.
    private static let mostOctal = 1 << 33

    /// At most 100 bytes of ASCII; a folder's ends in a slash.
    package var name: String
    package var size = 0
    package var kind = Kind.file
    package var mode: UInt32 = 0o600
    package var user: UInt32 = 0
    package var group: UInt32 = 0
    /// Seconds since 1970.
    package var time = 0

    package init(_ name: String) { self.name = name }

    /// Zeros that follow a content of this size.
    package static func padding(_ size: Int) -> Int { (blockBytes - size % blockBytes) % blockBytes }

    package var bytes: [UInt8] {
        var header = [UInt8](repeating: 0, count: Self.blockBytes)
        func put(_ text: String, _ place: Int) {
            header.replaceSubrange(place..<(place + text.utf8.count), with: text.utf8)
        }
        func octal(_ number: Int, _ digits: Int) -> String {
            let text = String(number, radix: 8)
            return String(repeating: "0", count: max(digits - text.count, 0)) + text
        }
        // Whoever has a number beyond seven octal digits is given what they unpack by whoever unpacks it.
        func owner(_ number: UInt32) -> String { octal(number < 1 << 21 ? Int(number) : 0, 7) }
        put(String(name.prefix(100)), 0)
        put(octal(Int(mode & 0o7777), 7), 100)
        put(owner(user), 108)
        put(owner(group), 116)
        if size < Self.mostOctal {
            put(octal(max(size, 0), 11), 124)
        } else {
            header[124] = 0x80
            for place in 0..<8 { header[128 + place] = UInt8(truncatingIfNeeded: size >> (56 - 8 * place)) }
        }
        put(octal(max(0, min(time, Self.mostOctal - 1)), 11), 136)
        put("        ", 148)
        header[156] = kind.rawValue
        put("ustar\0" + "00", 257)
        put(octal(0, 7), 329)
        put(octal(0, 7), 337)
        let sum = header.reduce(0) { $0 + Int($1) }
        put(octal(sum, 6) + "\0 ", 148)
        return header
    }
}
