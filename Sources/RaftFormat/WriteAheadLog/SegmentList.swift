import JSON

/// A segment as `wal-meta.db` lists it (hashicorp/raft-wal `types/segment.go`).
struct SegmentInfo: Sendable, Equatable {
    var id: UInt64 = 0
    /// Index of the first entry that is stored in the file.
    var baseIndex: UInt64 = 0
    /// First index that still counts.
    var minIndex: UInt64 = 0
    /// Last index that counts; means nothing in an unsealed segment.
    var maxIndex: UInt64 = 0
    var codec: UInt64 = 0
    /// Where the array of offsets begins; 0 if there is none.
    var indexStart: UInt64 = 0
    var isSealed = false

    /// The file's name: 20 decimal digits, 16 hexadecimal ones.
    var name: String {
        func padded(_ digits: String, _ count: Int) -> String {
            String(repeating: "0", count: max(count - digits.utf8.count, 0)) + digits
        }
        return "\(padded(String(baseIndex), 20))-\(padded(String(id, radix: 16), 16)).wal"
    }

    /// Whether a file's name is one that a segment can have.
    static func isName(_ name: [UInt8]) -> Bool {
        guard name.count >= 41, name.suffix(4).elementsEqual(".wal".utf8) else { return false }
        let digits = name.dropLast(4).split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard digits.count == 2, digits[0].count >= 20, digits[1].count == 16 else { return false }
        let decimal = UInt8(ascii: "0")...UInt8(ascii: "9")
        return digits[0].allSatisfy { decimal.contains($0) }
            && digits[1].allSatisfy { decimal.contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) }
    }
}

/// The list of segments: the JSON under the key `m` of the bucket `wal-meta`.
enum SegmentList {
    /// No log has an index beyond; room for arithmetic.
    private static let greatestIndex = UInt64(1) << 62

    /// Reads the list and holds it against what a list can be.
    static func read(_ text: UnsafeRawBufferPointer) throws(RaftFormatError) -> [SegmentInfo] {
        let parsed = Result { try parse(text) }
        let segments: [SegmentInfo]
        switch parsed {
        case .success(let found): segments = found
        case .failure(let error as RaftFormatError): throw error
        case .failure(let error): throw unreadable("\(error)")
        }
        try check(segments)
        return segments
    }

    private static func unreadable(_ reason: String) -> RaftFormatError {
        RaftFormatError("the list of segments is unreadable (\(reason))")
    }

    private static func parse(_ text: UnsafeRawBufferPointer) throws -> [SegmentInfo] {
        let parser = try JSONParser()
        let root = try parser.parse(text)
        guard let list = root["Segments"] else { throw unreadable("it has no \"Segments\"") }
        guard list.kind == .array || list.kind == .null else { throw unreadable("\"Segments\" is no list") }
        return try list.elements.map { try segment($0) }
    }

    private static func segment(_ node: JSONNode) throws(RaftFormatError) -> SegmentInfo {
        guard node.kind == .object else { throw unreadable("a segment is no object") }
        func number(_ name: StaticString) throws(RaftFormatError) -> UInt64 {
            guard let value = node[name], value.kind != .null else { return 0 }
            guard let number = value.natural else { throw unreadable("\(name) is no whole number") }
            return number
        }
        var info = SegmentInfo()
        info.id = try number("ID")
        info.baseIndex = try number("BaseIndex")
        info.minIndex = try number("MinIndex")
        info.maxIndex = try number("MaxIndex")
        info.codec = try number("Codec")
        info.indexStart = try number("IndexStart")
        if let time = node["SealTime"], time.kind != .null {
            guard time.kind == .string, let isZero = isZeroTime(Array(time.bytes)) else {
                throw unreadable("SealTime is no time")
            }
            info.isSealed = !isZero
        }
        return info
    }

    /// Whether a time of RFC 3339 is the beginning of the year 1 in UTC, Go's zero time; `nil` if it is none.
    static func isZeroTime(_ text: [UInt8]) -> Bool? {
        func digits(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= text.count else { return nil }
            return text[range].reduce(Int?.some(0)) { sum, byte in
                guard let sum, byte >= 0x30, byte <= 0x39 else { return nil }
                return sum * 10 + Int(byte - 0x30)
            }
        }
        guard text.count >= 20, text.count <= 64, let year = digits(0..<4), let month = digits(5..<7),
            let day = digits(8..<10), let hour = digits(11..<13), let minute = digits(14..<16),
            let second = digits(17..<19), text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] == UInt8(ascii: "T"), text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60
        else { return nil }
        var rest = text[19...]
        var hasFraction = false
        if rest.first == UInt8(ascii: ".") {
            let fraction = rest.dropFirst().prefix { $0 >= 0x30 && $0 <= 0x39 }
            guard !fraction.isEmpty else { return nil }
            hasFraction = fraction.contains { $0 != 0x30 }
            rest = rest[fraction.endIndex...]
        }
        var offset = 0
        if rest.count == 6, let hours = digits(rest.startIndex + 1..<rest.startIndex + 3),
            let minutes = digits(rest.startIndex + 4..<rest.startIndex + 6),
            rest[rest.startIndex + 3] == UInt8(ascii: ":"), hours < 24, minutes < 60
        {
            guard let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
            offset = (sign == UInt8(ascii: "-") ? -1 : 1) * (hours * 60 + minutes)
        } else if Array(rest) != [UInt8(ascii: "Z")] {
            return nil
        }
        // Only the last day of the year 0 and the first of the year 1 are near enough for an offset to matter.
        let isFirst = year == 1 && month == 1 && day == 1
        let isLast = year == 0 && month == 12 && day == 31
        let minutes = (isLast ? -1440 : 0) + hour * 60 + minute - offset
        return (isFirst || isLast) && minutes == 0 && second == 0 && !hasFraction
    }

    private static func check(_ segments: [SegmentInfo]) throws(RaftFormatError) {
        var expected: UInt64?
        for (place, segment) in segments.enumerated() {
            func refuse(_ reason: String) -> RaftFormatError { RaftFormatError("\(segment.name): \(reason)") }
            guard segment.codec == 1 else {
                throw refuse("codec \(segment.codec) is unknown: it was written by another program")
            }
            guard segment.isSealed || place == segments.count - 1 else {
                throw refuse("there is more than one open segment: it is unsealed and not the last")
            }
            guard segment.baseIndex >= 1, segment.minIndex >= segment.baseIndex, segment.minIndex <= greatestIndex,
                !segment.isSealed || (segment.maxIndex >= segment.minIndex && segment.maxIndex <= greatestIndex)
            else { throw refuse("wal-meta.db gives it impossible bounds") }
            if let expected, segment.baseIndex != expected || segment.minIndex != expected {
                guard segment.baseIndex > expected else {
                    throw refuse("it begins at \(segment.minIndex), \(expected) is expected")
                }
                let lost = EntrySpan(expected, segment.baseIndex - 1)
                throw refuse("\(lost) \(lost.choose("is", "are")) missing in front of it")
            }
            // The MaxIndex of an open one means nothing and may be any number; it is the last anyway.
            expected = segment.isSealed ? segment.maxIndex + 1 : nil
        }
    }
}
