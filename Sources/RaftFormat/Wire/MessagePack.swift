/// A value in the parts of msgpack that hashicorp/raft's messages are made of (go-msgpack, old raw family).
enum MessagePack: Hashable, Sendable {
    case null
    case boolean(Bool)
    case unsigned(UInt64)
    /// Written in signed forms even where it is positive, as the stock encoder writes a Go `int`.
    case signed(Int64)
    /// Strings and byte slices alike.
    case bytes([UInt8])
    case array([MessagePack])
    /// By field name; written sorted.
    case map([String: MessagePack])

    // MARK: Reading

    /// No bytes, or a number, mean what a missing field means.
    var number: UInt64? {
        switch self {
        case .null: 0
        case .unsigned(let number): number
        case .signed(let number): UInt64(exactly: number)
        default: nil
        }
    }

    var flag: Bool? {
        switch self {
        case .null: false
        case .boolean(let isTrue): isTrue
        default: nil
        }
    }

    var content: [UInt8]? {
        switch self {
        case .null: []
        case .bytes(let bytes): bytes
        default: nil
        }
    }

    // MARK: Writing

    func write(to output: inout [UInt8]) {
        func append(_ tag: UInt8, _ number: some FixedWidthInteger) {
            output.append(tag)
            withUnsafeBytes(of: number.bigEndian) { output += $0 }
        }
        switch self {
        case .null: output.append(0xc0)
        case .boolean(let isTrue): output.append(isTrue ? 0xc3 : 0xc2)
        case .unsigned(let number):
            switch number {
            case 0..<0x80: output.append(UInt8(number))
            case 0..<0x100: append(0xcc, UInt8(number))
            case 0..<0x1_0000: append(0xcd, UInt16(number))
            case 0..<0x1_0000_0000: append(0xce, UInt32(number))
            default: append(0xcf, number)
            }
        case .signed(let number):
            switch number {
            case -32..<0x80: output.append(UInt8(truncatingIfNeeded: number))
            case -0x80..<0: append(0xd0, Int8(number))
            case -0x8000..<0x8000: append(0xd1, Int16(number))
            case -0x8000_0000..<0x8000_0000: append(0xd2, Int32(number))
            default: append(0xd3, number)
            }
        case .bytes(let bytes):
            switch bytes.count {
            case 0..<32: output.append(0xa0 | UInt8(bytes.count))
            case 0..<0x1_0000: append(0xda, UInt16(bytes.count))
            default: append(0xdb, UInt32(truncatingIfNeeded: bytes.count))
            }
            output += bytes
        case .array(let elements):
            if elements.count < 16 {
                output.append(0x90 | UInt8(elements.count))
            } else {
                append(0xdc, UInt16(truncatingIfNeeded: elements.count))
            }
            for element in elements { element.write(to: &output) }
        case .map(let fields):
            output.append(0x80 | UInt8(truncatingIfNeeded: min(fields.count, 15)))
            for (name, value) in fields.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
                MessagePack.bytes(Array(name.utf8)).write(to: &output)
                value.write(to: &output)
            }
        }
    }
}

/// Reads values from the bytes that have come of a stream, which may be anything.
struct MessagePackDecoder {
    /// Limits on what a peer can make a node keep: everything here comes from a network.
    private enum Limit {
        static let nesting = 4
        static let fields = 16
        static let nameBytes = 32
        static let elements = 1024
        static let bytes = 64 << 20
        /// Values of all levels together: 1024 entries of six fields with their names, twice over.
        static let values = 1 << 15
    }

    private let input: ArraySlice<UInt8>
    private var offset: Int
    private var values = 0

    init(_ input: ArraySlice<UInt8>) {
        self.input = input
        offset = input.startIndex
    }

    /// Where the next value begins.
    var position: Int { offset }

    /// The next value.
    ///
    /// - Returns: `nil` if it has not come whole.
    /// - Throws: For what is no value of a message, and what is larger than any.
    mutating func next() throws(RaftFormatError) -> MessagePack? {
        let begin = offset
        values = 0
        guard let value = try value(depth: 0) else {
            offset = begin
            return nil
        }
        return value
    }

