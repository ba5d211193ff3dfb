import Foundation
import OpenBaoTestKit
import TestSupport
import Testing

/// Snapshots that real servers save and restore, on both sides of a migration.
@Suite struct SnapshotTests {
    /// Runs the server's own command on snapshots.
    private static func operate(_ node: Node, _ words: [String], home: String) throws {
        try runProgram(
            node.version.program(), ["operator", "raft", "snapshot"] + words,
            ["BAO_ADDR": node.api.url, "VAULT_ADDR": node.api.url, "BAO_TOKEN": node.api.token, "HOME": home])
    }

    /// A store on integrated storage with everything in it, an entry of more than a mebibyte as well.
    private static func filled(_ name: String, seed: Int, in folder: String) throws -> (Node, UnsealKeys, Contents) {
        let node = try Node(.newest, name, in: folder, .raft())
        try node.start()
        let keys = try node.initialise()
        try node.unseal(keys)
        try eventually("\(name) is active") { try node.isActive() }
        return (node, keys, try Filling.fill(node.api, seed: seed))
    }

    @Test func aLiveServersSnapshotBecomesACluster() async throws {
        try await Journey.run { folder in
            let (old, keys, contents) = try Self.filled("old", seed: 31, in: folder)
            let archive = "\(folder)/live.snap"
            try Self.operate(old, ["save", archive], home: folder)
            // What comes later is not in it.
            try old.api.ask("POST", "kv1/behind-the-snapshot", #"{"a":"b"}"#)
            old.kill()
            let said = try BuiltProgram.run(["snapshot", "verify", archive], home: folder)
            try demand(said.contains(": ok: ") && said.contains("seal sums present (not checked)"), said)

            let first = try Node(.newest, "node1", in: folder, .raft())
            try Migration(folder).run(from: .snapshot(archive), to: first)
            let nodes = try Cluster.grow(from: first, keys, contents, in: folder)
            try demand(try nodes[0].api.send("GET", "kv1/behind-the-snapshot").status == 404, "later entries are there")
        }
    }

    @Test func ourArchiveIsRestoredIntoAFreshCluster() async throws {
        try await Journey.run { folder in
            let (old, keys, contents) = try Self.filled("old", seed: 32, in: folder)
            old.stop()
            let archive = "\(folder)/ours.snap"
            try Migration(folder).run(from: .raft(old.data), to: .snapshot(archive))

            let nodes = try Cluster.make(in: folder)
            let fresh = try nodes[0].initialise()
            for node in nodes { try node.unseal(fresh) }
            try nodes[0].waitForVotes(of: nodes, fresh)
            let active = try Node.active(of: nodes)
            try Self.operate(active, ["restore", "-force", archive], home: folder)
            for node in nodes {
                try eventually("\(node.name) has sealed itself") {
                    try node.api.ask("GET", "sys/seal-status")["sealed"]?.boolean == true
                }
            }
            for node in nodes { try node.unseal(keys) }
            let leading = try Node.active(of: nodes)
            try contents.check(leading.api)
            // Everything came to the others as well.
            leading.kill()
            let rest = nodes.filter { $0 !== leading }
            try contents.check(try Node.active(of: rest).api)
        }
    }
}
