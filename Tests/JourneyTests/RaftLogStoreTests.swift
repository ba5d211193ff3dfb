import Foundation
import OpenBaoTestKit
import TestSupport
import Testing

/// A store goes to three machines at once, and real servers start on what each of them holds.
@Suite struct RaftLogStoreTests {
    @Test func everyNodesCopyBecomesAServerOfOneCluster() async throws {
        try await Journey.run { folder in
            // Three servers have written it, so that it has the ring of keys by which servers know one another.
            let old = try Cluster.make(in: "\(folder)/old")
            let keys = try old[0].initialise()
            for node in old { try node.unseal(keys) }
            try old[0].waitForVotes(of: old, keys)
            let contents = try Filling.fill(old[0].api, seed: 5)
            let active = try Node.active(of: old)
            for node in old { node.stop() }

            let store = try LogStoreCluster(3, in: folder)
            try store.form()
            let digest = try fill(store, from: active, in: folder)
            store.stopAll()

            let servers = try store.places.map { try Node(.newest, $0.id, in: "\(folder)/servers", .raft()) }
            try export(store, digest, to: servers, in: folder)
            for server in servers { try server.start() }
            for server in servers { try server.unseal(keys) }
            let first = try Node.active(of: servers)
            try contents.check(first.api)
            try first.waitForVotes(of: servers, keys)
            first.kill()
            let next = try Node.active(of: servers.filter { $0 !== first })
            try contents.check(next.api)
        }
    }

    /// - Returns: The digest that the migration printed, which every node has proven.
    private func fill(_ store: LogStoreCluster, from node: Node, in folder: String) throws -> String {
        let file = "\(folder)/migrate.hcl"
        let text = """
            storage_source "raft" {
              path = "\(node.data)"
            }
            storage_destination "raft_cluster" {
              address = "\(store.addresses)"
            }

            """
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        let said = try BuiltProgram.run(["operator", "migrate", "-config", file], home: folder)
        let digest = try #require(said.firstMatch(of: /Keyspace +sha256:([0-9a-f]{64})/)?.1)
        for place in store.places {
            #expect(said.contains(try Regex("Node \(place.id) .*sha256:\(digest) \\(equal\\)")), "\(said)")
        }
        return String(digest)
    }

    private func export(
        _ store: LogStoreCluster, _ digest: String, to servers: [Node], in folder: String
    ) throws {
        let peers = servers.flatMap { server in
            ["-peer", "\(server.name)=\(server.clusterAddress.dropFirst("https://".count))"]
        }
        for (place, server) in zip(store.places, servers) {
            try BuiltProgram.run(
                [
                    "raft", "export", "-config", place.file, "-path", server.data, "-digest", "sha256:\(digest)",
                    "-practice",
                ] + peers, home: folder)
        }
    }
}
