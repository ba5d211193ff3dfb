import Digest
import Migration
import Storage
import TestSupport
import Testing

@Suite struct KeySampleTests {
    @Test(arguments: [
        "", "%", "5", "0%", "0.0%", "0.000000%", "100%", "100.0%", "101%", "-1%", "+1%", "1,5%", "1.%", ".5%", "1.5.5%",
        "1e1%",
        " 1%", "1 %", "1%%", "0.0000001%", "1000%", "١%",
    ])
    func refusesWhatIsNoShare(_ share: String) {
        #expect(KeySample(share: share, seed: "s") == nil)
    }

    @Test(arguments: [
        ("50%", 10_000, 5_000), ("0.5%", 100_000, 500), ("99.9%", 10_000, 9_990), ("12.25%", 20_000, 2_450),
    ])
    func takesTheShare(_ share: String, _ count: Int, _ expected: Int) throws {
        let sample = try #require(KeySample(share: share, seed: "seed"))
        let taken = (0..<count).count { Self.isTaken("logical/\($0)", sample) }
        // Within five standard deviations.
        let spread = 5 * (Double(expected) * (1 - Double(expected) / Double(count))).squareRoot()
        #expect(abs(Double(taken - expected)) < spread, "\(taken)")
    }

    /// What the reference says can be computed elsewhere.
    @Test func isWhatTheReferenceSays() throws {
        let sample = try #require(KeySample(share: "25%", seed: "a:b"))
        for number in 0..<200 {
            let digest = try Array("a:b:sys/\(number)".utf8).withUnsafeBytes { try SHA256Digest.of($0) }.bytes
            #expect(Self.isTaken("sys/\(number)", sample) == (digest[0] < 64))
        }
    }

    @Test(arguments: 1...4)
    func bothSidesAreSampledAlike(seed: Int) throws {
        let entries = sampleEntries(2_000, seed: seed)
        var random = SeededRandom(seed)
        // Missing, extra and different ones, in the sample and out of it.
        var other = entries.filter { _ in random.below(10) != 0 }
        for index in other.indices where random.below(10) == 0 { other[index].value.append(1) }
        let own = entries.filter { _ in random.below(10) != 0 }
        func report(_ scope: KeyScope, ordered: Bool) throws -> (lines: Set<String>, result: StoreCheck.Result) {
            let sides: [any StorageSource] =
                ordered
                ? [try memory(own), try memory(other)]
                : [ScriptedStore.shuffled(own, seed: seed), ScriptedStore.shuffled(other, seed: seed + 9)]
            var lines: Set<String> = []
            let result = try StoreCheck(sides[1], against: .store(sides[0]), scope: scope, context: context()).run {
                lines.insert("\($0.sign)\(escapedKey($1))")
            }
            return (lines, result)
        }
        let sample = try #require(KeySample(share: "20%", seed: "\(seed)"))
        let whole = try report(KeyScope(), ordered: true)
        let expected = whole.lines.filter { line in
            StorageKey(escaped: line.dropFirst().utf8).map { $0.bytes.withUnsafeBytes(sample.contains) } ?? true
        }
        for ordered in [true, false] {
            let part = try report(KeyScope(sample: sample), ordered: ordered)
            #expect(part.lines == expected && !expected.isEmpty)
            #expect(part.result.counts.total == expected.count && part.result.counts.different > 0)
            #expect(part.result.counts.missing > 0 && part.result.counts.extra > 0)
        }
    }

    private static func isTaken(_ key: String, _ sample: KeySample) -> Bool {
        StorageKey(key).bytes.withUnsafeBytes(sample.contains)
    }
}
