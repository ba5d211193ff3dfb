import Storage
import Testing

@testable import Barrier

/// Terms are told from what stands in clear before a value.
@Suite struct KeyTermTests {
    private func tally(_ entries: [(String, [UInt8])]) -> KeyTermTally {
        var tally = KeyTermTally()
        for (key, value) in entries {
            Array(key.utf8).withUnsafeBytes { key in value.withUnsafeBytes { tally.count($0, of: key) } }
        }
        return tally
    }

    private func value(_ term: UInt32, version: UInt8 = 2, count: Int = 42) -> [UInt8] {
        let head = (0..<4).map { UInt8(truncatingIfNeeded: term >> UInt32(24 - 8 * $0)) } + [version]
        return head + [UInt8](repeating: 7, count: max(count - 5, 0))
    }

    @Test func entriesAreCountedByTerm() {
        let counts = tally([
            ("core/keyring", value(1, count: 435)), ("core/master", value(2, count: 147)),
            ("core/shamir-kek", value(1, count: 65)), ("logical/a", value(2)), ("sys/policy/p", value(1, version: 1)),
            ("core/seal-config", Array("{\"type\":\"shamir\",\"secret_shares\":5,\"secret_threshold\":3}".utf8)),
        ])
        #expect(counts.terms == [.init(term: 1, entries: 3), .init(term: 2, entries: 2)])
        #expect(counts.withoutTerm == 1 && counts.ofOtherTerms == 0)
    }

    @Test func onlyTheFormOfTheBarrierCounts() {
        let others: [(String, [UInt8])] = [
            ("a", []), ("b", value(1, count: 32)), ("c", value(0)), ("d", value(1, version: 0)),
            ("e", value(1, version: 3)), ("core/hsm/barrier-unseal-keys", value(0x0a4c_0102)),
            ("core/recovery-key", value(0x0a4c_0102)), ("f", [1, 0, 0, 0]),
        ]
        #expect(tally(others).terms.isEmpty && tally(others).withoutTerm == others.count)
        #expect(tally([("a", value(1, count: 33))]).terms == [.init(term: 1, entries: 1)])
    }

    @Test func moreTermsThanAServerHasAreCountedTogether() {
        var all = tally((1...1000).map { ("k\($0)", value($0)) })
        #expect(all.terms.count == 64 && all.ofOtherTerms == 936)
        all.add(tally([("x", value(3)), ("y", value(5000))]))
        #expect(all.terms[2] == .init(term: 3, entries: 2) && all.terms.count == 64 && all.ofOtherTerms == 937)
    }
}
