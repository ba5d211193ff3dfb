import Wording

/// What an entry of the Raft log is, without its data (hashicorp/raft `log.go`, stored by raft-boltdb as a msgpack map).
package struct LogEntryHeader: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// A write to the state machine.
        case command
        case noop
        case barrier
        case configuration
        case other(UInt64)
    }

    package var index: UInt64 = 0
    package var term: UInt64 = 0
    package var kind = Kind.command

    /// Reads an entry as raft-boltdb stores it: a map by field name, in any order, or an array in the order of
    /// declaration.
    ///
    /// - Throws: If the bytes are no msgpack, or end early.
    package init(decoding bytes: UnsafeRawBufferPointer) throws(RaftFormatError) {
        var reader = MessagePackReader(bytes)
        let shape = try reader.readContainer()
        switch shape {
        case .map(let count):
            for _ in 0..<count {
                let name = try reader.readText()
                switch name {
                case "Index": index = try reader.readInteger()
                case "Term": term = try reader.readInteger()
                case "Type": kind = Self.kind(try reader.readInteger())
                default: try reader.skipValue()
                }
            }
        case .array(let count):
            guard count >= 3 else { throw RaftFormatError("a log entry has \(count) fields, at least 3 are needed") }
            index = try reader.readInteger()
            term = try reader.readInteger()
            kind = Self.kind(try reader.readInteger())
        }
    }

    /// The kind that goes by a number (hashicorp/raft `log.go`).
    static func kind(_ type: UInt64) -> Kind {
        switch type {
        case 0: .command
        case 1: .noop
        case 4: .barrier
        case 5: .configuration
        default: .other(type)
        }
    }
}

extension StoredEntry {
    /// Reads an entry as raft-boltdb stores it, with its data; the time is passed over.
    ///
    /// - Throws: If the bytes are no msgpack, or end early.
    package init(decoding bytes: UnsafeRawBufferPointer) throws(RaftFormatError) {
        var type: UInt64 = 0
        var reader = MessagePackReader(bytes)
        self.init(
            index: 0, term: 0, kind: .command, data: UnsafeRawBufferPointer(start: nil, count: 0), extensions: nil)
        switch try reader.readContainer() {
        case .map(let count):
            for _ in 0..<count {
                switch try reader.readText() {
                case "Index": index = try reader.readInteger()
                case "Term": term = try reader.readInteger()
                case "Type": type = try reader.readInteger()
                case "Data": data = try reader.readBytes() ?? UnsafeRawBufferPointer(start: nil, count: 0)
                case "Extensions": extensions = try reader.readBytes()
                default: try reader.skipValue()
                }
            }
        case .array(let count):
            guard count >= 3 else { throw RaftFormatError("a log entry has \(count) fields, at least 3 are needed") }
            index = try reader.readInteger()
            term = try reader.readInteger()
            type = try reader.readInteger()
            if count > 3 { data = try reader.readBytes() ?? data }
            if count > 4 { extensions = try reader.readBytes() }
        }
        kind = LogEntryHeader.kind(type)
    }
}

/// Reads the parts of msgpack that log entries use, over bytes that may be anything.
private struct MessagePackReader {
    private static let maximumDepth = 16
    private static let maximumElements = 1024

    enum Container {
        case map(Int)
        case array(Int)
    }

    private let content: UnsafeRawBufferPointer
    private var offset = 0

    init(_ content: UnsafeRawBufferPointer) {
        self.content = content
    }

    mutating func readContainer() throws(RaftFormatError) -> Container {
        let tag = try readByte()
        switch tag {
        case 0x80...0x8f: return .map(Int(tag & 15))
        case 0x90...0x9f: return .array(Int(tag & 15))
        case 0xde: return .map(try bounded(readNumber(2)))
        case 0xdc: return .array(try bounded(readNumber(2)))
        default: throw damaged("a map or an array", tag)
        }
    }

