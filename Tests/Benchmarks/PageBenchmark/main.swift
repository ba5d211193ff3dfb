// Measures on one thread how fast answers to Scan become batches of entries, in MB of answer a second.
import DynamoDBBackend
import Glibc
import JSON
import Migration
import Storage
import Zlib

/// Numbers that look random, the same in every run.
struct Numbers: RandomNumberGenerator {
    private var state: UInt64 = 88_172_645_463_325_252

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) } }

    mutating func hexadecimal(_ count: Int) -> String {
        let text = String(next() | 1 << 63, radix: 16) + String(next() | 1 << 63, radix: 16)
        return String(text.prefix(count))
    }
}

/// What the service would answer: items of `entryBytes` up to its 1 MB of items, a directory's marker now and then.
func page(entryBytes: Int) -> [UInt8] {
    let maximumBytes = 1 << 20
    let entriesPerDirectory = 100
    var numbers = Numbers()
    var json = JSONWriter()
    var (items, bytes, path, name) = (0, 0, "", "")
    func text(_ member: StaticString, _ text: String) {
        json.name(member)
        json.beginObject()
        json.name("S")
        json.string(text)
        json.endObject()
    }
    json.beginObject()
    json.name("Items")
    json.beginArray()
    while bytes < maximumBytes {
        let isMarker = items % (entriesPerDirectory + 1) == 0
        if isMarker { path = "logical/\(numbers.hexadecimal(32))/\(numbers.hexadecimal(32))/versions" }
        name = isMarker ? "\(numbers.hexadecimal(3))/" : numbers.hexadecimal(32)
        let value = numbers.bytes(isMarker ? 0 : max(entryBytes - path.utf8.count - name.utf8.count, 1))
        json.beginObject()
        text("Path", path)
        text("Key", name)
        json.name("Value")
        json.beginObject()
        json.name(isMarker ? "NULL" : "B")
        if isMarker { json.boolean(true) } else { value.withUnsafeBytes { json.base64($0) } }
        json.endObject()
        json.endObject()
        items += 1
        bytes += path.utf8.count + name.utf8.count + value.count + "PathKeyValue".utf8.count
    }
    json.endArray()
    json.name("Count")
    json.integer(items)
    json.name("ScannedCount")
    json.integer(items)
    json.name("LastEvaluatedKey")
    json.beginObject()
    text("Path", path)
    text("Key", name)
    json.endObject()
    json.name("ConsumedCapacity")
    json.beginObject()
    json.name("TableName")
    json.string("vault-data")
    json.name("CapacityUnits")
    json.double(Double((bytes + 4095) / 4096))
    json.endObject()
    json.endObject()
    return json.bytes
}

/// Runs `work` over and over and prints the median of the rounds' speeds.
func measure(_ title: String, _ bytes: Int, _ work: () throws -> Void) rethrows {
    let clock = ContinuousClock()
    var speeds: [Double] = []
    // The first round is not counted.
    for round in 0..<8 {
        let begin = clock.now
        var repetitions = 0
        while clock.now - begin < .milliseconds(300) {
            try work()
            repetitions += 1
        }
        let seconds = (clock.now - begin) / .seconds(1)
        if round > 0 { speeds.append(Double(bytes * repetitions) / seconds / 1e6) }
    }
    speeds.sort()
    let padded = title + String(repeating: " ", count: max(60 - title.utf8.count, 1))
    print("    \(padded)\(Int(speeds[speeds.count / 2])) MB/s (\(Int(speeds[0]))-\(Int(speeds[speeds.count - 1])))")
}

/// Turns the page into batches and gives them back.
func batch(_ root: JSONNode, _ reader: inout PageReader, _ request: ScanRequest) throws {
    for batch in try reader.batches(of: root, request) {
        precondition(!batch.hasFailedStamp, "a digest fails")
        request.pool.recycle(batch)
    }
}

for entryBytes in [600, 4096] {
    let body = page(entryBytes: entryBytes)
    let parser = try JSONParser()
    var reader = PageReader(location: "benchmark")
    var (plain, stamped) = (ScanRequest(), ScanRequest())
    stamped.pool = BatchPool.digesting(keepsValues: true)
    print("answer to Scan, \(body.count) bytes, entries of \(entryBytes) bytes, one thread:")
    try body.withUnsafeBytes { body in
        measure("crc32", body.count) { precondition(crc32(body) != 1) }
        try measure("parsed", body.count) { _ = try parser.parse(body) }
        try measure("parsed, decoded, batched (budget 200)", body.count) {
            try batch(parser.parse(body), &reader, plain)
        }
        try measure("crc32, parsed, decoded, batched", body.count) {
            precondition(crc32(body) != 1)
            try batch(parser.parse(body), &reader, plain)
        }
        try measure("crc32, parsed, decoded, batched, SHA-256 of the values", body.count) {
            precondition(crc32(body) != 1)
            try batch(parser.parse(body), &reader, stamped)
        }
    }
}
