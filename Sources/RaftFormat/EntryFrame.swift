/// Entries one behind the other as the state of a snapshot has them: a varint with the length, then protobuf `StorageEntry`
/// with 1 key and 2 value (Vault 1.14 `physical/raft/snapshot.go`, `sdk/plugin/pb/backend.proto`).
package enum EntryFrame {
    /// Bytes of an entry's frame.
    package static func count(key: Int, value: Int) -> Int {
        let content = content(key, value)
        return varintBytes(content) + content
    }

    private static func content(_ key: Int, _ value: Int) -> Int {
        let keyField = key == 0 ? 0 : 1 + varintBytes(key) + key
        let valueField = value == 0 ? 0 : 1 + varintBytes(value) + value
        return keyField + valueField
    }

    package static func append(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to bytes: inout [UInt8]
    ) {
        bytes.append(varint: UInt64(content(key.count, value.count)))
        if !key.isEmpty { bytes.append(field: 0x0a, key) }
        if !value.isEmpty { bytes.append(field: 0x12, value) }
    }

    /// A frame that is no entry, which stands for something else to those who know it: field 1000.
    package static func append(record: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(varint: UInt64(2 + varintBytes(record.count) + record.count))
        bytes.append(varint: 1000 << 3 | 2)
        bytes.append(varint: UInt64(record.count))
        bytes.append(contentsOf: record)
    }

    /// One frame; bytes are borrowed.
    package enum Content {
        case entry(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)
        case record(UnsafeRawBufferPointer)
    }

    /// Reads the frame that the bytes begin with.
    ///
    /// - Parameter most: Bytes that a frame may have.
    /// - Returns: The frame and how many bytes it takes; `nil` if it is not there whole.
    package static func next(
        in bytes: UnsafeRawBufferPointer, most: Int
    ) throws(RaftFormatError) -> (Content, count: Int)? {
        var head = RawFields(bytes)
        guard let length = try head.readVarint(orEnd: true) else { return nil }
        guard let count = Int(exactly: length), count <= most else {
            throw RaftFormatError("an entry of \(length) bytes is larger than any can be")
        }
        let start = head.offset
        guard count <= bytes.count - start else { return nil }
        var key = UnsafeRawBufferPointer(start: nil, count: 0)
        var value = key
        var record: UnsafeRawBufferPointer?
        var fields = RawFields(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)]))
        while let field = try fields.next() {
            switch field {
            case .bytes(1, let bytes): key = bytes
            case .bytes(2, let bytes): value = bytes
            case .bytes(1000, let bytes): record = bytes
            default: break
            }
        }
        return (record.map { .record($0) } ?? .entry(key: key, value: value), start + count)
    }
}
