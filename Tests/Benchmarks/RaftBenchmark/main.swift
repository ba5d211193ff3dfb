import Glibc
import HTTPClient
import RaftClusterBackend
import RaftFormat
import Storage
import Synchronization
import Workers

// Writes entries to a Raft log store over several connections, each command with several puts, and prints what it took; or
// measures for how long no write is acknowledged after the leader was killed.
//
//     RaftBenchmark throughput ADDRESSES CONNECTIONS ENTRIES BATCH BYTES
//     RaftBenchmark probe ADDRESSES SECONDS    a line for each acknowledged write: nanoseconds of the wall clock

/// One connection's commands.
func send(_ client: ClusterClient, _ command: LogCommandWriter) throws {
    _ = try client.perform("POST", "sealift/entries", body: command.bytes)
}

func client(_ addresses: String) -> ClusterClient {
    var settings = ClusterClient.Settings(addresses: addresses.split(separator: ",").map(String.init))
    settings.patience = .seconds(60)
    return ClusterClient(settings)
}

let words = CommandLine.arguments
let clock = ContinuousClock()
switch words.dropFirst().first {
case "throughput" where words.count == 7:
    guard let connections = Int(words[3]), let entries = Int(words[4]), let batch = Int(words[5]),
        let bytes = Int(words[6])
    else { exit(2) }
    let next = Atomic<Int>(0)
    let latencies = Mutex<[Double]>([])
    let begin = clock.now
    try withWorkers(connections) { _ in
        let client = client(words[2])
        let value = [UInt8]((0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        var own: [Double] = []
        while true {
            let start = next.add(batch, ordering: .relaxed).oldValue
            guard start < entries else { break }
            var command = LogCommandWriter()
            for number in start..<min(start + batch, entries) {
                let digits = String(10_000_000_000 + number).dropFirst()
                Array("bench/\(digits)".utf8).withUnsafeBytes { key in
                    value.withUnsafeBytes { command.put(key, $0) }
                }
            }
            let sent = clock.now
            try send(client, command)
            own.append((clock.now - sent) / .milliseconds(1))
        }
        latencies.withLock { $0 += own }
    }
    let seconds = (clock.now - begin) / .seconds(1)
    let sorted = latencies.withLock { $0.sorted() }
    print(
        "{\"entries\":\(entries),\"batch\":\(batch),\"connections\":\(connections),\"seconds\":\(seconds),"
            + "\"entries_per_second\":\(Int(Double(entries) / seconds)),\"median_ms\":\(sorted[sorted.count / 2])}")
case "probe" where words.count == 4:
    let client = client(words[2])
    let end = clock.now + .seconds(Int(words[3]) ?? 10)
    var number = 0
    while clock.now < end {
        number += 1
        var command = LogCommandWriter()
        Array("probe".utf8).withUnsafeBytes { key in Array("\(number)".utf8).withUnsafeBytes { command.put(key, $0) } }
        try send(client, command)
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        print(now.tv_sec * 1_000_000_000 + now.tv_nsec)
    }
default:
    print("usage: RaftBenchmark throughput ADDRESSES CONNECTIONS ENTRIES BATCH BYTES | probe ADDRESSES SECONDS")
    exit(2)
}
