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

    /// Whatever somebody does to the new file before it is in place: it never gets there.
    @Test func aNewFileThatIsNotTheSameIsNotPutInPlace() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftVault)
        let original = try sandbox.dumps(of: store.path)
        let spoil = try sandbox.write(
            "spoil.py",
            """
            os, sys = map(__import__, ["os", "sys"])
            data = bytearray(open(sys.argv[1], "rb").read()) if os.path.exists(sys.argv[1]) else b""
            # Once both have changed places, the old file stands there, which has another name.
            # A page that goes on with a long value does not begin with its own number.
            rest = [p for p in range(2, len(data) // 4096) if data[p * 4096:p * 4096 + 8] != p.to_bytes(8, "little")]
            if data[16:20] == b"\\xed\\xda\\x0c\\xed" and rest and os.stat(sys.argv[1]).st_nlink == 1:
                with open(sys.argv[1], "r+b") as file:
                    file.seek(rest[0] * 4096 + 2000)
                    file.write(bytes([data[rest[0] * 4096 + 2000] ^ 1]))
                print("spoiled")
            """)
        var spoiled = 0
        for step in 9...30 {
            let node = "\(sandbox.path)/node"
            try sandbox.shell("rm -rf '\(node)'; cp -a '\(store.path)' '\(node)'")
            let run = try sandbox.start(
                Work.compact.words + [node],
                adding: try Steps.variables(["STEPS_HASTE": "1", "STEPS_STOP": "\(step)"]))
            try waitUntil("the run is halted") { run.program.isHalted }
            let isSpoiled = try sandbox.shell("python3 '\(spoil)' '\(node)/.sealift-work/raft.db'") != ""
            run.program.send(SIGCONT)
            let outcome = try run.outcome()
            #expect(try sandbox.dumps(of: node) == original, "step \(step)")
            guard isSpoiled else { continue }
            spoiled += 1
            #expect(outcome.code == 2, "step \(step): \(outcome.errors)")
            #expect(
                ["does not read back", "written to", "another process"].contains { outcome.errors.contains($0) },
                "step \(step): \(outcome.errors)")
        }
        #expect(spoiled >= 3)
    }

    @Test func aFileSystemWithoutHardLinksIsRefused() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftVault)
        let before = try footprint(store.path).filter { !$0.key.isEmpty }
        for work in [Work.compact, .record] {
            let outcome = try sandbox.sealift(
                work.words + [store.path], adding: try Steps.variables(["STEPS_HASTE": "1", "STEPS_LINKLESS": "1"]))
            #expect(outcome.code == 2 && outcome.errors.contains("on a file system that knows hard links"))
            #expect(try footprint(store.path).filter { !$0.key.isEmpty } == before)
        }
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
