import TestSupport
import Testing

/// The node of hashicorp/raft in `Tests/raftpeer`, which other tests and benchmarks trust.
@Suite struct RaftPeerTests {
    @Test func itsOwnTestsPass() throws {
        try GoProgram.raftpeer.runOwnTests()
    }

    @Test func threeOfThemHoldTheSameAfterALoad() throws {
        let output = try GoProgram.raftpeer.run(
            "bench", "throughput", "-entries", "1000", "-value-bytes", "100", "-multiplier", "0.2")
        #expect(output.contains(#""entries":1000,"#), "\(output)")
    }

    @Test func threeOfThemLoseNoAcknowledgedWriteWithTheirLeader() throws {
        let output = try GoProgram.raftpeer.run("bench", "failover", "-rounds", "2", "-multiplier", "0.2")
        #expect(output.contains(#""rounds":2,"#) && output.contains(#""acknowledged_but_lost":0}"#), "\(output)")
    }
}
