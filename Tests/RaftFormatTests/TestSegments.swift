import Bolt
import Foundation
import RaftFormat

/// Writes segments of a write-ahead log byte by byte, right ones and others.
struct TestSegment {
    let base: UInt64
    let id: UInt64
    private(set) var bytes: [UInt8]
    private(set) var offsets: [UInt32] = []
    private var batchStart = 0

    init(base: UInt64, id: UInt64) {
        self.base = base
        self.id = id
        bytes = []
        for number in [0x58eb_6b0d, base, id, 1] as [UInt64] { Self.append(number, to: &bytes) }
    }

    /// Index of the entry that comes next.
    var next: UInt64 { base + UInt64(offsets.count) }

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    mutating func frame(_ type: UInt8, _ payload: [UInt8]) {
        bytes += [type, 0, 0, 0]
        Self.append(UInt32(payload.count), to: &bytes)
        bytes += payload
        bytes += [UInt8](repeating: 0, count: (8 - payload.count % 8) % 8)
    }

    /// An entry of the next index.
    mutating func entry(_ data: [UInt8], term: UInt64 = 1) {
        offsets.append(UInt32(bytes.count))
        frame(1, Self.content(base + UInt64(offsets.count) - 1, term, data))
    }

    mutating func rawEntry(_ payload: [UInt8]) {
        offsets.append(UInt32(bytes.count))
        frame(1, payload)
    }

    static func content(_ index: UInt64, _ term: UInt64, _ data: [UInt8]) -> [UInt8] {
        var payload: [UInt8] = []
        func varint(_ number: UInt64) {
            var rest = number
            while rest >= 0x80 {
                payload.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            payload.append(UInt8(rest))
        }
        for number in [index, term, 0, UInt64(data.count)] { varint(number) }
        payload += data
        varint(0)
        return payload + [1] + [UInt8](repeating: 0, count: 12) + [0xff, 0xff]
    }

    /// - Returns: Where its elements begin.
    @discardableResult
    mutating func array() -> Int {
        let start = bytes.count + 8
        var payload: [UInt8] = []
        for offset in offsets { Self.append(offset, to: &payload) }
        frame(2, payload)
        return start
    }

    mutating func commit(isRight: Bool = true) {
        var checksum = CRC32C()
        bytes[batchStart...].withUnsafeBytes { checksum.update($0) }
        bytes += [3, 0, 0, 0]
        Self.append(isRight ? checksum.value : ~checksum.value, to: &bytes)
        batchStart = bytes.count
    }

    mutating func raw(_ more: [UInt8]) { bytes += more }

    var name: String { Self.name(base, id) }

    static func name(_ base: UInt64, _ id: UInt64) -> String {
        let (decimal, digits) = (String(base), String(id, radix: 16))
        return String(repeating: "0", count: 20 - decimal.count) + decimal + "-"
            + String(repeating: "0", count: 16 - digits.count) + digits + ".wal"
    }

    /// The segment's line in the list.
    ///
    /// - Parameters:
    ///   - last: Last index that counts, of a sealed one.
    ///   - start: Where the array begins.
    func listed(min: UInt64? = nil, last: UInt64? = nil, start: Int = 0, sealTime: String? = nil) -> String {
        let time = sealTime ?? (last == nil ? "0001-01-01T00:00:00Z" : "2026-11-28T19:41:30.87936+02:00")
        return
            "{\"ID\":\(id),\"BaseIndex\":\(base),\"MinIndex\":\(min ?? base),\"MaxIndex\":\(last ?? 0),\"Codec\":1,"
            + "\"IndexStart\":\(start),\"CreateTime\":\"2026-11-28T19:41:30Z\","
            + "\"SealTime\":\"\(time)\",\"SizeLimit\":4096}"
    }
}

/// A folder `wal` of segments.
enum TestLogFolder {
    /// - Parameter list: The JSON of the list; `nil` for none.
    static func write(_ folder: String, _ segments: [TestSegment], list: String?) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let builder = try BoltBuilder(path: "\(folder)/wal-meta.db")
        try builder.beginBucket(Array("stable".utf8))
        try builder.endBucket()
        try builder.beginBucket(Array("wal-meta".utf8))
        if let list {
            try Array("m".utf8).withUnsafeBytes { key in
                try Array(list.utf8).withUnsafeBytes { try builder.add(key: key, value: $0) }
            }
        }
        try builder.endBucket()
        try builder.finish()
        for segment in segments { try Data(segment.bytes).write(to: URL(filePath: "\(folder)/\(segment.name)")) }
    }

    static func list(_ segments: [String]) -> String {
        "{\"NextSegmentID\":99,\"Segments\":[\(segments.joined(separator: ","))]}"
    }
}
