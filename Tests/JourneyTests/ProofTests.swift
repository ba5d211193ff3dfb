import Foundation
import OpenBaoTestKit
import TestSupport
import Testing

/// Stores that a server of today wrote, proven with the shares of its initialisation.
@Suite struct ProofTests {
    /// Mounts in entries of their own, namespaces in namespaces, and one with a seal of its own.
    @Test func aStoreWithNamespacesIsProven() async throws {
        try await Journey.run { folder in
            let node = try Node(.newest, "node1", in: folder, .raft())
            try node.start()
            let keys = try node.initialise()
            try node.unseal(keys)
            try eventually("the node is active") { try node.isActive() }
            _ = try Filling.fill(node.api, seed: 16)
            try runProgram(
                ServerVersion.newest.program(),
                ["namespace", "create", "-key-shares=3", "-key-threshold=2", "vaulted"],
                ["BAO_ADDR": node.api.url, "BAO_TOKEN": keys.rootToken, "HOME": folder])
            node.stop()
            let shares = "\(folder)/shares"
            try Scratch.write(keys.shares.joined(separator: "\n").utf8, to: shares)
            let file = "\(folder)/prove.hcl"
            let text = "storage \"raft\" {\n  path = \"\(node.data)\"\n  node_id = \"node1\"\n}\n"
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            let said = try runProgram(
                "/bin/sh",
                [
                    "-c", "exec \"$0\" \"$@\" 5< '\(shares)'", BuiltProgram.path, "prove", "-config", file, "-mounts",
                    "-for=openbao-2.7", "-shares-fd", "5",
                ])
            // Every entry of the one namespace whose keys are not at hand, and no other.
            try demand(said.contains("authenticated; the others are not checkable"), said)
            try demand(said.contains("  Failed          0\n") && said.contains("  Unknown term    0\n"), said)
            try demand(said.contains("  Not checkable   "), said)
            let folders = said.split(separator: "\n").filter { $0.contains("not checkable") && $0.contains("/  ") }
            try demand(folders.count == 1 && folders[0].contains("namespaces/"), said)
            try demand(said.contains(#/\n    kv2\/ +kv +[0-9a-f-]{36} +\d+ entries/#), said)
            try demand(said.contains(#/\n    [0-9a-f-]{36}: [a-z0-9]+\/ +kv +[0-9a-f-]{36} +\d+ entr/#), said)
            try demand(said.contains("openbao-2.7 has a plugin for every mount"), said)
            try demand(!said.contains("Entries of no mount") && said.contains("has a seal of its own"), said)
            let raw = keys.shares.compactMap { Data(base64Encoded: $0).map { [UInt8]($0) } }
            let found = try SecretSearch(raw).find(below: folder, except: [shares])
            try demand(found.isEmpty, "shares stand in \(found)")
        }
    }
}
