import Foundation
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

    /// From a table, with the key shares: the key ring is made for the new cluster, and everything is authenticated on the way.
    @Test func threeNodesFormAClusterFromATableWithTheShares() async throws {
        try await Journey.run { folder in
            let fixture = Fixture("dynamodb-vault")
            let keys = try UnsealKeys(fileAt: fixture.served("init.json"))
            let contents = try Contents(fileAt: fixture.served("expected.txt"))
            let (nodes, blocks) = try Self.nodes(3, in: folder)
            let file = "\(folder)/migrate.hcl"
            try
                ("storage_source \"dynamodb_export\" {\n  path = \"\(fixture.path("items.jsonl.gz"))\"\n}\n"
                + "storage_destination \"raft\" {\n\(blocks)}\n").write(
                    toFile: file, atomically: false, encoding: .utf8)
            let shares = "\(folder)/shares"
            try keys.shares.joined(separator: "\n").write(toFile: shares, atomically: false, encoding: .utf8)
            try runProgram(
                "/bin/sh",
                [
                    "-c", "exec \"$0\" \"$@\" 5< '\(shares)'", BuiltProgram.path, "operator", "migrate", "-config",
                    file,
                    "-practice", "-prove", "-generate-raft-tls", "-shares-fd", "5",
                ], ["HOME": folder, "XDG_STATE_HOME": "\(folder)/state"])
            try Self.demand(nodes, keys, contents)
        }
    }

    /// Two phases, without any key share: one node makes the key ring, then its directory is spread.
    @Test func aNodeThatRanAloneBecomesACluster() async throws {
        try await Journey.run { folder in
            let fixture = Fixture("dynamodb-vault")
            let keys = try UnsealKeys(fileAt: fixture.served("init.json"))
            let contents = try Contents(fileAt: fixture.served("expected.txt"))
            let (nodes, _) = try Self.nodes(3, in: folder)
            try Migration(folder).run(from: .export(fixture.path("items.jsonl.gz")), to: nodes[0])
            try nodes[0].start()
            try nodes[0].unseal(keys)
            try eventually("node1 is active") { try nodes[0].isActive() }
            nodes[0].stop()
            let others = nodes[1...].flatMap { ["-node", "\($0.name)=\($0.clusterHostAndPort),path=\($0.data)"] }
            try BuiltProgram.run(["raft", "spread", "-practice", "-from", nodes[0].data] + others, home: folder)
            try Self.demand(nodes, keys, contents)
        }
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
