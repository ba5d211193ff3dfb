import Digest
import Foundation
import RaftCore
import RaftFormat
import Sockets
import Storage
import StorageTestKit
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import RaftCluster

/// Nodes in this process, each with a folder and a port of its own.
final class TestCluster: Sendable {
    let folder: TemporaryFolder
    let nodes = Mutex<[Int: ClusterNode]>([:])
    let ports: [UInt16]
    let failures = Mutex<[String]>([])

    init(_ count: Int) throws {
        folder = try TemporaryFolder()
        ports = try (0..<count).map { _ in UInt16(try FreePort.take()) }
    }

    deinit { for number in ports.indices { stop(number) } }

    func start(_ number: Int, bootstraps: Bool = false, _ adjust: (inout NodeOptions) -> Void = { _ in }) throws {
        let address = HostAddress(host: "127.0.0.1", port: ports[number])
        var options = NodeOptions(
            path: "\(folder.path)/n\(number)", address: address, listenAddress: address,
            apiAddress: "http://127.0.0.1:1\(number)")
        options.id = "n\(number)"
        options.multiplier = 0.3
        options.bootstraps = bootstraps
        adjust(&options)
        let node = try ClusterNode(options, logger: Logger(level: .error)) { [self] error in
            failures.withLock { $0.append("\(error)") }
        }
        try node.start()
        nodes.withLock { $0[number] = node }
    }

    func stop(_ number: Int) {
        nodes.withLock { $0.removeValue(forKey: number) }?.stop()
    }

    subscript(_ number: Int) -> ClusterNode {
        get throws { try #require(nodes.withLock { $0[number] }) }
    }

    /// Waits for a leader among those that run.
    func leader() throws -> ClusterNode {
        var found: ClusterNode?
        try waitUntil("so") {
            found = nodes.withLock { nodes in nodes.values.first { $0.isLeader && $0.description.commitIndex > 0 } }
            return found.map { (try? $0.confirm(timeout: .seconds(1))) != nil } ?? false
        }
        return try #require(found)
    }

    func form() throws {
        try start(0, bootstraps: true)
        for number in 1..<ports.count {
            try start(number)
            let leader = try leader()
            _ = try leader.change(
                .addVoter(NodeID(Array("n\(number)".utf8)), address: Array("127.0.0.1:\(ports[number])".utf8)),
                timeout: .seconds(10))
        }
    }
}

func command(_ puts: [(String, String)]) -> [UInt8] {
    var writer = LogCommandWriter()
    for (key, value) in puts {
        Array(key.utf8).withUnsafeBytes { key in Array(value.utf8).withUnsafeBytes { writer.put(key, $0) } }
    }
    return writer.bytes
}

@Suite struct NodeTests {
    @Test func aClusterOfOneKeepsWhatItAcknowledged() throws {
        let cluster = try TestCluster(1)
        try cluster.start(0, bootstraps: true)
        let node = try cluster.leader()
        let result = try node.propose(command([("a/b", "1"), ("a/c", "2")]), timeout: .seconds(5))
        #expect(result.outcome == .applied)
        cluster.stop(0)
        try cluster.start(0)
        let again = try cluster.leader()
        #expect(try again.parts.applier.current.get(Array("a/c".utf8)) == Array("2".utf8))
        #expect(again.description.entries == 2)
    }

    /// Two of three are gone for good; the last one is told that it is alone, and later two new ones join it.
    @Test func aLostMajorityIsRecoveredByAPeerFile() throws {
        let cluster = try TestCluster(3)
        try cluster.form()
        let leader = try cluster.leader()
        for round in 0..<20 {
            _ = try leader.propose(command([("k/\(round)", "v\(round)")]), timeout: .seconds(5))
        }
        try waitUntil("node 2 holds it") { try cluster[2].description.entries == 20 }
        for number in 0..<3 { cluster.stop(number) }
        let peers = "\(cluster.folder.path)/n2/peers.json"
        for wrong in ["[]", "{", #"[{"id":"n1","address":"127.0.0.1:1"}]"#, #"[{"id":"n2","address":"nowhere"}]"#] {
            try wrong.write(toFile: peers, atomically: false, encoding: .utf8)
            #expect(throws: ClusterError.self) { try cluster.start(2) }
        }
        try #"[{"id":"n2","address":"127.0.0.1:\#(cluster.ports[2])","non_voter":false}]"#
            .write(toFile: peers, atomically: false, encoding: .utf8)
        try cluster.start(2)
        let alone = try cluster.leader()
        #expect(alone.id == "n2" && alone.membership.0.members.count == 1)
        #expect(access(peers, F_OK) != 0)
        #expect(try alone.parts.applier.current.get(Array("k/19".utf8)) == Array("v19".utf8))
        _ = try alone.propose(command([("new", "1")]), timeout: .seconds(5))
        // A member of old has entries of its own terms, and takes the snapshot all the same.
        try cluster.start(1)
        _ = try alone.change(
            .addVoter("n1", address: Array("127.0.0.1:\(cluster.ports[1])".utf8)), timeout: .seconds(20))
        try waitUntil("the old member holds the same") { try cluster[1].description.entries == 21 }
    }

    @Test func threeNodesHoldTheSameAndSurviveTheLossOfTheLeader() throws {
        let cluster = try TestCluster(3)
        try cluster.form()
        var leader = try cluster.leader()
        for round in 0..<50 {
            _ = try leader.propose(command([("k/\(round)", "v\(round)")]), timeout: .seconds(5))
        }
        cluster.stop(0)
        leader = try cluster.leader()
        for round in 50..<60 {
            _ = try leader.propose(command([("k/\(round)", "v\(round)")]), timeout: .seconds(5))
        }
        try cluster.start(0)
        var prove = LogCommandWriter()
        prove.prove()
        let index = try leader.propose(prove.bytes, timeout: .seconds(5)).index
        try waitUntil("so") {
            try (0..<3).allSatisfy { try cluster[$0].description.proofIndex >= index }
        }
        let digests = try (0..<3).map { try cluster[$0].description.proofDigest }
        #expect(Set(digests).count == 1)
        #expect(try cluster[0].description.proofEntries == 60)
        #expect(cluster.failures.withLock { $0 } == [])
    }
}
