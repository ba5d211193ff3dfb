import Foundation
import OpenBaoTestKit
import RaftClusterBackend
import Storage
import TestSupport
import Testing

extension RaftProcessTests {
    @Test func aCopyThatWasChangedOnDiskIsFoundAndTakenOutUntilTheNodeJoinsAnew() throws {
        let cluster = try ProcessCluster.three.get()
        let store = try ClientLoad.store(cluster.addresses)
        defer { store.close() }
        let value = Array("a value that stands nowhere else in the file".utf8)
        try store.put(StorageKey("changed/entry"), value)
        try cluster.expectSame()
        let follower = try cluster.follower()
        let place = cluster.nodes.places[follower]
        cluster.nodes.stop(follower)
        try change(value, inFilesOf: place.data)
        try cluster.nodes.start(follower)

        // Nobody sees it until everybody is asked.
        var last: Int32 = 0
        try eventually("the copy is found to differ") {
            let (code, nodes) = try cluster.prove()
            last = code
            return nodes.contains {
                $0["node_id"]?.text == place.id && $0["problem"]?.text?.contains("quarantined") == true
            }
        }
        #expect(last == 3)
        try expectQuarantined(follower, in: cluster)
        cluster.nodes.stop(follower)
        let refusal = try cluster.refusalOfExport(follower)
        #expect(refusal.contains("is quarantined"), "\(refusal)")
        try cluster.nodes.start(follower)
        try expectQuarantined(follower, in: cluster)

        // The others do without it.
        try store.put(StorageKey("changed/other"), [1])
        let leader = try cluster.leader()
        let file = cluster.nodes.places[leader].api
        try BuiltProgram.run(["raft", "remove-peer", "-address", file, place.id], home: place.data + "-home")
        cluster.nodes.stop(follower)
        try FileManager.default.removeItem(atPath: place.data)
        try cluster.nodes.start(follower)
        try cluster.nodes.waitForVoters(3)
        try cluster.expectSame()
        #expect(try store.get(StorageKey("changed/entry")) == value)
    }

    private func expectQuarantined(_ number: Int, in cluster: ProcessCluster) throws {
        try eventually("the node says that it is quarantined") {
            let answer = try cluster.nodes.api(number).send("GET", "sys/health")
            return answer.status == 503 && answer.body["problem"]?.text?.contains("quarantined") == true
        }
        // And it answers nobody.
        let answer = try cluster.nodes.api(number).send("GET", "sealift/list")
        #expect(answer.status == 503, "\(answer)")
    }

    /// Changes one bit of a value wherever the state machine's file has it, also where it is not read any more.
    private func change(_ value: [UInt8], inFilesOf folder: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder)
        where name.hasPrefix("state-") && name.hasSuffix(".mdb") {
            let path = "\(folder)/\(name)"
            let bytes = try Data(contentsOf: URL(filePath: path)).damaged(at: 3, of: value)
            let file = try FileHandle(forUpdating: URL(filePath: path))
            try file.write(contentsOf: bytes)
            try file.close()
        }
    }
}
