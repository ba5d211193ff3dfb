import Digest
import Foundation
import LMDB
import RaftCore
import RaftFormat
import Sockets
import Storage
import StorageTestKit
import Synchronization
import Telemetry
import TestSupport
import Testing
import Workers

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
        let node = try open(number, bootstraps: bootstraps, adjust)
        try node.start()
        nodes.withLock { $0[number] = node }
    }

    /// A node that takes no part yet.
    func open(
        _ number: Int, bootstraps: Bool = false, _ adjust: (inout NodeOptions) -> Void = { _ in }
    ) throws -> ClusterNode {
        let address = HostAddress(host: "127.0.0.1", port: ports[number])
        var options = NodeOptions(
            path: "\(folder.path)/n\(number)", address: address, listenAddress: address,
            apiAddress: "http://127.0.0.1:1\(number)")
        options.id = "n\(number)"
        options.multiplier = 0.3
        options.bootstraps = bootstraps
        adjust(&options)
        return try ClusterNode(options, logger: Logger(level: .error)) { [self] error in
            failures.withLock { $0.append("\(error)") }
        }
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

    /// What a disk has written is no news of entries that were cut off since and came again from a third leader.
    @Test func onlyWhatIsDurableIsApplied() throws {
        let cluster = try TestCluster(1)
        let node = try cluster.open(0)
        let core = try WorkerThread {
            let raft = RaftNode(
                id: node.id, hard: HardState(), log: LogOutline(), timing: node.options.timing, seed: 1)
            NodeCore(raft, node.parts, node.links).run()
        }
        // Of the disk's thread there is none.
        let threads = [core, try WorkerThread { node.parts.applier.run() }]
        func append(_ leader: NodeID, term: UInt64, _ entries: [(index: UInt64, term: UInt64)], commit: UInt64) throws {
            let written = entries.map { index, term in
                WireEntry(index: index, term: term, data: command([("k/\(index)", "\(term)")]))
            }
            let first = try #require(entries.first?.index)
            let message = RaftMessage(
                from: leader, to: node.id, term: term,
                .append(
                    previous: EntryPosition(index: first - 1, term: first == 1 ? 0 : 2),
                    entries: try written.map { try $0.head() }, commit: commit, sequence: 1))
            node.parts.events.change { $0.append(.message(message, written, nil)) }
        }
        func persisted(_ index: UInt64, _ term: UInt64, cuts: UInt64) {
            let ending = DiskWriter.Ending(position: EntryPosition(index: index, term: term), cuts: cuts)
            node.parts.events.change { $0.append(.persisted(ending)) }
        }
        try append("a", term: 2, [(1, 2), (2, 2), (3, 2), (4, 2)], commit: 0)
        try append("b", term: 3, [(3, 3)], commit: 0)
        try append("c", term: 4, [(3, 2), (4, 2), (5, 4)], commit: 5)
        persisted(4, 2, cuts: 0)
        try waitUntil("all of it is committed") { node.parts.view.value.commitIndex == 5 }
        usleep(200_000)
        #expect(node.parts.applier.current.applied.index == 0)
        persisted(5, 4, cuts: 2)
        try waitUntil("it is applied") { node.parts.applier.current.applied.index == 5 }
        #expect(try node.parts.applier.current.get(Array("k/3".utf8)) == Array("2".utf8))
        node.parts.disk.stop()
        node.stop()
        for thread in threads { thread.join() }
    }

    /// A node whose entries are not as many as it counted says so and is out of it.
    @Test func aNodeThatCannotProveItselfStops() throws {
        let cluster = try TestCluster(1)
        try cluster.start(0, bootstraps: true)
        let node = try cluster.leader()
        _ = try node.propose(command([("a", "1")]), timeout: .seconds(5))
        try node.confirm(timeout: .seconds(5))
        let state = node.parts.applier.current
        try state.environment.write { transaction throws(LMDBError) in
            _ = try transaction.delete(Array("a".utf8), in: state.data)
        }
        var prove = LogCommandWriter()
        prove.prove()
        _ = try node.propose(prove.bytes, timeout: .seconds(5))
        try waitUntil("the node is out") { cluster.failures.withLock { !$0.isEmpty } }
        #expect(cluster.failures.withLock { $0 }.allSatisfy { $0.contains("it holds 0 entries and counts 1") })
        #expect(throws: ClusterError.self) {
            _ = try node.propose(command([("b", "1")]), timeout: .seconds(5))
        }
    }

    /// A saved snapshot takes room on the disk until its reader gives it up, or for as long as somebody reads it.
    @Test func aSavedSnapshotGivesItsRoomBack() throws {
        let cluster = try TestCluster(1)
        try cluster.start(0, bootstraps: true)
        let node = try cluster.leader()
        _ = try node.propose(command([("a", "1")]), timeout: .seconds(5))
        try node.confirm(timeout: .seconds(5))
        let folder = node.parts.folder.path
        func held() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { name in
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
                return target.map { $0.hasPrefix(folder) && $0.hasSuffix("(deleted)") } ?? false
            }
        }
        let shelf = SnapshotShelf()
        let ids = try (0..<2).map { _ in
            try shelf.add(SnapshotArchive(of: node.parts.applier.current, in: folder))
        }
        #expect(try held() == 2 && shelf.piece(ids[0], at: 0, most: 10)?.count == 10)
        shelf.remove(ids[0])
        #expect(try held() == 1 && shelf.piece(ids[0], at: 0, most: 10) == nil)
        shelf.expire(now: .now + .seconds(590))
        #expect(try held() == 1 && shelf.piece(ids[1], at: 0, most: 10) != nil)
        shelf.expire(now: .now + .seconds(610))
        #expect(try held() == 0 && shelf.piece(ids[1], at: 0, most: 10) == nil)
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
