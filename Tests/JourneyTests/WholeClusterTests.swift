import OpenBaoTestKit
import TestSupport
import Testing

/// A cluster that is written at once: three real servers start on three directories and form it by themselves.
@Suite struct WholeClusterTests {
    /// Nodes that have never been started, and the blocks that describe them.
    private static func nodes(_ count: Int, in folder: String) throws -> (nodes: [Node], blocks: String) {
        let nodes = try (1...count).map { try Node(.newest, "node\($0)", in: folder, .raft()) }
        let blocks = nodes.map { node in
            """
              node {
                id           = "\(node.name)"
                cluster_addr = "\(node.clusterAddress)"
                path         = "\(node.data)"
              }

            """
        }
        return (nodes, blocks.joined())
    }

    /// Starts all, unseals all, demands everything, kills the leader, and demands everything again.
    private static func demand(_ nodes: [Node], _ keys: UnsealKeys, _ contents: Contents) throws {
        for node in nodes { try node.start() }
        for node in nodes { try node.unseal(keys) }
        let leader = try Node.active(of: nodes)
        try contents.check(leader.api)
        try leader.waitForVotes(of: nodes, keys)
        try leader.api.ask("POST", "sys/mounts/after", #"{"type":"kv"}"#)
        try leader.api.ask("POST", "after/last", #"{"password":"new"}"#)
        leader.kill()
        let others = nodes.filter { $0 !== leader }
        let next = try Node.active(of: others)
        try contents.check(next.api)
        let written = try next.api.text("data.password", "GET", "after/last")
        guard written == "new" else { throw ServerFailure("what was written last is lost") }
    }

    @Test func threeNodesFormAClusterFromDataWithAKeyRing() async throws {
        try await Journey.run { folder in
            let fixture = Fixture("raft-vault-native")
            let keys = try UnsealKeys(fileAt: fixture.served("init.json"))
            let contents = try Contents(fileAt: fixture.served("expected.txt"))
            let (nodes, blocks) = try Self.nodes(3, in: folder)
            try Migration(folder).run(from: .raft(fixture.folder()), toNodes: blocks, reading: "node2")
            try Self.demand(nodes, keys, contents)
        }
    }
}
