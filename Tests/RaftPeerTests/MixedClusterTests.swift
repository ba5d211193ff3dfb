import Digest
import Foundation
import OpenBaoTestKit
import RaftClusterBackend
import Storage
import StorageTestKit
import TestSupport
import Testing

/// Nodes of ours and of hashicorp/raft in one cluster.
@Suite(.serialized) struct MixedClusterTests {
    @Test func eachFollowsAndLeadsTheOther() throws {
        let folder = try TemporaryFolder()
        let ours = try LogStoreCluster(3, in: folder.path, storage: "trailing_logs = 64\n  snapshot_threshold = 64")
        for number in 0..<2 { try ours.start(number) }
        try ours.waitForVoters(2)
        let theirs = try GoPeer("g1", in: folder.path)
        try theirs.start()
        try addVoter(theirs, to: ours)

        // Ours leads, and theirs takes a log of many entries.
        let store = try RaftClusterBackend(ClusterClient.Settings(addresses: ours.places.prefix(2).map(\.api)))
        try fill(store, "ours", 100_000)
        try expectSame(store, theirs)

        // A newcomer of theirs finds the log gone and takes the snapshot.
        let late = try GoPeer("g2", in: folder.path)
        try late.start()
        try addVoter(late, to: ours)
        try expectSame(store, late)

        // Theirs leads, writes, and snapshots; a newcomer of ours takes it.
        try handOver(from: ours, to: theirs)
        _ = try theirs.api(
            "POST", "load", #"{"entries":20000,"value_bytes":100,"batch":200,"workers":4,"prefix":"theirs/","seed":7}"#)
        _ = try theirs.api("POST", "snapshot", "{}")
        let place = ours.places[2]
        try ours.start(2)
        _ = try theirs.api("POST", "join", #"{"id":"n3","address":"127.0.0.1:\#(place.clusterPort)","voter":true}"#)
        let held = try theirs.digest()
        #expect(held.entries == 120_000)

        // Their leader dies, and one of ours has everything that it acknowledged.
        theirs.kill()
        late.kill()
        try eventually("one of ours leads again") { (try? store.get("theirs/0000000000")) != nil }
        #expect(try digest(of: store) == held)
        for number in 0..<2 { ours.kill(number) }
        try late.start()
        try theirs.start()
        let all = try RaftClusterBackend(ClusterClient.Settings(addresses: ours.places.map(\.api)))
        try handOver(from: theirs, late, toAnyOf: ours, [2])
        #expect(try digest(of: all) == held)
    }

    private func fill(_ store: RaftClusterBackend, _ prefix: String, _ count: Int) throws {
        let loader = try store.bulkLoader(LoadPlan())
        for start in stride(from: 0, to: count, by: 1000) {
            let batch = EntryBatch()
            for number in start..<(start + 1000) {
                batch.append(
                    key: StorageKey("\(prefix)/\(String(1_000_000 + number).dropFirst())"),
                    value: Array("value \(number)".utf8))
            }
            try loader.load(batch)
        }
        try loader.finish()
    }

    private func addVoter(_ peer: GoPeer, to cluster: LogStoreCluster) throws {
        let leader = try cluster.leader()
        try ServerAPI(url: cluster.places[leader].api).ask(
            "POST", "sealift/peers",
            #"{"server_id":"\#(peer.id)","cluster_addr":"\#(peer.raftAddress)","voter":true}"#)
    }

    private func handOver(from cluster: LogStoreCluster, to peer: GoPeer) throws {
        try eventually("\(peer.id) leads") {
            if try peer.state() == "Leader" { return true }
            if let leader = try? cluster.leader() {
                _ = try? ServerAPI(url: cluster.places[leader].api).send(
                    "POST", "sys/storage/raft/transfer-leadership", #"{"server_id":"\#(peer.id)"}"#,
                    timeout: .seconds(10))
            }
            return false
        }
    }

    /// Until one of ours leads, theirs are asked to hand over.
    private func handOver(
        from peers: GoPeer..., toAnyOf cluster: LogStoreCluster, _ numbers: [Int]
    ) throws {
        try eventually("one of ours leads") {
            for number in numbers {
                let answer = try? ServerAPI(url: cluster.places[number].api).ask("GET", "sys/leader")
                if answer?["is_self"]?.boolean == true { return true }
            }
            for peer in peers where (try? peer.state()) == "Leader" {
                _ = try? peer.api(
                    "POST", "transfer", #"{"id":"n3","address":"127.0.0.1:\#(cluster.places[2].clusterPort)"}"#)
            }
            return false
        }
    }

    private func expectSame(_ store: RaftClusterBackend, _ peer: GoPeer) throws {
        let wanted = try digest(of: store)
        try eventually("\(peer.id) holds the same") { try peer.digest() == wanted }
    }

    /// What the peer computes over its entries.
    private func digest(of store: RaftClusterBackend) throws -> GoPeer.Held {
        let hasher = try SHA256Hasher()
        var entries = 0
        var failure: (any Error)?
        try store.scanAll { batch in
            for index in 0..<batch.count {
                entries += 1
                do {
                    let (key, value) = (batch.key(index), batch.value(index))
                    try withUnsafeBytes(of: UInt32(key.count).bigEndian) { try hasher.update($0) }
                    try hasher.update(key)
                    try withUnsafeBytes(of: UInt64(value.count).bigEndian) { try hasher.update($0) }
                    try hasher.update(value)
                } catch {
                    failure = error
                }
            }
            return failure == nil
        }
        if let failure { throw failure }
        return GoPeer.Held(entries: entries, digest: try hasher.finish().hexadecimal)
    }
}

/// A process of `Tests/raftpeer`.
final class GoPeer {
    struct Held: Equatable {
        let entries: Int
        let digest: String
    }

    let id: String
    let raftAddress: String
    private let url: String
    private let folder: String
    private let httpAddress: String
    private var process: ServerProcess?

    init(_ id: String, in folder: String) throws {
        self.id = id
        self.folder = folder
        raftAddress = "127.0.0.1:\(try FreePort.take())"
        httpAddress = "127.0.0.1:\(try FreePort.take())"
        url = "http://\(httpAddress)"
    }

    func start() throws {
        process = try ServerProcess(
            GoProgram.raftpeer.path(),
            [
                "node", "-id", id, "-raft", raftAddress, "-http", httpAddress, "-data", "\(folder)/\(id)",
                "-multiplier",
                "0.5", "-trailing", "16", "-threshold", "16",
            ], environment: ["PATH": "/usr/bin:/bin"], log: "\(folder)/\(id).log")
        try eventually("\(id) answers") { (try? state()) != nil }
    }

    func kill() {
        process?.end(with: SIGKILL)
        process = nil
    }

    func api(_ method: String, _ path: String, _ body: String? = nil) throws -> JSONValue {
        let output = try runProgram(
            "/usr/bin/curl",
            ["-sS", "--fail-with-body", "-X", method, "\(url)/\(path)"] + (body.map { ["--data-binary", $0] } ?? []))
        return try JSONValue(parsing: Data(output.utf8))
    }

    func state() throws -> String { try api("GET", "status")["state"]?.text ?? "" }

    func digest() throws -> Held {
        let answer = try api("GET", "digest")
        return Held(entries: answer["entries"]?.integer ?? -1, digest: answer["digest"]?.text ?? "")
    }
}
