import Foundation
import TestSupport
import Testing

/// `sealift raft spread`: copies for the other nodes of a cluster, and one `peers.json` for all.
@Suite struct RaftSpreadTests {
    private static func words(_ sandbox: Sandbox, _ from: String, _ names: [String] = ["node2", "node3"]) -> [String] {
        ["raft", "spread", "-practice", "-from", from]
            + names.flatMap { name in
                ["-node", "\(name)=10.0.0.\(name.suffix(1)):8201,path=\(sandbox.path)/nodes/\(name)"]
            }
    }

    private static func prepared() throws -> (sandbox: Sandbox, from: String) {
        let sandbox = try Sandbox()
        try makeFolder("\(sandbox.path)/nodes")
        return (sandbox, try sandbox.unpack(.raftOpenBao).path)
    }

    private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(filePath: path)) }

    @Test func aNodeBecomesACluster() throws {
        let (sandbox, from) = try Self.prepared()
        try sandbox.shell("printf node1 > '\(from)/node-id'")
        let digest = try sandbox.digest(of: .raft(from))
        let before = try footprint(from).filter { !["", "raft"].contains($0.key) }
        let words = Self.words(sandbox, from)
        let dry = try sandbox.sealift(words + ["-dry-run"])
        #expect(dry.code == 0 && dry.output.hasPrefix("Dry run: nothing was written."), "\(dry.errors)")
        #expect(Scratch.names(in: "\(sandbox.path)/nodes").isEmpty && !exists("\(from)/raft/peers.json"))

        let outcome = try sandbox.sealift(words)
        #expect(outcome.code == 0 && outcome.output.contains("sha256:\(digest)"), "\(outcome.errors)")
        let after = try footprint(from).filter { !["", "raft", "raft/peers.json"].contains($0.key) }
        #expect(after == before)
        let peers = try text(of: "\(from)/raft/peers.json")
        #expect(
            peers == """
                [
                  {"id":"node1","address":"127.0.0.1:8211","non_voter":false},
                  {"id":"node2","address":"10.0.0.2:8201","non_voter":false},
                  {"id":"node3","address":"10.0.0.3:8201","non_voter":false}
                ]

                """)
        for name in ["node2", "node3"] {
            let path = "\(sandbox.path)/nodes/\(name)"
            #expect(
                Scratch.names(in: path).sorted()
                    == ["raft", "raft/peers.json", "raft/raft.db", "raft/snapshots", "vault.db"])
            for file in ["vault.db", "raft/raft.db", "raft/peers.json"] {
                #expect(try bytes("\(path)/\(file)") == bytes("\(from)/\(file)"), "\(name) \(file)")
            }
        }
        #expect(Scratch.names(in: "\(sandbox.path)/nodes").count == 12)

        // One that is gone is made again, the others are left as they are.
        try FileManager.default.removeItem(atPath: "\(sandbox.path)/nodes/node3")
        let kept = try footprint("\(sandbox.path)/nodes/node2")
        let again = try sandbox.sealift(words + ["-format=json"])
        #expect(again.code == 0, "\(again.errors)")
        let nodes = try #require(try again.events().last?["nodes"] as? [[String: String]])
        #expect(nodes.map { $0["state"] } == ["origin", "there", "made"])
        #expect(try footprint("\(sandbox.path)/nodes/node2") == kept)
    }

    @Test func copiesThatDoNotFitAreRefusedBeforeTheFirst() throws {
        let (sandbox, from) = try Self.prepared()
        let nodes = "\(sandbox.path)/nodes"
        let size = try bytes("\(from)/vault.db").count + bytes("\(from)/raft/raft.db").count
        // Room for one and a half of two, in a space of mounts that is gone with the program.
        let script = try sandbox.write(
            "run.sh",
            """
            mount -t tmpfs -o size=\(size * 3 / 2) none '\(nodes)' || exit 99
            "$@"
            code=$?
            ls -A '\(nodes)'
            exit $code
            """)
        let outcome = try sandbox.startShell(
            "unshare \(geteuid() == 0 ? "-m" : "-r -m") sh '\(script)' \"$0\" \"$@\"", Self.words(sandbox, from)
        ).outcome()
        #expect(outcome.code == 2 && outcome.errors.contains("the copies need"), "\(outcome.code) \(outcome.errors)")
        #expect(outcome.output.isEmpty && !exists("\(from)/raft/peers.json"), "\(outcome.output)")
    }

    /// Only root may give files away.
    @Test(.enabled(if: geteuid() == 0)) func copiesThatAreThereAreGivenAway() throws {
        let (sandbox, from) = try Self.prepared()
        let words = Self.words(sandbox, from)
        #expect(try sandbox.sealift(words).code == 0)
        let outcome = try sandbox.sealift(words + ["-chown=12345:23456"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        for name in ["node2", "node3"] {
            let said = try sandbox.shell("find '\(sandbox.path)/nodes/\(name)' ! -uid 12345 -o ! -gid 23456")
            #expect(said.isEmpty, "\(said)")
        }
        // Nobody asked for another owner: whose they are was somebody's own doing.
        #expect(try sandbox.sealift(words).code == 0)
        #expect(try sandbox.shell("find '\(sandbox.path)/nodes' -mindepth 1 ! -uid 12345").isEmpty)
    }

    @Test func whatCannotBeSpreadIsRefused() throws {
        let (sandbox, from) = try Self.prepared()
        let words = Self.words(sandbox, from)
        // A server that runs holds the lock of its vault.db.
        let lock = try sandbox.startShell("exec flock -x '\(from)/vault.db' sleep 100")
        defer { lock.program.send(SIGKILL) }
        try waitUntil("the file is locked") {
            try sandbox.shell("flock -n -x '\(from)/vault.db' true || echo held") != ""
        }
        let running = try sandbox.sealift(words)
        #expect(running.code == 2 && running.errors.contains("a server runs on this directory"), "\(running.errors)")
        lock.program.send(SIGKILL)
        _ = try lock.outcome()

        // Something stands at a node's place.
        try makeFolder("\(sandbox.path)/nodes/node3")
        try sandbox.write("nodes/node3/vault.db", "somebody's")
        let taken = try sandbox.sealift(words)
        #expect(taken.code == 2 && taken.errors.contains("node3 is not empty"), "\(taken.errors)")
        #expect(!exists("\(sandbox.path)/nodes/node2") && !exists("\(from)/raft/peers.json"))
        #expect(try text(of: "\(sandbox.path)/nodes/node3/vault.db") == "somebody's")

        // A membership that is waiting is somebody's wish.
        try FileManager.default.removeItem(atPath: "\(sandbox.path)/nodes/node3")
        try sandbox.shell("printf '[{\"id\":\"x\",\"address\":\"10.0.0.9:8201\"}]' > '\(from)/raft/peers.json'")
        let waiting = try sandbox.sealift(words)
        #expect(waiting.code == 2 && waiting.errors.contains("says something else"), "\(waiting.errors)")
        #expect(Scratch.names(in: "\(sandbox.path)/nodes").isEmpty)
    }

    @Test func aStoreWithoutAKeyRingIsToBeStartedFirst() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised)
        let file = try sandbox.configuration(source, .raft("\(sandbox.path)/raft"))
        #expect(try sandbox.migrate(file).code == 0)
        let outcome = try sandbox.sealift(Self.words(sandbox, "\(sandbox.path)/raft"))
        #expect(outcome.code == 2 && outcome.errors.contains("has no core/raft/tls yet"), "\(outcome.errors)")
        #expect(!exists("\(sandbox.path)/nodes"))
    }

    /// A log that is ahead of its data.
    @Test func aLogWithWritesIsRefused() throws {
        let (sandbox, from) = try Self.prepared()
        let other = try sandbox.unpack(.raftVault).path
        try sandbox.shell("cp '\(other)/raft/raft.db' '\(from)/raft/raft.db'")
        let outcome = try sandbox.sealift(Self.words(sandbox, from))
        #expect(outcome.code == 2, "\(outcome.output)")
        #expect(!exists("\(sandbox.path)/nodes/node2"))
    }

    private static let mistakes: [(words: [String], says: String)] = [
        ([], "-node names no node"), (["-node", "node2"], "write ID=HOST:PORT,path=PATH"),
        (["-node", "node2=10.0.0.2:8201,path=nodes"], "with an absolute path"),
        (["-node", "node2=10.0.0.2,path=/x"], "has no port"),
        (["-node", "node1=10.0.0.2:8201,path=/x"], "node1 is there twice"),
        (["-node", "node2=10.0.0.2:8201,non-voter,path=/x"], "a node without a vote is not made here"),
    ]

    @Test(arguments: mistakes)
    func mistakesAreNamed(_ words: [String], _ says: String) throws {
        let (sandbox, from) = try Self.prepared()
        let outcome = try sandbox.sealift(["raft", "spread", "-practice", "-from", from] + words)
        #expect(outcome.code == 1 && outcome.errors.contains(says), "\(outcome.errors)")
    }

    /// Two names of one directory are not two nodes.
    @Test func theOriginalByAnotherNameIsNoCopy() throws {
        let (sandbox, from) = try Self.prepared()
        let words = Self.words(sandbox, from)
        #expect(try sandbox.sealift(words).code == 0)
        try sandbox.shell("cd '\(sandbox.path)/nodes' && rm -r node2 && cp -al '\(from)' node2")
        let linked = try sandbox.sealift(words)
        #expect(linked.code == 2 && linked.errors.contains("node2 is not empty"), "\(linked.errors)")
    }

    /// Killed before some of its changes to the disk, the same command comes to the same end.
    @Test func everyKillIsTakenUp() throws {
        let (sandbox, from) = try Self.prepared()
        let words = Self.words(sandbox, from)
        var (isDone, kills) = (false, 0)
        for step in Swift.stride(from: 1, through: Steps.maximum, by: Effort.stride(5)) where !isDone {
            try? FileManager.default.removeItem(atPath: "\(sandbox.path)/nodes")
            unlink("\(from)/raft/peers.json")
            try makeFolder("\(sandbox.path)/nodes")
            let outcome = try sandbox.sealift(words, adding: try Steps.variables(["STEPS_KILL": "\(step)"]))
            isDone = outcome.code == 0
            if !isDone {
                #expect(outcome.code == -SIGKILL, "\(outcome.errors)")
                kills += 1
                for name in ["node2", "node3"] where exists("\(sandbox.path)/nodes/\(name)/vault.db") {
                    for file in ["vault.db", "raft/raft.db"] {
                        #expect(try bytes("\(sandbox.path)/nodes/\(name)/\(file)") == bytes("\(from)/\(file)"))
                    }
                }
                let finished = try sandbox.sealift(words)
                #expect(finished.code == 0, "step \(step): \(finished.errors)")
            }
            #expect(Scratch.names(in: "\(sandbox.path)/nodes").count == 12, "step \(step)")
            #expect(exists("\(from)/raft/peers.json"))
        }
        #expect(isDone && kills > 4, "\(kills) kills")
    }
}
