/// A member of a tar archive.
package struct TarMember: Sendable, Equatable {
    package let name: String
    /// Bytes of its content.
    package let size: Int
}

/// Takes a tar archive apart that comes piece by piece: POSIX ustar with PAX records for size and name, GNU's long
/// names, and sizes in base 256 (POSIX.1-2017 pax; GNU tar manual, "Extensions to the Archive Format").
///
/// | Offset | Bytes | Field of a header |
/// | --- | --- | --- |
/// | 0 | 100 | name |
/// | 124 | 12 | size, octal digits; or the top bit and a number of 12 bytes |
/// | 148 | 8 | checksum: the sum of all bytes, its own as spaces |
/// | 156 | 1 | type: `0` or zero a file, `x` and `g` PAX records, `L` and `K` a long name |
/// | 345 | 155 | folder of the name |
struct TarStream {
    static let blockBytes = 512
    /// Records before a member, bytes; and headers in a row that announce no member.
    private static let mostRecordBytes = 64 << 10
    private static let mostRecords = 16

    private enum State {
        case header
        case records(type: UInt8, left: Int)
        case content(left: Int)
        case padding(left: Int)
        case ended
    }

    private var state = State.header
    private var block: [UInt8] = []
    private var records: [UInt8] = []
    private var recordCount = 0
    /// What follows the content or the records at hand.
    private var padding = 0
    private var longName: String?
    private var longSize: Int?
    private var hasEmptyBlock = false
    private var isInMember = false
    /// Bytes behind the mark of the end that are not zero.
    private(set) var strayBytes = 0

    /// Whether the archive may end here: behind its mark, or between two members.
    var mayEnd: Bool {
        switch state {
        case .ended: true
        case .header: block.isEmpty && recordCount == 0
        default: false
        }
    }

    /// Whether the mark of its end was read.
    var isEnded: Bool { if case .ended = state { true } else { false } }

    init() { block.reserveCapacity(Self.blockBytes) }

