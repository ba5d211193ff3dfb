import Barrier
import BarrierTestKit
import FileBackend
import Foundation
import OpenBaoTestKit
import Storage
import TestSupport
import Testing

/// A store of before Vault 1.3, whose shares are the root key itself: OpenBao does not unseal it, and does once it is made fit.
@Suite struct LegacySealTests {
    @Test func aLegacyStoreServesWithTheSameShares() async throws {
        try await Journey.run { folder in
            let old = try Node(.lastOnFiles, "old", in: folder, .file)
            try old.start()
            let keys = try old.initialise()
            try old.unseal(keys)
            let contents = try Filling.fill(old.api, seed: 15, namespaces: false)
            old.kill()
            let store = try FileBackend(path: old.data, mustExist: true)
            try OpenedBarrier.makeLegacy(store, keyShares(keys.shares))
            let secrets = try OpenedBarrier(store, keyShares(keys.shares)).secrets
            store.close()

            // As it is, the newest server answers the last share with an error.
            let refused = try Node(.newest, "refused", in: folder, .raft())
            try Migration(folder).run(from: .file(old.data), to: refused)
            try refused.start()
            var answer = ""
            try eventually("the last share is refused") {
                for share in keys.shares {
                    answer = try refused.api.send("PUT", "sys/unseal", "{\"key\":\"\(share)\"}").errors
                }
                return answer.contains("invalid key size 0")
            }
            refused.kill()

            let first = try Node(.newest, "node1", in: folder, .raft())
            let shares = "\(folder)/shares"
            try Scratch.write(keys.shares.joined(separator: "\n").utf8, to: shares)
            let said = try Migration(folder).runUpgrade(from: .file(old.data), to: first, sharesFile: shares)
            try demand(said.contains("added core/hsm/barrier-unseal-keys"), said)
            let raw = keys.shares.compactMap { Data(base64Encoded: $0).map { [UInt8]($0) } }
            let found = try SecretSearch(raw + secrets).find(below: folder, except: [shares])
            try demand(found.isEmpty, "secrets stand in \(found)")

            let left = try Cluster.grow(from: first, keys, contents, in: folder)
            try rekey(left[0], keys, contents)
        }
    }

    /// Gives the cluster a root key of its own, with new shares, as the printed steps advise.
    private func rekey(_ active: Node, _ keys: UnsealKeys, _ contents: Contents) throws {
        let api = active.api
        let begun = try api.ask(
            "POST", "sys/rotate/root/init", #"{"secret_shares":5,"secret_threshold":3}"#)
        let nonce = begun["nonce"]?.text ?? begun["data.nonce"]?.text ?? ""
        var last = JSONValue.null
        for share in keys.shares {
            last = try api.ask("POST", "sys/rotate/root/update", "{\"key\":\"\(share)\",\"nonce\":\"\(nonce)\"}")
        }
        let shares = (last["keys_base64"] ?? last["data.keys_base64"])?.elements.compactMap(\.text) ?? []
        try demand(shares.count == 5 && shares != keys.shares, "the rekey gives new shares: \(shares.count)")
        try contents.check(api)
        active.stop()
        try active.start()
        try active.unseal(UnsealKeys(shares: Array(shares.prefix(3)), rootToken: keys.rootToken))
    }
}

extension Migration {
    /// Moves a legacy store and makes it fit, with proof.
    ///
    /// - Returns: What the program said.
    func runUpgrade(from source: Store, to node: Node, sharesFile: String) throws -> String {
        let file = "\(node.data).migrate.hcl"
        let block = "storage_destination \"raft\" {\n  path = \"\(node.data)\"\n  node_id = \"\(node.name)\"\n}\n"
        let text = source.block("storage_source") + block + "cluster_addr = \"\(node.clusterAddress)\"\n"
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        let home = URL(filePath: file).deletingLastPathComponent().path
        return try runProgram(
            "/bin/sh",
            [
                "-c", "exec \"$0\" \"$@\" 5< '\(sharesFile)'", BuiltProgram.path, "operator", "migrate", "-config",
                file,
                "-practice", "-prove", "-upgrade-legacy-seal", "-shares-fd", "5",
            ], ["HOME": home, "XDG_STATE_HOME": "\(home)/state"])
    }
}
