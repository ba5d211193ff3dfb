/// The part of the protocol buffers wire format (proto3) that integrated storage uses: varints and byte strings.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// A number; zero is left out, as proto3 does.
    mutating func write(field: Int, _ value: UInt64) {
        guard value != 0 else { return }
        write(varint: UInt64(field) << 3)
        write(varint: value)
    }

    /// A string or nested message; empty ones are left out unless `always`.
    mutating func write(field: Int, _ value: [UInt8], always: Bool = false) {
        guard !value.isEmpty || always else { return }
        write(varint: UInt64(field) << 3 | 2)
        write(varint: UInt64(value.count))
        bytes.append(contentsOf: value)
    }
}

/// Reads the fields of one message; unknown fields are the caller's to pass over.
struct ProtobufReader {
    enum Field {
        case number(Int, UInt64)
        case bytes(Int, ArraySlice<UInt8>)
        /// A field of a fixed width, which none of the messages here uses.
        case other(Int)
    }

    private let content: ArraySlice<UInt8>
    private var offset: Int

    init(_ content: ArraySlice<UInt8>) {
        self.content = content
        self.offset = content.startIndex
    }

    /// The next field; `nil` at the end.
    ///
    /// - Throws: If the bytes are no protocol buffers message.
    mutating func next() throws(RaftFormatError) -> Field? {
        guard offset < content.endIndex else { return nil }
        let tag = try readVarint()
        guard let number = Int(exactly: tag >> 3), number > 0 else { throw damaged("a field number") }
        switch tag & 7 {
        case 0: return .number(number, try readVarint())
        case 1:
            try skip(8)
            return .other(number)
        case 2:
            guard let count = Int(exactly: try readVarint()), count <= content.endIndex - offset else {
                throw damaged("a length")
            }
            defer { offset += count }
            return .bytes(number, content[offset..<(offset + count)])
        case 5:
            try skip(4)
            return .other(number)
        default: throw damaged("a wire type")
        }
    }

    private mutating func skip(_ count: Int) throws(RaftFormatError) {
        guard count <= content.endIndex - offset else { throw damaged("a fixed field") }
        offset += count
    }

    private mutating func readVarint() throws(RaftFormatError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            guard offset < content.endIndex else { throw damaged("a number") }
            let byte = content[offset]
            offset += 1
            value |= UInt64(byte & 0x7f) << UInt64(shift)
            if byte < 0x80 { return value }
        }
        throw damaged("a number")
    }

    private func damaged(_ what: String) -> RaftFormatError {
        RaftFormatError("byte \(offset - content.startIndex): \(what) of a protocol buffers message is damaged")
    }
}
