import Digest
import Zlib

/// Snapshot archives as any program could make them, whole and otherwise; written by the format's description alone.
package struct ArchiveBuilder {
    /// How a size stands in a header of tar.
    package enum SizeForm: Sendable, CaseIterable {
        case octal
        case base256
        case pax
    }

    package struct Member {
        package var name: String
        package var content: [UInt8]
        package var type = UInt8(ascii: "0")
        package var size = SizeForm.octal

        package init(_ name: String, _ content: [UInt8], type: UInt8 = UInt8(ascii: "0"), size: SizeForm = .octal) {
            self.name = name
            self.content = content
            self.type = type
            self.size = size
        }
    }

    package var members: [Member]
    package var time = 1_700_000_000

    package init(members: [Member]) { self.members = members }

    /// The three members of an archive of these entries, in the servers' order.
    ///
    /// - Parameters:
    ///   - size: What `meta.json` says of `state.bin`, if not its size.
    package init(_ entries: [(key: [UInt8], value: [UInt8])], version: Int = 1, size: Int? = nil) throws {
        let state = entries.flatMap { Self.frame($0.key, $0.value) }
        try self.init(state: state, version: version, size: size)
    }

    package init(state: [UInt8], version: Int = 1, size: Int? = nil) throws {
        let text =
            "{\"Version\":\(version),\"ID\":\"bolt-snapshot\",\"Index\":5,\"Term\":1,\"Peers\":null,"
            + "\"Configuration\":{\"Servers\":[]},\"ConfigurationIndex\":0,\"Size\":\(size ?? state.count)}\n"
        let meta = Array(text.utf8)
        self.init(members: [
            Member("meta.json", meta), Member("state.bin", state),
            Member("SHA256SUMS", Array((try Self.line("meta.json", meta) + Self.line("state.bin", state)).utf8)),
        ])
    }

    /// A line of `SHA256SUMS`.
    package static func line(_ name: String, _ content: [UInt8]) throws -> String {
        "\(try content.withUnsafeBytes { try SHA256Digest.of($0).hexadecimal })  \(name)\n"
    }

    /// The entries of the format's test vector.
    package static let vector: [(key: [UInt8], value: [UInt8])] = [
        (Array("core/keyring".utf8), [0, 0, 0, 1, 2]), (Array("empty".utf8), []),
        (Array("sys/policy/default".utf8), [UInt8](repeating: UInt8(ascii: "p"), count: 200)),
    ]

    package static func frame(_ key: [UInt8], _ value: [UInt8]) -> [UInt8] {
        var content: [UInt8] = []
        if !key.isEmpty { content += [0x0a] + varint(key.count) + key }
        if !value.isEmpty { content += [0x12] + varint(value.count) + value }
        return varint(content.count) + content
    }

    package static func varint(_ number: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    // MARK: tar

    package func tar() -> [UInt8] {
        members.flatMap { member in record(of: member) + block(of: member) } + [UInt8](repeating: 0, count: 1024)
    }

    private func record(of member: Member) -> [UInt8] {
        guard member.size == .pax else { return [] }
        // 13 with three digits, and so on: the length counts its own digits.
        let tail = " size=\(member.content.count)\n"
        let length = (1...9).lazy.map { tail.utf8.count + $0 }.first { "\($0)".utf8.count + tail.utf8.count == $0 }
        let text = Array("\(length ?? 0)\(tail)".utf8)
        return block(of: Member("PaxHeaders.0/\(member.name)", text, type: UInt8(ascii: "x")))
    }

    private func block(of member: Member) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, _ place: Int) {
            header.replaceSubrange(place..<(place + text.utf8.count), with: text.utf8)
        }
        func octal(_ number: Int) -> String {
            let digits = String(number, radix: 8)
            return String(repeating: "0", count: 11 - digits.count) + digits
        }
        put(member.name, 0)
        put("0000600", 100)
        put("0000000", 108)
        put("0000000", 116)
        switch member.size {
        case .octal: put(octal(member.content.count), 124)
        case .pax: put(octal(0), 124)
        case .base256:
            header[124] = 0x80
            for place in 0..<8 {
                header[128 + place] = UInt8(truncatingIfNeeded: member.content.count >> (56 - 8 * place))
            }
        }
        put(octal(time), 136)
        put("        ", 148)
        header[156] = member.type
        put("ustar\0" + "00", 257)
        put("0000000", 329)
        put("0000000", 337)
        let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
        put(String(repeating: "0", count: 6 - sum.count) + sum + "\0 ", 148)
        return header + member.content + [UInt8](repeating: 0, count: (512 - member.content.count % 512) % 512)
    }

    // MARK: gzip

    /// The archive, packed in stored blocks.
    package func archive() -> [UInt8] { Self.gzip(tar()) }

    /// One gzip member of stored blocks.
    package static func gzip(_ content: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]
        var rest = content[...]
        repeat {
            let piece = rest.prefix(65_535)
            rest = rest.dropFirst(piece.count)
            let (low, high) = (UInt8(piece.count & 0xff), UInt8(piece.count >> 8))
            bytes += [rest.isEmpty ? 1 : 0, low, high, ~low, ~high] + piece
        } while !rest.isEmpty
        let sum = content.withUnsafeBytes { crc32($0) }
        for number in [sum, UInt32(truncatingIfNeeded: content.count)] {
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * UInt32($0))) }
        }
        return bytes
    }

    /// What a gzip file holds.
    package static func gunzip(_ bytes: [UInt8]) throws -> [UInt8] {
        let inflater = try GzipInflater()
        var content: [UInt8] = []
        try bytes.withUnsafeBytes { try inflater.inflate($0) { content += $0 } }
        return content
    }
}