    /// Takes the next bytes.
    ///
    /// - Parameters:
    ///   - begin: Told of a member.
    ///   - content: Is given its bytes, borrowed; `false` ends the reading.
    ///   - end: Told that the member is whole.
    /// - Returns: `false` once `content` wants no more.
    /// - Throws: ``SnapshotDefect`` for what is no tar archive, and what the others throw.
    mutating func take(
        _ bytes: UnsafeRawBufferPointer, begin: (TarMember) throws -> Void,
        content: (UnsafeRawBufferPointer) throws -> Bool, end: () throws -> Void
    ) throws -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            switch state {
            case .ended:
                strayBytes += rest.reduce(0) { $0 + ($1 == 0 ? 0 : 1) }
                return true
            case .header:
                let piece = Self.cut(&rest, Self.blockBytes - block.count)
                block.append(contentsOf: piece)
                if block.count == Self.blockBytes { try readHeader(begin) }
            case .records(let type, let left):
                let piece = Self.cut(&rest, left)
                records.append(contentsOf: piece)
                state = .records(type: type, left: left - piece.count)
            case .content(let left):
                let piece = Self.cut(&rest, left)
                state = .content(left: left - piece.count)
                guard try content(piece) else { return false }
            case .padding(let left):
                state = .padding(left: left - Self.cut(&rest, left).count)
            }
            try settle(end)
        }
        return true
    }

    /// Leaves states in which nothing more is to come.
    private mutating func settle(_ end: () throws -> Void) throws {
        switch state {
        case .records(let type, 0):
            try readRecords(type)
            state = .padding(left: padding)
        case .content(0):
            state = .padding(left: padding)
        default: break
        }
        if case .padding(0) = state {
            state = .header
            if isInMember {
                isInMember = false
                try end()
            }
        }
    }

    private static func cut(_ rest: inout UnsafeRawBufferPointer, _ most: Int) -> UnsafeRawBufferPointer {
        let count = min(most, rest.count)
        defer { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
        return UnsafeRawBufferPointer(rebasing: rest[..<count])
    }

    private mutating func readHeader(_ begin: (TarMember) throws -> Void) throws {
        defer { block.removeAll(keepingCapacity: true) }
        if block.allSatisfy({ $0 == 0 }) {
            if hasEmptyBlock { state = .ended } else { hasEmptyBlock = true }
            return
        }
        guard !hasEmptyBlock, Self.isHeader(block) else {
            throw SnapshotDefect(.damaged, "a header of the tar archive within is damaged. \(Self.advice)")
        }
        guard let size = Self.number(block[124..<136]) else {
            throw SnapshotDefect(.damaged, "a size in the tar archive within cannot be. \(Self.advice)")
        }
        let type = block[156]
        switch type {
        case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"):
            recordCount += 1
            guard size > 0, size <= Self.mostRecordBytes, recordCount <= Self.mostRecords else {
                throw SnapshotDefect(.damaged, "the tar archive within has records that cannot be. \(Self.advice)")
            }
            records.removeAll(keepingCapacity: true)
            padding = Self.padding(of: size)
            state = .records(type: type, left: size)
        case UInt8(ascii: "0"), 0:
            let member = TarMember(name: longName ?? Self.name(block), size: longSize ?? size)
            (longName, longSize, recordCount) = (nil, nil, 0)
            padding = Self.padding(of: member.size)
            isInMember = true
            state = .content(left: member.size)
            try begin(member)
        default:
            throw SnapshotDefect(
                .foreignMember,
                "the tar archive within has a folder, a link or another thing that is no file. Servers refuse it: "
                    + "\(Self.repack)"
            )
        }
    }

    static let advice = "Take a new snapshot, or another copy."
    static let repack =
        "pack the four files alone: tar -czf new.snap meta.json state.bin SHA256SUMS SHA256SUMS.sealed."

    private static func padding(of size: Int) -> Int { (blockBytes - size % blockBytes) % blockBytes }

    /// Whether a block is a header, by its checksum, which some old programs have added up from signed bytes.
    static func isHeader(_ block: some RandomAccessCollection<UInt8>) -> Bool {
        let block = Array(block)
        guard block.count == blockBytes, let stated = number(block[148..<156]) else { return false }
        var (sum, signed) = (8 * 0x20, 8 * 0x20)
        for (place, byte) in block.enumerated() where !(148..<156).contains(place) {
            sum += Int(byte)
            signed += Int(Int8(bitPattern: byte))
        }
        return stated == sum || stated == signed
    }

    /// A number in octal digits, or in base 256; `nil` for anything else, and for a negative one.
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        if let first = field.first, first & 0x80 != 0 {
            guard first & 0x40 == 0 else { return nil }
            var value = Int(first & 0x3f)
            for byte in field.dropFirst() {
                guard value <= Int.max >> 8 else { return nil }
                value = value << 8 | Int(byte)
            }
            // A padded end would overflow what follows.
            return value <= Int.max - blockBytes ? value : nil
        }
        let isFiller = { (byte: UInt8) in byte == 0x20 || byte == 0 }
        let trimmed = field.drop(while: isFiller)
        let digits = trimmed.prefix { !isFiller($0) }
        guard trimmed.dropFirst(digits.count).allSatisfy(isFiller), digits.allSatisfy({ (0x30...0x37).contains($0) })
        else { return nil }
        return digits.reduce(0) { $0 << 3 | Int($1 & 7) }
    }

    private static func name(_ block: [UInt8]) -> String {
        let name = text(block[0..<100])
        // GNU's own headers ("ustar  ") have other fields at the folder's place.
        guard block[257..<263].elementsEqual(Array("ustar\0".utf8)) else { return name }
        let folder = text(block[345..<500])
        return folder.isEmpty ? name : "\(folder)/\(name)"
    }

    private static func text(_ field: some Sequence<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }

    private mutating func readRecords(_ type: UInt8) throws {
        switch type {
        case UInt8(ascii: "L"): longName = Self.text(records)
        case UInt8(ascii: "x"): try readPAX()
        default: break
        }
    }

    /// Records `<bytes of the record> <name>=<value>\n`.
    private mutating func readPAX() throws {
        func damaged() -> SnapshotDefect {
            SnapshotDefect(.damaged, "a PAX record of the tar archive within is damaged. \(Self.advice)")
        }
        var rest = records[...]
        while !rest.isEmpty {
            guard let space = rest.prefix(20).firstIndex(of: 0x20),
                let count = Int(String(decoding: rest[..<space], as: UTF8.self)), count > space - rest.startIndex + 1,
                count <= rest.count
            else { throw damaged() }
            let record = rest[(space + 1)..<(rest.startIndex + count)]
            rest = rest.dropFirst(count)
            guard record.last == 0x0a, let equals = record.firstIndex(of: UInt8(ascii: "=")) else { throw damaged() }
            let value = String(decoding: record[(equals + 1)...].dropLast(), as: UTF8.self)
            switch String(decoding: record[..<equals], as: UTF8.self) {
            case "size":
                guard let size = Int(value), size >= 0, size <= Int.max - Self.blockBytes else { throw damaged() }
                longSize = size
            case "path": longName = value
            default: break
            }
        }
    }
}
