import Storage

/// How a journal keeps the description of its partitions: for each one byte that says what follows, then that.
///
/// | First byte | What follows, little-endian |
/// | --- | --- |
/// | 0 | a range without bounds |
/// | 1, 2, 3 | a range with a lower bound (1), an upper one (2) or both: the size of each, u32, and its bytes |
/// | 4 | a segment: its index and the number of segments, u32 each |
enum PartitionList {
    static func encoded(_ partitions: [StoragePartition]) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ number: Int) {
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: number).littleEndian) { bytes += $0 }
        }
        for partition in partitions {
            if let segment = partition.segment {
                bytes.append(4)
                append(segment.index)
                append(segment.count)
                continue
            }
            bytes.append((partition.lower == nil ? 0 : 1) | (partition.upper == nil ? 0 : 2))
            for bound in [partition.lower, partition.upper].compactMap(\.self) {
                append(bound.bytes.count)
                bytes += bound.bytes
            }
        }
        return bytes
    }

    /// - Returns: `nil` for bytes that no list makes.
    static func decoded(_ bytes: [UInt8]) -> [StoragePartition]? {
        var partitions: [StoragePartition] = []
        var rest = bytes[...]
        func number() -> Int? {
            guard rest.count >= 4 else { return nil }
            defer { rest = rest.dropFirst(4) }
            return rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        func key() -> StorageKey? {
            guard let count = number(), rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return StorageKey(Array(rest.prefix(count)))
        }
        while let kind = rest.popFirst() {
            switch kind {
            case 0...3:
                let lower = kind & 1 == 0 ? nil : key()
                let upper = kind & 2 == 0 ? nil : key()
                guard (lower != nil) == (kind & 1 != 0), (upper != nil) == (kind & 2 != 0) else { return nil }
                partitions.append(StoragePartition(from: lower, to: upper))
            case 4:
                guard let index = number(), let count = number(), index < count else { return nil }
                partitions.append(.segment(index, of: count))
            default: return nil
            }
        }
        return partitions
    }
}
