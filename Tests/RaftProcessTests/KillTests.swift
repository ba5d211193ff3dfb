import Foundation
import OpenBaoTestKit
import TestSupport
import Testing

extension RaftProcessTests {
    @Test func leadersAreKilledAgainAndAgainAndNothingAcknowledgedIsLost() throws {
        let cluster = try ProcessCluster.three.get()
        let load = ClientLoad("leaders")
        try load.begin(4, on: cluster.addresses)
        for _ in 0..<(Effort.isThorough ? 40 : 4) {
            try load.go(on: 40)
            let leader = try cluster.leader()
            cluster.nodes.kill(leader)
            try load.go(on: 40)
            try cluster.nodes.start(leader)
        }
        try load.go(on: 40)
        try load.end(on: cluster.addresses)
        try cluster.expectSame()
    }

    @Test func twoOfFiveAreKilledAtOnce() throws {
        let cluster = try ProcessCluster(5)
        defer { cluster.end() }
        let load = ClientLoad("five")
        try load.begin(4, on: cluster.addresses)
        for round in 0..<(Effort.isThorough ? 20 : 2) {
            try load.go(on: 40)
            let leader = try cluster.leader()
            let other = cluster.others(leader)[round % 4]
            cluster.nodes.kill(leader)
            cluster.nodes.kill(other)
            try load.go(on: 40)
            try cluster.nodes.start(other)
            try cluster.nodes.start(leader)
        }
        try load.end(on: cluster.addresses)
        try cluster.expectSame()
    }

    @Test func aLeaderThatWasPausedReadsNothingStale() throws {
        let cluster = try ProcessCluster.three.get()
        let load = ClientLoad("pauses")
        try load.begin(3, on: cluster.addresses)
        for _ in 0..<(Effort.isThorough ? 20 : 3) {
            try load.go(on: 30)
            let leader = try cluster.leader()
            cluster.nodes.signal(leader, SIGSTOP)
            defer { cluster.nodes.signal(leader, SIGCONT) }
            let others = cluster.others(leader)
            _ = try cluster.leader(among: others)
            // Those before wait at the paused one.
            try load.begin(1, on: others.map { cluster.addresses[$0] })
            try load.go(on: 30)
            cluster.nodes.signal(leader, SIGCONT)
            try load.go(on: 30)
        }
        try load.end(on: cluster.addresses)
        try cluster.expectSame()
    }
}
