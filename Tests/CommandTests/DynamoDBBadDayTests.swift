import Foundation
import Testing

/// Whole migrations from one table into another while both services misbehave, from a seed.
@Suite struct DynamoDBBadDayTests {
    private static let faults =
        "throttle=0.2,http500=0.05,drop=0.02,truncate=0.02,crc=0.02,unprocessed=0.05,slow=0.02,slow-ms=20"

    /// What every run reads.
    private static let items = TableItems.many(400, seed: 71).text

    private struct Result: Decodable {
        struct Service: Decodable {
            var retries: Int
            var throttles: Int
        }

        var keyspace_digest: String
        var entries: Int
        var proven: Int
        var source_service: Service
        var destinations: [Destination]

        struct Destination: Decodable {
            var service: Service
        }
    }

    @Test(arguments: 1...10)
    func nothingIsLostOnABadDay(_ decade: Int) throws {
        let sandbox = try Sandbox()
        let items = try sandbox.write("items.jsonl", Self.items)
        let reference = try PracticeServer(sandbox, ["-import", items])
        let digest = try sandbox.digest(of: reference.store())
        for seed in (decade * 5 - 4)...(decade * 5) {
            let source = try PracticeServer(sandbox, ["-import", items, "-fault", "\(Self.faults),seed=\(seed)"])
            let destination = try PracticeServer(sandbox, ["-fault", "\(Self.faults),seed=\(seed + 1000)"])
            let configuration = try sandbox.configuration(
                source.store(), destination.store("copy", ["create_table": "on-demand"]), name: "day-\(seed).hcl")
            let outcome = try sandbox.migrate(configuration, ["-format=json", "-max-parallel=16"])
            try #require(outcome.code == 0, "seed \(seed): \(outcome.errors)")
            let last = try #require(outcome.outputLines.last)
            let result = try JSONDecoder().decode(Result.self, from: Data(last.utf8))
            #expect(result.keyspace_digest == digest, "seed \(seed)")
            #expect(result.proven == result.entries && result.entries == 402, "seed \(seed)")
            let service = try #require(result.destinations.first).service
            #expect(service.retries > 0 && service.throttles > 0, "seed \(seed)")
            let counts = try destination.counts()
            #expect(counts.faults.values.reduce(0, +) > 10, "seed \(seed): \(counts.faults)")
        }
    }
}
