import OpenBaoTestKit
import TestSupport
import Testing

/// Stores that real servers wrote become integrated storage; a real server starts on it, two others join empty, the
/// first is killed.
@Suite struct ClusterTests {
    @Test func aClusterServesWhatAKilledServerHadInFiles() async throws {
        try await Journey.run { folder in
            let old = try Node(.lastOnFiles, "old", in: folder, .file)
            try old.start()
            let keys = try old.initialise()
            try old.unseal(keys)
            let contents = try Filling.fill(old.api, seed: 1, namespaces: false)
            try contents.check(old.api)
            old.kill()

            let first = try Node(.newest, "node1", in: folder, .raft())
            try Migration(folder).run(from: .file(old.data), to: first)
            try Cluster.grow(from: first, keys, contents, in: folder)
        }
    }

    /// A DynamoDB table and an integrated storage, both Vault's.
    @Test(arguments: ["dynamodb-vault", "raft-vault-native"])
    func aClusterServesWhatVaultHad(_ name: String) async throws {
        try await Journey.run { folder in
            let fixture = Fixture(name)
            let keys = try UnsealKeys(fileAt: fixture.served("init.json"))
            let contents = try Contents(fileAt: fixture.served("expected.txt"))
            let first = try Node(.newest, "node1", in: folder, .raft())
            if name == "dynamodb-vault" {
                try Migration(folder).run(from: .export(fixture.path("items.jsonl.gz")), to: first)
            } else {
                let between = Migration.Store.sqlite("\(folder)/between.sqlite")
                try Migration(folder).run(from: .raft(fixture.folder()), to: between)
                try Migration(folder).run(from: between, to: first)
            }
            try Cluster.grow(from: first, keys, contents, in: folder)
        }
    }

    /// Three nodes that have led in turn are stopped; one directory becomes a cluster of one.
    @Test func oneNodeOfAStoppedClusterBecomesANewOne() async throws {
        try await Journey.run { folder in
            let nodes = try Cluster.make(in: folder)
            let keys = try nodes[0].initialise()
            for node in nodes { try node.unseal(keys) }
            try nodes[0].waitForVotes(of: nodes, keys)
            let contents = try Filling.fill(nodes[0].api, seed: 2)
            try nodes[0].stepDown()
            let active = try Node.active(of: nodes)
            try active.api.ask("POST", "kv2/data/written-last", #"{"data":{"password":"new"}}"#)
            for node in nodes { node.stop() }

            let new = try Node(.newest, "new", in: folder, .raft())
            try Migration(folder).run(from: .raft(active.data), to: new)
            // Twice, because a server changes its tables at its first start on a new storage.
            for _ in 1...2 {
                try new.start()
                try new.unseal(keys)
                try eventually("new is active") { try new.isActive() }
                try contents.check(new.api)
                _ = try new.api.text("data.data.password", "GET", "kv2/data/written-last")
                new.stop()
            }
        }
    }
}
