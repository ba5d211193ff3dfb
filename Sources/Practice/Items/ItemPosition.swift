/// Where an item lies in its table: bytes whose order is the order of a Scan.
///
/// Hash of the partition key (8 bytes, big-endian), length of the partition key (2 bytes, big-endian), partition key,
/// sort key. Items of one partition key are together, ordered by sort key: strings and binaries by their bytes, numbers
/// by value.
struct ItemPosition: Hashable, Sendable {
    /// Longest partition and sort key (Developer Guide, "Quotas: Partition keys and sort keys").
    static let maximumPartitionKeyBytes = 2048
    static let maximumSortKeyBytes = 1024

    let bytes: [UInt8]

    /// The place of the item with these key values; both must have been checked.
    init(partition: AttributeValue, sort: AttributeValue?) {
        bytes = Self.prefix(partition) + (sort.map(Self.sortable) ?? [])
    }

    /// What the places of all items of one partition key begin with.
    static func prefix(_ partition: AttributeValue) -> [UInt8] {
        let key = sortable(partition)
        let hash = hash(key)
        return (0..<8).map { UInt8(truncatingIfNeeded: hash >> UInt64(56 - 8 * $0)) }
            + [UInt8(truncatingIfNeeded: key.count >> 8), UInt8(truncatingIfNeeded: key.count)] + key
    }

    /// Bytes of a key value, in the order of the values.
    static func sortable(_ value: AttributeValue) -> [UInt8] {
        switch value {
        case .string(let bytes), .binary(let bytes): bytes
        case .number(let number): number.sortableBytes
        default: []
        }
    }

    /// The first place of a segment: segments divide the hashes evenly. Empty for segment 0.
    static func lowerBound(ofSegment segment: Int, of total: Int) -> [UInt8] {
        guard segment > 0, segment < total else { return [] }
        let bound = UInt64(total).dividingFullWidth((high: UInt64(segment), low: 0)).quotient
        return (0..<8).map { UInt8(truncatingIfNeeded: bound >> UInt64(56 - 8 * $0)) }
    }

    /// The first bytes behind all that begin with `prefix`; `nil` if there are none.
    static func end(ofPrefix prefix: [UInt8]) -> [UInt8]? {
        var end = prefix
        while let last = end.popLast() {
            if last < 0xff { return end + [last + 1] }
        }
        return nil
    }

    /// FNV-1a with a final mix, so that keys which differ in their last byte only lie far apart.
    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0100_0000_01b3 }
        hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ (hash >> 33)
    }
}
