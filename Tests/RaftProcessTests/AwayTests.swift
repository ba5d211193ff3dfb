import Foundation
import OpenBaoTestKit
import RaftClusterBackend
import Storage
import TestSupport
import Testing

extension RaftProcessTests {
    @Test(arguments: [(entries: 20, takesSnapshot: false), (entries: 400, takesSnapshot: true)])
    func aFollowerThatWasAwayCatchesUp(entries: Int, takesSnapshot: Bool) throws {
        let cluster = try ProcessCluster.three.get()
        try cluster.expectSame()
        let follower = try cluster.follower()
        let before = try cluster.count("a snapshot was installed", inLogOf: follower)
        cluster.nodes.kill(follower)
        let store = try ClientLoad.store(cluster.others(follower).map { cluster.addresses[$0] })
        defer { store.close() }
        for number in 0..<entries {
            try store.put(StorageKey("away/\(takesSnapshot)/\(number)"), Array("\(number)".utf8))
        }
        try cluster.nodes.start(follower)
        try cluster.expectSame()
        let count = try cluster.count("a snapshot was installed", inLogOf: follower)
        #expect((count > before) == takesSnapshot)
    }

    /// Whether its last entry was committed is for the others to say.
    @Test func aNodeWithEntriesThatNobodyElseHasIsNotExported() throws {
        let cluster = try ProcessCluster.three.get()
        try cluster.expectSame()
        let leader = try cluster.leader()
        for number in cluster.others(leader) { cluster.nodes.kill(number) }
        // Nobody is there to commit it.
        let status = try? cluster.nodes.api(leader).send("POST", "sealift/prove", timeout: .seconds(3)).status
        #expect(status != 200)
        cluster.nodes.stop(leader)
        let refusal = try cluster.refusalOfExport(leader)
        #expect(refusal.contains("whether they were committed"), "\(refusal)")
        for number in cluster.nodes.places.indices { try cluster.nodes.start(number) }
        try cluster.expectSame()
    }

    @Test(arguments: ["snapshot", "log"])
    func aFollowerWithoutRoomStopsAndCatchesUpWhenThereIsRoom(for what: String) throws {
        let cluster = try ProcessCluster.three.get()
        let follower = try cluster.follower()
        cluster.nodes.stop(follower)
        let load = ClientLoad("full/\(what)")
        try load.begin(3, on: cluster.addresses)
        let store = try ClientLoad.store(cluster.others(follower).map { cluster.addresses[$0] })
        defer { store.close() }
        var number = 0
        func putLarge() throws {
            number += 1
            try store.put(StorageKey("full/large/\(number)"), [UInt8](repeating: UInt8(number % 256), count: 50_000))
        }
        // No file of its may grow by more than a little.
        let limit = try largestFile(in: cluster.nodes.places[follower].data) + 300_000
        if what == "snapshot" { for _ in 0..<(limit / 50_000 + 100) { try putLarge() } }
        try cluster.nodes.start(follower, under: ["/usr/bin/prlimit", "--fsize=\(limit)", "--"], waits: false)
        try waitUntil("the node stops") {
            if what == "log" { try putLarge() }
            return !cluster.nodes.isRunning(follower)
        }
        let words = cluster.nodes.lastWords(follower)
        #expect(words.contains("Make room on the device and start the node again."), "\(words)")
        try load.go(on: 50)
        try cluster.nodes.start(follower)
        try load.end(on: cluster.addresses)
        for old in 1...number { try store.delete(StorageKey("full/large/\(old)")) }
        try cluster.expectSame()
    }

    private func largestFile(in folder: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: folder).map { name in
            try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.size] as? Int ?? 0
        }.max() ?? 0
    }
}
