extension StoredEntry {
    /// Reads an entry as a segment holds it (hashicorp/raft-wal `codec.go`): index, term and type as varints, data and
    /// extensions with a varint length each, and for the rest a time in Go's binary form (`time.MarshalBinary`).
    ///
    /// The form has no empty extensions: where there are none, there are none.
    ///
    /// - Throws: For everything that is no such entry, whole and nothing else.
    package init(writeAhead bytes: UnsafeRawBufferPointer) throws(RaftFormatError) {
        var reader = WriteAheadReader(bytes)
        let index = try reader.number()
        let term = try reader.number()
        let type = try reader.number()
        guard type <= 255 else { throw RaftFormatError("it has the type \(type), which none has") }
        let data = try reader.bytes()
        let extensions = try reader.bytes()
        self.init(
            index: index, term: term, kind: LogEntryHeader.kind(type), data: data,
            extensions: extensions.isEmpty ? nil : extensions, appendedAt: try reader.time())
    }
}

/// Reads what an entry consists of.
private struct WriteAheadReader {
    private let content: UnsafeRawBufferPointer
    private var offset = 0

    init(_ content: UnsafeRawBufferPointer) { self.content = content }

    mutating func number() throws(RaftFormatError) -> UInt64 {
        var value: UInt64 = 0
        for place in 0..<10 {
            guard offset < content.count else { throw RaftFormatError("it ends inside a number") }
            let byte = content[offset]
            offset += 1
            guard place < 9 || byte < 2 else { break }
            value |= UInt64(byte & 0x7f) << UInt64(7 * place)
            if byte < 0x80 { return value }
        }
        throw RaftFormatError("it holds a number of more than 64 bits")
    }

    mutating func bytes() throws(RaftFormatError) -> UnsafeRawBufferPointer {
        let count = try number()
        guard count <= UInt64(content.count - offset) else {
            throw RaftFormatError("a field of \(count) bytes does not fit into it")
        }
        defer { offset += Int(count) }
        return UnsafeRawBufferPointer(rebasing: content[offset..<(offset + Int(count))])
    }

    /// The rest: version 1 has 15 bytes, version 2 a sixteenth for the seconds of the zone.
    mutating func time() throws(RaftFormatError) -> LogTime {
        let rest = UnsafeRawBufferPointer(rebasing: content[offset...])
        guard rest.count == 15 || rest.count == 16, Int(rest[0]) == rest.count - 14 else {
            throw RaftFormatError("its time has an unknown form (\(rest.count) bytes)")
        }
        return LogTime(
            seconds: Int64(bigEndian: rest.loadUnaligned(fromByteOffset: 1, as: Int64.self)),
            nanoseconds: Int32(bigEndian: rest.loadUnaligned(fromByteOffset: 9, as: Int32.self)))
    }
}
