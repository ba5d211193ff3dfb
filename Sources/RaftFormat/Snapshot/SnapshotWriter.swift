import Digest
import Zlib

/// Writes a snapshot archive in one pass: gzip with stored blocks only, as OpenBao writes it, around a ustar archive of
/// `meta.json`, `state.bin` and `SHA256SUMS`. `SHA256SUMS.sealed` needs the seal and is not there.
///
/// The sizes that stand before the entries are known behind them only. Stored blocks keep what is in them byte for
/// byte, so the first block, which holds all up to the entries, is written last, into the room that was left for it:
///
/// | Part of the file | Bytes |
/// | --- | --- |
/// | gzip header; where no PAX record of the size is needed, with an extra field that fills its room | 10 to 1034 |
/// | first block: `meta.json`, header of `state.bin` | 5 + 1536 or more, 1024 more with a PAX record |
/// | blocks of at most 65,535 bytes: entries, `SHA256SUMS`, two empty tar blocks | 5 + content each |
/// | CRC-32 and length | 8 |
///
/// If position, membership and size are given at the beginning, everything is written in its order.
package final class SnapshotWriter {
    /// Puts bytes at an offset of the file.
    package typealias Output = (UnsafeRawBufferPointer, _ offset: Int) throws -> Void

    private static let blockBytes = 65_535
    private static let bufferedBlocks = 16
    /// A size of this many bytes has no room in the octal digits of a header.
    private static let mostOctal = 1 << 33
    /// Of a PAX record: its header and its one block.
    private static let recordRoom = 2 * TarStream.blockBytes
    /// Room for `meta.json` of an archive whose size is not known at the beginning.
    private static let metaRoom = TarStream.blockBytes

    private let output: Output
    private let time: Int
    private let paxFrom: Int
    private let hasher: SHA256Hasher
    private let announced: SnapshotMeta?
    private var offset = 0
    private var block: [UInt8] = []
    private var blocks: [UInt8] = []
    /// Of everything behind the first block.
    private var sum: UInt32 = 0
    private var count = 0
    private var prefix: [UInt8] = []
    private var frame: [UInt8] = []
    /// Bytes of `state.bin` so far.
    package private(set) var stateBytes = 0
    package private(set) var entries = 0

    /// Begins an archive.
    ///
    /// - Parameters:
    ///   - announced: What `meta.json` is to say, if it is known.
    ///   - time: Of the members, in seconds since 1970.
    ///   - output: Called in ascending order of the offsets if `announced` is given; else the beginning comes last.
    package convenience init(announced: SnapshotMeta?, time: Int, output: @escaping Output) throws {
        try self.init(announced: announced, time: time, paxFrom: Self.mostOctal, output: output)
    }

    /// - Parameter paxFrom: Bytes of `state.bin` from which on its size stands in a PAX record.
    init(announced: SnapshotMeta?, time: Int, paxFrom: Int, output: @escaping Output) throws {
        self.output = output
        self.paxFrom = paxFrom
        self.time = time
        self.announced = announced
        hasher = try SHA256Hasher()
        block.reserveCapacity(Self.blockBytes)
        blocks.reserveCapacity((Self.blockBytes + 5) * Self.bufferedBlocks)
        guard let announced else {
            // Header and extra field, or header and PAX record, take the same room.
            offset = 10 + 5 + Self.recordRoom + Self.prefixBytes(meta: Self.metaRoom)
            return
        }
        prefix = Self.prefix(announced, time, paxFrom)
        try writePrefix(fills: false)
    }

    /// Adds an entry; they come in ascending order of their keys.
    package func append(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws {
        frame.removeAll(keepingCapacity: true)
        EntryFrame.append(key, value, to: &frame)
        try frame.withUnsafeBytes { try append(frames: $0) }
        entries += 1
        if frame.capacity > 4 << 20 { frame = [] }
    }

    /// Adds entries that are frames already.
    package func append(frames: UnsafeRawBufferPointer) throws {
        try hasher.update(frames)
        stateBytes += frames.count
        try put(frames)
    }

    /// Ends the archive.
    ///
    /// - Parameter meta: What `meta.json` says, if it was not known at the beginning; its size is set here.
    /// - Returns: Bytes of the file.
    package func finish(meta: SnapshotMeta) throws -> Int {
        var meta = announced ?? meta
        meta.size = stateBytes
        if announced == nil { prefix = Self.prefix(meta, time, paxFrom) }
        guard announced == nil || announced?.size == stateBytes else {
            throw RaftFormatError("state.bin has \(stateBytes) bytes, and \(announced?.size ?? 0) were announced")
        }
        try pad(stateBytes)
        let metaDigest = try meta.encoded.withUnsafeBytes { try SHA256Digest.of($0).hexadecimal }
        let sums = Array("\(metaDigest)  meta.json\n\(try hasher.finish().hexadecimal)  state.bin\n".utf8)
        try put(Self.header("SHA256SUMS", size: sums.count, time))
        try put(sums)
        try pad(sums.count)
        try put([UInt8](repeating: 0, count: 2 * TarStream.blockBytes))
        closeBlock(isLast: true)
        try flush()
        var trailer: [UInt8] = []
        let all = prefix.withUnsafeBytes { crc32($0) }
        trailer.append(littleEndian: combinedCRC32(all, sum, count: count))
        trailer.append(littleEndian: UInt32(truncatingIfNeeded: prefix.count + count))
        try trailer.withUnsafeBytes { try output($0, offset) }
        let end = offset + trailer.count
        if announced == nil { try writePrefix(fills: true) }
        return end
    }

    // MARK: gzip

    private func put(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try put($0) } }

    private func put(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.blockBytes - block.count))
            block.append(contentsOf: piece)
            rest = UnsafeRawBufferPointer(rebasing: rest[piece.count...])
            guard block.count == Self.blockBytes else { return }
            closeBlock(isLast: false)
            if blocks.count >= Self.blockBytes * Self.bufferedBlocks { try flush() }
        }
    }

    /// A stored block: a byte that says so, its length, and the length's complement (RFC 1951, 3.2.4).
    private static func head(_ count: Int, isLast: Bool) -> [UInt8] {
        let length = UInt16(truncatingIfNeeded: count)
        return [isLast ? 1 : 0]
            + [length, ~length].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }

    private func closeBlock(isLast: Bool) {
        sum = block.withUnsafeBytes { crc32($0, continuing: sum) }
        count += block.count
        blocks += Self.head(block.count, isLast: isLast)
        blocks += block
        block.removeAll(keepingCapacity: true)
    }

    private func flush() throws {
        try blocks.withUnsafeBytes { try output($0, offset) }
        offset += blocks.count
        blocks.removeAll(keepingCapacity: true)
    }

    /// Writes gzip's header and the first block.
    ///
    /// - Parameter fills: Whether it is to take the room that was left for it (RFC 1952, 2.3).
    private func writePrefix(fills: Bool) throws {
        var bytes: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]
        if fills {
            let room = Self.recordRoom + Self.prefixBytes(meta: Self.metaRoom)
            guard prefix.count <= room else { throw RaftFormatError("meta.json has no room in the archive") }
            if prefix.count < room {
                // Field "SL" of zeros.
                let filler = room - prefix.count - 2
                bytes[3] = 4
                bytes += [UInt8(filler & 0xff), UInt8(filler >> 8), UInt8(ascii: "S"), UInt8(ascii: "L")]
                bytes += [UInt8((filler - 4) & 0xff), UInt8((filler - 4) >> 8)]
                bytes += [UInt8](repeating: 0, count: filler - 4)
            }
        }
        bytes += Self.head(prefix.count, isLast: false)
        bytes += prefix
        try bytes.withUnsafeBytes { try output($0, 0) }
        if !fills { offset = bytes.count }
    }

    // MARK: tar

    private func pad(_ size: Int) throws { try put([UInt8](repeating: 0, count: Self.padding(size))) }

    private static func padding(_ size: Int) -> Int {
        (TarStream.blockBytes - size % TarStream.blockBytes) % TarStream.blockBytes
    }

    /// Bytes of all that stands before the entries, without a PAX record.
    private static func prefixBytes(meta: Int) -> Int { 2 * TarStream.blockBytes + meta + padding(meta) }

    private static func prefix(_ meta: SnapshotMeta, _ time: Int, _ paxFrom: Int) -> [UInt8] {
        let text = meta.encoded
        var bytes = header("meta.json", size: text.count, time) + text
        bytes += [UInt8](repeating: 0, count: padding(text.count))
        let isLarge = meta.size >= paxFrom
        if isLarge { bytes += record(size: meta.size, time) }
        return bytes + header("state.bin", size: isLarge ? 0 : meta.size, time)
    }

    /// A header `x` and its block with the one record, whose length counts itself (POSIX pax, "Extended Header").
    private static func record(size: Int, _ time: Int) -> [UInt8] {
        let content = " size=\(size)\n"
        var length = content.utf8.count + 2
        if "\(length)".utf8.count != 2 { length += 1 }
        let text = Array("\(length)\(content)".utf8)
        return header("PaxHeaders.0/state.bin", size: text.count, time, kind: .extended) + text
            + [UInt8](repeating: 0, count: padding(text.count))
    }

    /// A header as servers write it: mode 0600, owner 0.
    private static func header(_ name: String, size: Int, _ time: Int, kind: TarHeader.Kind = .file) -> [UInt8] {
        var header = TarHeader(name)
        (header.size, header.time, header.kind) = (size, time, kind)
        return header.bytes
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian number: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) { append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
}
