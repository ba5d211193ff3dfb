import Foundation
import TestSupport
import Testing

/// Runs that change a stopped node are killed before every single change to the disk: a server always finds whole files,
/// and the same command again puts right what is left.
@Suite struct RaftKillTests {
    enum Work: String, CaseIterable {
        case compact, compactRemovingOld, compactPlainly, record, peersFile, otherPeersFile

        var words: [String] {
            let peers = ["-peer", "node1=10.0.0.11:8201", "-peer", "node2=10.0.0.12:8201"]
            return switch self {
            case .compact, .compactPlainly: ["raft", "compact"]
            case .compactRemovingOld: ["raft", "compact", "-remove-old"]
            case .record: ["raft", "fix-peers", "-method=vault-db"] + peers
            case .peersFile: ["raft", "fix-peers"] + peers
            case .otherPeersFile: ["raft", "fix-peers", "-force"] + peers
            }
        }

        var settings: [String: String] {
            self == .compactPlainly ? ["STEPS_HASTE": "1", "STEPS_PLAIN": "1"] : ["STEPS_HASTE": "1"]
        }

        var isCompaction: Bool { words[1] == "compact" }
    }

    private static let otherPeers = #"[{"id":"node1","address":"10.0.0.99:8201","non_voter":false}]"#

    @Test(arguments: Work.allCases)
    func everyKillIsPutRight(_ work: Work) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        let files = ["vault.db", "raft/raft.db"]
        if work == .otherPeersFile { try sandbox.write("raft-openbao-native/data/raft/peers.json", Self.otherPeers) }
        let original = try sandbox.dumps(of: store.path)
        let hashes = try files.map { try sandbox.sha256(of: "\(store.path)/\($0)") }
        var (isDone, kills) = (false, 0)
        for step in stride(from: 1, through: Steps.maximum, by: work == .compact ? 1 : Effort.stride(2)) where !isDone {
            let node = "\(sandbox.path)/node"
            try sandbox.shell("rm -rf '\(node)'; cp -a '\(store.path)' '\(node)'")
            var settings = work.settings
            settings["STEPS_KILL"] = "\(step)"
            let outcome = try sandbox.sealift(work.words + [node], adding: try Steps.variables(settings))
            if outcome.code == 0 {
                isDone = true
                continue
            }
            #expect(outcome.code == -SIGKILL, "step \(step): \(outcome.errors)")
            kills += 1
            if work.isCompaction {
                #expect(try sandbox.dumps(of: node) == original, "step \(step)")
            } else {
                #expect(try sandbox.digest(of: .raft(node)) == sandbox.digest(of: store), "step \(step)")
            }
            let again = try sandbox.sealift(work.words + [node], adding: try Steps.variables(work.settings))
            #expect(again.code == 0, "step \(step): \(again.errors)")
            #expect(!exists("\(node)/.sealift-work"), "step \(step)")
            try expectResult(work, node, original, sandbox, "step \(step)")
            // What was replaced is there, unless it was to go: under one name.
            guard work == .compact || work == .compactPlainly || work == .record else { continue }
            for (file, hash) in zip(files, hashes) where work.isCompaction || file == "vault.db" {
                let kept = try sandbox.oldFiles(of: node)[file, default: []].map { try sandbox.sha256(of: $0) }
                #expect(kept == [hash], "step \(step): \(kept)")
            }
        }
        #expect(isDone && kills > 5, "\(kills) kills")
    }

    private func expectResult(
        _ work: Work, _ node: String, _ original: [String], _ sandbox: Sandbox, _ comment: Comment
    ) throws {
        if work.isCompaction {
            #expect(try sandbox.dumps(of: node) == original, comment)
            for file in ["vault.db", "raft/raft.db"] {
                #expect(try sandbox.bytes("\(node)/\(file)") < 2_000_000, comment)
                try GoProgram.boltcheck.run("check", "\(node)/\(file)")
            }
            return
        }
        let look = try sandbox.look(at: node)
        #expect(look.servers == ["node1 10.0.0.11:8201 voter", "node2 10.0.0.12:8201 voter"], comment)
        #expect(look.next == (work == .record ? "vault.db" : "peers.json"), comment)
        if work == .otherPeersFile {
            let kept = try #require(sandbox.oldFiles(of: node)["raft/peers.json"]?.first)
            #expect(try text(of: kept) == Self.otherPeers, comment)
        }
    }
}