    private mutating func value(depth: Int) throws(RaftFormatError) -> MessagePack? {
        guard depth <= Limit.nesting else {
            throw RaftFormatError("a message nests deeper than \(Limit.nesting) levels")
        }
        values += 1
        guard values <= Limit.values else {
            throw RaftFormatError("a message holds more than \(Limit.values) values")
        }
        guard let tag = byte() else { return nil }
        switch tag {
        case 0x00...0x7f: return .unsigned(UInt64(tag))
        case 0xe0...0xff: return .signed(Int64(Int8(bitPattern: tag)))
        case 0xc0: return .null
        case 0xc2, 0xc3: return .boolean(tag == 0xc3)
        case 0xcc...0xcf: return number(1 << Int(tag - 0xcc)).map { .unsigned($0) }
        case 0xd0...0xd3:
            let size = 1 << Int(tag - 0xd0)
            return number(size).map { .signed(Int64(bitPattern: $0 << UInt64(64 - 8 * size)) >> Int64(64 - 8 * size)) }
        case 0xa0...0xbf: return try bytes(UInt64(tag & 31))
        case 0xd9, 0xc4: return try counted(1) { decoder, count throws(RaftFormatError) in try decoder.bytes(count) }
        case 0xda, 0xc5: return try counted(2) { decoder, count throws(RaftFormatError) in try decoder.bytes(count) }
        case 0xdb, 0xc6: return try counted(4) { decoder, count throws(RaftFormatError) in try decoder.bytes(count) }
        case 0x90...0x9f: return try array(UInt64(tag & 15), depth)
        case 0xdc: return try counted(2) { decoder, count throws(RaftFormatError) in try decoder.array(count, depth) }
        case 0xdd: return try counted(4) { decoder, count throws(RaftFormatError) in try decoder.array(count, depth) }
        case 0x80...0x8f: return try map(UInt64(tag & 15), depth)
        case 0xde: return try counted(2) { decoder, count throws(RaftFormatError) in try decoder.map(count, depth) }
        default: throw RaftFormatError("a message holds the tag \(tag), which none has")
        }
    }

    private mutating func byte() -> UInt8? {
        guard offset < input.endIndex else { return nil }
        defer { offset += 1 }
        return input[offset]
    }

    private mutating func number(_ count: Int) -> UInt64? {
        guard input.endIndex - offset >= count else { return nil }
        defer { offset += count }
        return input[offset..<(offset + count)].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Reads how much follows, and then that.
    private mutating func counted(
        _ size: Int, _ read: (inout MessagePackDecoder, UInt64) throws(RaftFormatError) -> MessagePack?
    ) throws(RaftFormatError) -> MessagePack? {
        guard let count = number(size) else { return nil }
        return try read(&self, count)
    }

    private mutating func bytes(_ count: UInt64) throws(RaftFormatError) -> MessagePack? {
        guard count <= Limit.bytes else { throw RaftFormatError("a message holds \(count) bytes in one field") }
        guard input.endIndex - offset >= Int(count) else { return nil }
        defer { offset += Int(count) }
        return .bytes(Array(input[offset..<(offset + Int(count))]))
    }

    private mutating func array(_ count: UInt64, _ depth: Int) throws(RaftFormatError) -> MessagePack? {
        guard count <= Limit.elements else { throw RaftFormatError("a message holds a list of \(count) elements") }
        var elements: [MessagePack] = []
        for _ in 0..<count {
            guard let element = try value(depth: depth + 1) else { return nil }
            elements.append(element)
        }
        return .array(elements)
    }

    private mutating func map(_ count: UInt64, _ depth: Int) throws(RaftFormatError) -> MessagePack? {
        guard count <= Limit.fields else { throw RaftFormatError("a message holds a map of \(count) fields") }
        var fields: [String: MessagePack] = [:]
        for _ in 0..<count {
            guard let name = try value(depth: depth + 1) else { return nil }
            guard case .bytes(let bytes) = name, bytes.count <= Limit.nameBytes,
                let text = String(validating: bytes, as: UTF8.self)
            else { throw RaftFormatError("a message holds a field without a name") }
            guard let element = try value(depth: depth + 1) else { return nil }
            fields[text] = element
        }
        return .map(fields)
    }
}
