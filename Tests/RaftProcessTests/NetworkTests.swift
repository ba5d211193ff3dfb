import Glibc
import OpenBaoTestKit
import RaftClusterBackend
import Storage
import TestSupport
import Testing

extension RaftProcessTests {
    @Test func aLeaderThatIsCutOffAcknowledgesAndReadsNothing() throws {
        let cluster = try ProcessCluster.three.get()
        defer { cluster.network.heal() }
        let load = ClientLoad("cut")
        try load.begin(2, on: cluster.addresses)
        for round in 0..<(Effort.isThorough ? 10 : 2) {
            try load.go(on: 20)
            let leader = try cluster.leader()
            let others = cluster.others(leader)
            let alone = try ClientLoad.store([cluster.addresses[leader]], patience: .seconds(1))
            defer { alone.close() }
            let key = StorageKey("cut/kept/alone/\(round)")
            try alone.put(key, [1])
            cluster.network.cut(cluster.id(leader), from: others.map(cluster.id))
            // Whoever waits there is told as soon as it leads no more.
            let answer = try cluster.nodes.api(leader).send("POST", "sealift/prove")
            #expect(answer.status == 503 && answer.errors.contains("The leadership was lost"), "\(answer)")
            #expect(throws: StorageError.self) { try alone.put(key, [2]) }
            #expect(throws: StorageError.self) { try alone.get(key) }
            _ = try cluster.leader(among: others)
            try load.begin(1, on: others.map { cluster.addresses[$0] })
            try load.go(on: 20)
            cluster.network.heal()
            try load.go(on: 20)
        }
        try load.end(on: cluster.addresses)
        try cluster.expectSame()
    }

    @Test func aFollowerThatHearsNobodyDisturbsNobody() throws {
        let cluster = try ProcessCluster.three.get()
        defer { cluster.network.heal() }
        let load = ClientLoad("deaf")
        try load.begin(3, on: cluster.addresses)
        let leader = try cluster.leader()
        let before = try term(of: leader, in: cluster)
        let others = cluster.others(leader)
        cluster.network.hold(from: [leader, others[1]].map(cluster.id), to: [cluster.id(others[0])])
        try load.go(on: 300)
        #expect(try cluster.leader() == leader)
        cluster.network.heal()
        try load.go(on: 50)
        #expect(try term(of: leader, in: cluster) == before)
        try load.end(on: cluster.addresses)
        try cluster.expectSame()
    }

    @Test func aLeaderThatHearsNobodyStepsDown() throws {
        let cluster = try ProcessCluster.three.get()
        defer { cluster.network.heal() }
        let load = ClientLoad("heard")
        try load.begin(3, on: cluster.addresses)
        try load.go(on: 20)
        let leader = try cluster.leader()
        let others = cluster.others(leader)
        cluster.network.hold(from: others.map(cluster.id), to: [cluster.id(leader)])
        #expect(try cluster.leader(among: others) != leader)
        try load.go(on: 50)
        cluster.network.heal()
        try load.end(on: cluster.addresses)
        try cluster.expectSame()
    }

    @Test func aSlowNetworkLosesNothing() throws {
        let cluster = try ProcessCluster.three.get()
        defer { cluster.network.heal() }
        let load = ClientLoad("slow")
        try load.begin(4, on: cluster.addresses)
        cluster.network.slow(by: 60)
        for _ in 0..<(Effort.isThorough ? 20 : 2) {
            try load.go(on: 20)
            let node = try cluster.leader()
            cluster.network.cut(cluster.id(node), from: cluster.others(node).map(cluster.id))
            _ = try cluster.leader(among: cluster.others(node))
            cluster.network.heal()
            cluster.network.slow(by: 60)
        }
        cluster.network.heal()
        try load.end(on: cluster.addresses)
        try cluster.expectSame()
    }

    @Test func connectionsThatBreakAllTheTimeLeaveNothingBehind() throws {
        let cluster = try ProcessCluster.three.get()
        // The other follower must answer everything.
        let away = try cluster.follower()
        cluster.nodes.kill(away)
        let load = ClientLoad("broken")
        try load.begin(4, on: cluster.others(away).map { cluster.addresses[$0] })
        for _ in 0..<(Effort.isThorough ? 60 : 4) {
            for round in 0..<80 {
                cluster.network.breakConnections()
                usleep(UInt32(round % 20) * 1500)
            }
            try load.go(on: 20)
        }
        try cluster.nodes.start(away)
        try load.end(on: cluster.addresses)
        try cluster.expectSame()
    }

    private func term(of number: Int, in cluster: ProcessCluster) throws -> Int? {
        try cluster.nodes.api(number).ask("GET", "sealift/nodes")["nodes"]?.elements
            .first { $0["leader"]?.boolean == true }?["term"]?.integer
    }
}
