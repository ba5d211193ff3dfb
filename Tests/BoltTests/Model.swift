@testable import Bolt

/// What a bucket should hold.
struct Model {
    var entries: [(key: [UInt8], value: [UInt8])] = []
    /// In ascending order; names are not among the keys.
    var buckets: [(name: [UInt8], content: Model)] = []
    var sequence: UInt64 = 0
    var mayBeInline = true

    func build(_ name: [UInt8], _ builder: BoltBuilder) throws {
        try builder.beginBucket(name, sequence: sequence, mayBeInline: mayBeInline)
        var pending = buckets[...]
        for (key, value) in entries {
            while let bucket = pending.first, bucket.name.lexicographicallyPrecedes(key) {
                try pending.removeFirst().content.build(bucket.name, builder)
            }
            try builder.add(key, value)
        }
        for bucket in pending { try bucket.content.build(bucket.name, builder) }
        try builder.endBucket()
    }

    func dump(_ name: [UInt8], into out: inout [UInt8]) {
        record(0x62, name, withUnsafeBytes(of: sequence.littleEndian) { [UInt8]($0) }, &out)
        for (key, value) in entries { record(0x65, key, value, &out) }
        for bucket in buckets { bucket.content.dump(bucket.name, into: &out) }
        record(0x78, [], [], &out)
    }
}

extension BoltBuilder {
    func add(_ key: [UInt8], _ value: [UInt8]) throws {
        try key.withUnsafeBytes { key in try value.withUnsafeBytes { try add(key: key, value: $0) } }
    }
}

/// One record of `boltcheck dump`: kind, then key and value, each behind its length.
func record(_ kind: UInt8, _ key: some Collection<UInt8>, _ value: some Collection<UInt8>, _ out: inout [UInt8]) {
    out.append(kind)
    withUnsafeBytes(of: UInt32(key.count).littleEndian) { out.append(contentsOf: $0) }
    out.append(contentsOf: key)
    withUnsafeBytes(of: UInt32(value.count).littleEndian) { out.append(contentsOf: $0) }
    out.append(contentsOf: value)
}

/// The same records from our reader.
func dump(_ reader: BoltReader, bySegments: Bool = false) throws -> [UInt8] {
    var out: [UInt8] = []
    for name in try reader.bucketNames() {
        guard let bucket = try reader.bucket(name) else { throw Boltcheck.Failure(description: "no bucket \(name)") }
        try dump(bucket, name, bySegments, &out)
    }
    return out
}

private func dump(_ bucket: BoltBucket, _ name: [UInt8], _ bySegments: Bool, _ out: inout [UInt8]) throws {
    record(0x62, name, withUnsafeBytes(of: bucket.sequence.littleEndian) { [UInt8]($0) }, &out)
    let inner = try bucket.bucketNames()
    if inner.isEmpty, bySegments {
        var cursor = bucket.makeSegments()
        while let segment = try cursor.next() {
            _ = try segment.visit { key, value in
                record(0x65, key, value, &out)
                return true
            }
        }
    } else if inner.isEmpty {
        try bucket.visit(from: nil, to: nil) { key, value in
            record(0x65, key, value, &out)
            return true
        }
    } else {
        // Entries and buckets mixed are no case for visit, which refuses the buckets.
        var walk = TreeWalk(bucket.file, ScanBudget(bucket.file), upper: nil) { _, _ in true }
        _ = try walk.walk(bucket.topPage(), depth: 1, Window(), lower: nil) { key, value in
            record(0x65, key, value, &out)
            return true
        }
    }
    for name in inner {
        guard let bucket = try bucket.bucket(name) else { throw Boltcheck.Failure(description: "no bucket \(name)") }
        try dump(bucket, name, bySegments, &out)
    }
    record(0x78, [], [], &out)
}