    mutating func readText() throws(RaftFormatError) -> String {
        guard let count = try byteCount(readByte()) else { throw damaged("a field name", 0) }
        let text = String(decoding: content[offset..<(offset + count)], as: UTF8.self)
        offset += count
        return text
    }

    /// A byte string, borrowed; `nil` for none.
    mutating func readBytes() throws(RaftFormatError) -> UnsafeRawBufferPointer? {
        let tag = try readByte()
        if tag == 0xc0 { return nil }
        guard let count = try byteCount(tag) else { throw damaged("bytes", tag) }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: content[offset..<(offset + count)])
    }

    mutating func readInteger() throws(RaftFormatError) -> UInt64 {
        let tag = try readByte()
        switch tag {
        case 0x00...0x7f: return UInt64(tag)
        case 0xcc: return try readNumber(1)
        case 0xcd: return try readNumber(2)
        case 0xce: return try readNumber(4)
        case 0xcf: return try readNumber(8)
        case 0xc0: return 0
        default: throw damaged("a number", tag)
        }
    }

    mutating func skipValue(depth: Int = 0) throws(RaftFormatError) {
        guard depth < Self.maximumDepth else { throw damaged("less nesting", 0) }
        let tag = try readByte()
        if let count = try byteCount(tag) {
            offset += count
            return
        }
        switch tag {
        case 0x00...0x7f, 0xe0...0xff, 0xc0, 0xc2, 0xc3: return
        case 0xcc, 0xd0: _ = try readNumber(1)
        case 0xcd, 0xd1: _ = try readNumber(2)
        case 0xce, 0xd2, 0xca: _ = try readNumber(4)
        case 0xcf, 0xd3, 0xcb: _ = try readNumber(8)
        case 0x80...0x8f: try skipValues(2 * Int(tag & 15), depth)
        case 0x90...0x9f: try skipValues(Int(tag & 15), depth)
        case 0xde: try skipValues(2 * bounded(readNumber(2)), depth)
        case 0xdc: try skipValues(bounded(readNumber(2)), depth)
        default: throw damaged("a value", tag)
        }
    }

    private mutating func skipValues(_ count: Int, _ depth: Int) throws(RaftFormatError) {
        for _ in 0..<count { try skipValue(depth: depth + 1) }
    }

    /// The length of the string, binary or extension that `tag` opens, checked against what is left; `nil` for other
    /// tags.
    private mutating func byteCount(_ tag: UInt8) throws(RaftFormatError) -> Int? {
        let count: UInt64
        switch tag {
        case 0xa0...0xbf: count = UInt64(tag & 31)
        case 0xd9, 0xc4: count = try readNumber(1)
        case 0xda, 0xc5: count = try readNumber(2)
        case 0xdb, 0xc6: count = try readNumber(4)
        case 0xd4...0xd8: count = 1 + 1 << UInt64(tag - 0xd4)
        case 0xc7: count = try readNumber(1) + 1
        case 0xc8: count = try readNumber(2) + 1
        case 0xc9: count = try readNumber(4) + 1
        default: return nil
        }
        guard count <= UInt64(content.count - offset) else { throw damaged("the end of a string", tag) }
        return Int(count)
    }

    private func bounded(_ count: UInt64) throws(RaftFormatError) -> Int {
        guard count <= Self.maximumElements else { throw damaged("a smaller container", 0) }
        return Int(count)
    }

    private mutating func readByte() throws(RaftFormatError) -> UInt8 {
        guard offset < content.count else {
            throw RaftFormatError("a log entry ends after \(content.count) \(plural(content.count, "byte"))")
        }
        defer { offset += 1 }
        return content[offset]
    }

    private mutating func readNumber(_ count: Int) throws(RaftFormatError) -> UInt64 {
        var value: UInt64 = 0
        for _ in 0..<count { value = value << 8 | UInt64(try readByte()) }
        return value
    }

    private func damaged(_ wanted: String, _ tag: UInt8) -> RaftFormatError {
        RaftFormatError("byte \(offset): a log entry holds tag \(tag) where \(wanted) belongs")
    }
}
