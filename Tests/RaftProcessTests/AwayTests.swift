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

    @Test func aFollowerWithoutRoomStopsAndCatchesUpWhenThereIsRoom() throws {
        let cluster = try ProcessCluster.three.get()
        let follower = try cluster.follower()
        cluster.nodes.stop(follower)
        // No file of its may grow by more than this.
        let data = cluster.nodes.places[follower].data
        let largest =
            try FileManager.default.contentsOfDirectory(atPath: data).map { name in
                try FileManager.default.attributesOfItem(atPath: "\(data)/\(name)")[.size] as? Int ?? 0
            }.max() ?? 0
        try cluster.nodes.start(
            follower, under: ["/usr/bin/prlimit", "--fsize=\((largest + 4095) / 4096 * 4096 + 300_000)", "--"])
        let load = ClientLoad("full")
        try load.begin(3, on: cluster.addresses)
        let store = try ClientLoad.store(cluster.others(follower).map { cluster.addresses[$0] })
        defer { store.close() }
        var number = 0
        try waitUntil("the node stops") {
            number += 1
            try store.put(StorageKey("full/large/\(number)"), [UInt8](repeating: UInt8(number % 256), count: 50_000))
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
}
