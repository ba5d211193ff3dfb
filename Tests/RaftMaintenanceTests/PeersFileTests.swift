import RaftFormat
import TestSupport
import Testing

@testable import RaftMaintenance

/// `peers.json` as servers read and write it.
@Suite struct PeersFileTests {
    static let servers = [
        ClusterServer(id: "node1", address: "10.0.0.1:8201"),
        ClusterServer(suffrage: .nonvoter, id: "a \"b\"\\\n\u{e9}", address: "[fd00::1]:8201"),
    ]

    @Test func whatIsWrittenIsRead() throws {
        #expect(try PeersFile.servers(PeersFile.bytes(for: Self.servers)) == Self.servers)
    }

    @Test func namesOfFieldsStandInAnyCaseAndOthersArePassedOver() throws {
        let text = #"[{"ID":"a","Address":"b:1","extra":[1,{}]},{"id":"c","address":"d:2","non_voter":true}]"#
        let read = try PeersFile.servers(Array(text.utf8))
        #expect(
            read == [
                ClusterServer(id: "a", address: "b:1"), ClusterServer(suffrage: .nonvoter, id: "c", address: "d:2"),
            ])
    }

    @Test func anyBytesAreServersOrAProblem() throws {
        let whole = PeersFile.bytes(for: Self.servers)
        for count in 0..<(whole.count - 1) {
            #expect(throws: PeersFile.Problem.self) { try PeersFile.servers(Array(whole[..<count])) }
        }
        var random = SeededRandom(fuzz: 42)
        for _ in 0..<Effort.rounds(2_000) {
            do throws(PeersFile.Problem) {
                #expect(try !PeersFile.servers(random.mutated(whole)).isEmpty)
            } catch {
                #expect(!error.text.isEmpty)
            }
        }
    }

    @Test(arguments: [
        ("10.0.0.1:8201", PeerAddress.Verdict.usable), ("vault-0.vault-internal:8201", .usable),
        ("[fd00::1]:8201", .usable),
    ])
    func addressesThatNodesCanDialAreTaken(_ text: String, _ verdict: PeerAddress.Verdict) {
        #expect(PeerAddress.judge(text) == verdict)
    }

    @Test(arguments: [
        "", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:99999", ":8201", "0.0.0.0:8201", "[::]:8201",
        "fd00::1:8201",
        "a:1/x", "a:1?x", "a:1#x", "u@a:1", "https://a:1", "a b:1", "*.a:1", "${HOST}:8201", "a\n:1",
    ])
    func whatNobodyCanDialIsNot(_ text: String) {
        guard case .unusable(let reason) = PeerAddress.judge(text) else {
            Issue.record("\(text) was taken")
            return
        }
        #expect(!reason.isEmpty)
    }

    @Test(arguments: ["127.0.0.1:8201", "localhost:8201", "[::1]:8201", "127.1.2.3:1"])
    func loopbackIsForPractice(_ text: String) {
        guard case .practiceOnly = PeerAddress.judge(text) else {
            Issue.record("\(text): \(PeerAddress.judge(text))")
            return
        }
    }
}
