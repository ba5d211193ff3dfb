import Foundation
import OpenBaoTestKit
import TestSupport
import Testing

/// Drills of stores that a server of today has filled.
@Suite struct DrillTests {
    /// With leases in namespaces, none of which is in the copy; what is served is what was written.
    @Test func noLeaseOfAnyNamespaceIsInTheCopy() async throws {
        try await Journey.run { folder in
            let node = try Node(.newest, "node1", in: folder, .raft())
            try node.start()
            let keys = try node.initialise()
            try node.unseal(keys)
            try eventually("the node is active") { try node.isActive() }
            _ = try Filling.fill(node.api, seed: 17)
            try node.api.ask("POST", "team/auth/userpass/login/here", #"{"password":"only here"}"#)
            try node.api.ask("POST", "kv1/drilled", #"{"password":"hush hush, a drilled secret"}"#)
            node.stop()
            let shares = "\(folder)/shares"
            try Scratch.write(keys.shares.joined(separator: "\n").utf8, to: shares)
            let file = "\(folder)/drill.hcl"
            let text = """
                storage_source "raft" {
                  path = "\(node.data)"
                }
                drill {
                  folder = "\(folder)/drills"
                  keep   = true
                }
                server {
                  binary = "\(try node.version.program())"
                  read   = ["kv1/drilled", "team/kv/x"]
                }

                """
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            let said = try runProgram(
                "/bin/sh",
                [
                    "-c", "exec \"$0\" \"$@\" 5< '\(shares)'", BuiltProgram.path, "drill", "-config", file, "-prove",
                    "-shares-fd", "5",
                ])
            try demand(said.contains("The drill passed.") && said.contains("  Served          2 of 2 paths\n"), said)
            let before = try Self.leases(.raft(node.data), folder)
            try demand(before.contains { $0.hasPrefix("sys/expire/") }, "the store has no leases")
            try demand(before.contains { $0.hasPrefix("namespaces/") }, "its namespaces have no leases")
            guard let copy = said.split(separator: "\n").first(where: { $0.hasPrefix("  Kept ") }) else {
                throw ServerFailure(said)
            }
            let path = copy.drop { $0 != "/" }
            // The server has made and revoked a token of its own, which has no lease.
            let after = try Self.leases(.raft("\(path)/raft"), folder)
            try demand(Set(before).isDisjoint(with: after), "leases are in the copy: \(after)")
            let raw = keys.shares.compactMap { Data(base64Encoded: $0).map { [UInt8]($0) } }
            let secrets = raw + [Array(keys.rootToken.utf8), Array("hush hush, a drilled secret".utf8)]
            let found = try SecretSearch(secrets).find(below: folder, except: [shares])
            try demand(found.isEmpty, "secrets stand in \(found)")
        }
    }

    /// Keys of leases in a store.
    private static func leases(_ store: Migration.Store, _ folder: String) throws -> [String] {
        let file = "\(folder)/look.hcl"
        try store.block("storage").write(toFile: file, atomically: false, encoding: .utf8)
        return try BuiltProgram.run(["checksum", "-config", file], home: folder).split(separator: "\n")
            .filter { !$0.hasPrefix("#") }.map { String($0.dropFirst(66)) }.filter { $0.contains("sys/expire/") }
    }
}
