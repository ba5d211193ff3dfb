/// Reads the fields of one protocol buffers message where it lies, without copying.
struct RawFields {
    enum Field {
        case number(Int, UInt64)
        case bytes(Int, UnsafeRawBufferPointer)
        case other
    }

    private let content: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ content: UnsafeRawBufferPointer) {
        self.content = content
    }

    /// The next field; `nil` at the end.
    mutating func next() throws(RaftFormatError) -> Field? {
        guard offset < content.count else { return nil }
        let tag = try readVarint()
        guard let number = Int(exactly: tag &>> 3), number > 0 else { throw damaged("a field number") }
        switch tag & 7 {
        case 0: return .number(number, try readVarint())
        case 1:
            try skip(8)
            return .other
        case 2:
            guard let count = Int(exactly: try readVarint()), count <= content.count - offset else {
                throw damaged("a length")
            }
            defer { offset += count }
            return .bytes(number, UnsafeRawBufferPointer(rebasing: content[offset..<(offset + count)]))
        case 5:
            try skip(4)
            return .other
        default: throw damaged("a wire type")
        }
    }

    private mutating func skip(_ count: Int) throws(RaftFormatError) {
        guard count <= content.count - offset else { throw damaged("a fixed field") }
        offset += count
    }

    mutating func readVarint() throws(RaftFormatError) -> UInt64 {
        guard let value = try readVarint(orEnd: true) else { throw damaged("a number") }
        return value
    }

    /// - Returns: `nil` if the bytes end within the number.
    mutating func readVarint(orEnd: Bool) throws(RaftFormatError) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            guard offset < content.count else { return nil }
            let byte = content[offset]
            offset += 1
            value |= UInt64(byte & 0x7f) &<< shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw damaged("a number")
    }

    private func damaged(_ what: String) -> RaftFormatError {
        RaftFormatError("byte \(offset): \(what) of a protocol buffers message is damaged")
    }
}

extension [UInt8] {
    mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    /// A field of bytes, with its length.
    mutating func append(field tag: UInt8, _ bytes: UnsafeRawBufferPointer) {
        append(tag)
        append(varint: UInt64(bytes.count))
        append(contentsOf: bytes)
    }
}

/// Bytes that a number takes as a varint.
func varintBytes(_ value: Int) -> Int {
    var count = 1
    var rest = UInt64(bitPattern: Int64(value))
    while rest >= 0x80 {
        rest >>= 7
        count += 1
    }
    return count
}
