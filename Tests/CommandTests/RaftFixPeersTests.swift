import Foundation
import TestSupport
import Testing

/// `sealift raft fix-peers`: what is shown, what is written, what is refused.
@Suite struct RaftFixPeersTests {
    private static let folder = "raft-openbao-native/data"

    @Test func aNodeThatNobodyCanDialIsShown() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        let before = try footprint(store.path)
        let shown = try sandbox.sealift(["raft", "fix-peers", "-node-id", "node1", store.path])
        #expect(shown.code == 3 && shown.errors == "")
        for line in [
            "Node id     node1", "Data        index 751, term 3", "  node1  127.0.0.1:8211  voter",
            "  node1 at 127.0.0.1:8211: the address is a loopback address: the other nodes would dial themselves.",
        ] { #expect(shown.outputLines.contains(line), "\(line) is not in \(shown.output)") }
        let look = try sandbox.look(at: store.path, ["-node-id", "node9"])
        #expect(look.code == 3 && look.servers == ["node1 127.0.0.1:8211 voter"] && look.next == "vault.db")
        #expect(look.findings == ["loopback_address", "not_a_member"])
        #expect(try footprint(store.path) == before)

        // The server's own file leads to the same directory, and says the id.
        let file = try sandbox.write(
            "server.hcl", "storage \"raft\" {\n  path = \"\(store.path)\"\n  node_id = \"node1\"\n}\n")
        #expect(try sandbox.sealift(["raft", "fix-peers", "-config", file]).output == shown.output)
    }

    @Test func peersJSONIsWrittenAsServersReadIt() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        let before = try footprint(store.path).filter { !["", "raft"].contains($0.key) }
        let words = ["raft", "fix-peers", "-peer", "node1=10.0.0.11:8201", "-peer", "a b=[fd00::12]:8201,non-voter"]
        let dry = try sandbox.sealift(words + ["-dry-run", store.path])
        #expect(dry.code == 0 && dry.output.hasPrefix("\(store.path)/raft/peers.json would say:\n"), "\(dry.errors)")
        #expect(!exists("\(store.path)/raft/peers.json"))

        let outcome = try sandbox.sealift(words + [store.path])
        #expect(outcome.code == 0 && outcome.output.contains("refuses a peers.json with non-voters"))
        #expect(
            try text(of: "\(store.path)/raft/peers.json") == """
                [
                  {"id":"node1","address":"10.0.0.11:8201","non_voter":false},
                  {"id":"a b","address":"[fd00::12]:8201","non_voter":true}
                ]

                """)
        let after = try footprint(store.path).filter { !["", "raft", "raft/peers.json"].contains($0.key) }
        #expect(after == before)
        #expect(try sandbox.sealift(words + [store.path]).output.contains("says so already; nothing was changed"))
        let look = try sandbox.look(at: store.path)
        #expect(look.code == 0 && look.next == "peers.json")
        #expect(look.servers == ["node1 10.0.0.11:8201 voter", "a b [fd00::12]:8201 non-voter"])

        let other = ["raft", "fix-peers", "-set-address", "node1=10.0.0.13:8201", store.path]
        let refused = try sandbox.sealift(other)
        #expect(refused.code == 2 && refused.errors.contains("is there already and says something else"))
        let forced = try sandbox.sealift(["raft", "fix-peers", "-force"] + other.dropFirst(2))
        #expect(forced.code == 0, "\(forced.errors)")
        #expect(try text(of: "\(store.path)/raft/peers.json").contains("10.0.0.13:8201"))
        #expect(try text(of: "\(store.path)/raft/peers.json").contains("[fd00::12]:8201"))
        let kept = sandbox.oldFiles(of: store.path)["raft/peers.json", default: []]
        #expect(kept.count == 1 && forced.output.contains(kept[0]))
        #expect(try text(of: kept[0]).contains("10.0.0.11:8201"))
        // A server would take peers.json, whatever vault.db says.
        let record = try sandbox.sealift(["raft", "fix-peers", "-method=vault-db"] + other.dropFirst(2))
        #expect(record.code == 2 && record.errors.contains("wins over vault.db"))
    }

    @Test(arguments: [Fixture.raftOpenBao, .raftVault])
    func theRecordInVaultDBIsReplacedAndNothingElse(_ fixture: Fixture) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(fixture)
        let (vault, log) = ("\(store.path)/vault.db", "\(store.path)/raft/raft.db")
        let (vaultHash, logHash) = (try sandbox.sha256(of: vault), try sandbox.sha256(of: log))
        #expect(chmod(vault, 0o640) == 0)
        let digest = try sandbox.digest(of: store)
        let words = ["raft", "fix-peers", "-method", "vault-db", "-set-address", "node1=10.0.0.11:8201"]
        let dry = try sandbox.sealift(words + ["-dry-run", "-format=json", store.path])
        #expect(dry.code == 0 && dry.output.contains("\"dry_run\":true"))
        #expect(try sandbox.sha256(of: vault) == vaultHash)

        let outcome = try sandbox.hasty(words + [store.path])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try sandbox.sha256(of: log) == logHash && sandbox.digest(of: store) == digest)
        try GoProgram.boltcheck.run("check", vault)
        let kept = sandbox.oldFiles(of: store.path)["vault.db", default: []]
        #expect(try kept.map { try sandbox.sha256(of: $0) } == [vaultHash])
        var info = stat()
        #expect(stat(vault, &info) == 0 && info.st_mode & 0o777 == 0o640)
        let look = try sandbox.look(at: store.path)
        #expect(look.code == 0 && look.servers == ["node1 10.0.0.11:8201 voter"] && look.index == 1)
        #expect(try sandbox.sealift(words + [store.path]).output.contains("says so already; nothing was changed"))

        // Entry for entry, as the original library reads both: but for one record all is the same.
        try sandbox.shell("cp -a '\(store.path)' '\(sandbox.path)/back'")
        let back = try sandbox.hasty(
            [
                "raft", "fix-peers", "-practice", "-method=vault-db", "-peer",
                try sandbox.firstPeer(of: kept[0], fixture),
            ]
                + ["\(sandbox.path)/back"])
        #expect(back.code == 0, "\(back.errors)")
        for (file, dump) in [("\(sandbox.path)/back/vault.db", "a"), (kept[0], "b")] {
            try GoProgram.boltcheck.run("dump", file, "\(sandbox.path)/\(dump)")
        }
        try sandbox.shell("cmp '\(sandbox.path)/a' '\(sandbox.path)/b'")
    }

    /// What stands in `raft.db` behind the data, and what is said of it.
    private static let logs: [(kinds: String, findings: [String], servers: [String], next: String?, refusal: String)] =
        [
            ("nmc", ["not_a_member"], ["node2 10.0.0.2:8201 voter"], "raft.db", "a newer membership, at index 753"),
            ("ncb", ["loopback_address"], ["node1 127.0.0.1:8211 voter"], "vault.db", ""),
            ("nmx", ["log_unreadable", "loopback_address"], [], nil, "cannot be read: if it is a membership"),
            ("nxm", ["not_a_member"], ["node2 10.0.0.2:8201 voter"], "raft.db", "a newer membership, at index 754"),
            ("nf", ["log_unreadable", "loopback_address"], [], nil, "cannot be read: if it is a membership"),
        ]

    @Test(arguments: logs)
    func aNewerMembershipInTheLogWins(
        _ given: (kinds: String, findings: [String], servers: [String], next: String?, refusal: String)
    ) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        let log = "\(store.path)/raft/raft.db"
        try FileManager.default.removeItem(atPath: log)
        try GoProgram.raftcheck.run("log", log, "752", given.kinds)
        let look = try sandbox.look(at: store.path, ["-node-id", "node1"])
        #expect(look.findings == given.findings && look.servers == given.servers && look.next == given.next)
        let words = ["raft", "fix-peers", "-node-id", "node1"]
        let record = try sandbox.hasty(words + ["-method=vault-db", "-peer", "node1=10.0.0.1:8201", store.path])
        #expect(record.code == (given.refusal.isEmpty ? 0 : 2), "\(record.errors)")
        if !given.refusal.isEmpty {
            #expect(record.errors.contains(given.refusal) && record.errors.contains("peers-json"), "\(record.errors)")
        }
        let part = try sandbox.sealift(words + ["-dry-run", "-set-address", "node1=10.0.0.1:8201", store.path])
        if given.next == nil { #expect(part.code == 2 && part.errors.contains("Give all of it: -peer for every node")) }
        if given.next == "raft.db" { #expect(part.code == 1 && part.errors.contains("There is no server node1")) }
        let whole = try sandbox.sealift(words + ["-peer", "node1=10.0.0.1:8201", store.path])
        #expect(whole.code == 0, "\(whole.errors)")
    }

    private static let mistakes: [(flags: [String], code: Int32, says: String)] = [
        (["-peer", "node1"], 1, "write ID=HOST:PORT"), (["-peer", "=10.0.0.1:8201"], 1, "there is no id in it"),
        (["-peer", "node1=127.0.0.1:8201"], 1, "add -practice"), (["-peer", "node1=10.0.0.1"], 1, "has no port"),
        (["-peer", "node1=0.0.0.0:8201"], 1, "unspecified address"), (["-peer", "node1=:8201"], 1, "names no host"),
        (["-peer", "node1=https://10.0.0.1:8201"], 1, "is a URL"),
        (["-peer", "node1=10.0.0.1:8201/x"], 1, "holds more than host and port"),
        (["-peer", "node1=10.0.0.1:82 01"], 1, "is no host and port"),
        (["-peer", "node1=10.0.0.1:8201", "-peer", "node1=10.0.0.2:8201"], 1, "The id node1 is there twice"),
        (["-peer", "node1=10.0.0.1:8201", "-peer", "b=10.0.0.1:8201"], 1, "The address 10.0.0.1:8201 is there twice"),
        (["-peer", "node1=10.0.0.1:8201,non-voter"], 1, "No server has a vote"),
        (["-peer", "b=10.0.0.1:8201", "-node-id=node1"], 1, "is not among the servers"),
        (["-peer", "b=10.0.0.1:8201", "-remove", "node1"], 1, "give one or the other"),
        (["-set-address", "b=10.0.0.1:8201"], 1, "There is no server b. There are: node1"),
        (["-remove", "node1"], 1, "No server would be left"), (["-method=x"], 1, "peers-json or vault-db"),
        (["-format=xml"], 1, "Invalid output format"), (["-peer", "a\\x=10.0.0.1:8201"], 1, "there is no id in it"),
    ]

    @Test(arguments: mistakes)
    func whatNoClusterCouldFormWithIsRefused(_ flags: [String], _ code: Int32, _ says: String) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        let before = try footprint(store.path).filter { !$0.key.isEmpty }
        let outcome = try sandbox.sealift(["raft", "fix-peers"] + flags + [store.path])
        #expect(outcome.code == code && outcome.errors.contains(says), "\(outcome.errors)")
        #expect(outcome.output == "")
        #expect(try footprint(store.path).filter { !$0.key.isEmpty } == before)
    }

    /// Ids are bytes: one with a line feed, as a `node-id` file may hold it, is given with an escape.
    @Test func anIdWithALineFeedIsGivenWithAnEscape() throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        try sandbox.write("\(Self.folder)/node-id", "node1\n")
        #expect(try sandbox.look(at: store.path).findings == ["loopback_address", "not_a_member"])
        let outcome = try sandbox.sealift(["raft", "fix-peers", "-peer", "node1\\x0a=10.0.0.1:8201", store.path])
        #expect(outcome.code == 0 && outcome.output.contains("  node1\\x0a  10.0.0.1:8201  voter"), "\(outcome.errors)")
        #expect(try text(of: "\(store.path)/raft/peers.json").contains(#""id":"node1\u000a""#))
    }

    @Test(arguments: ["not json", "{}", "[]", "[{\"id\":\"a\"}]", "[1]", "[{\"id\":\"\",\"address\":\"b:1\"}]"])
    func aPeersJSONThatNoServerTakesIsNamed(_ content: String) throws {
        let sandbox = try Sandbox()
        let store = try sandbox.unpack(.raftOpenBao)
        try sandbox.write("\(Self.folder)/raft/peers.json", content)
        let look = try sandbox.look(at: store.path)
        #expect(look.code == 3 && look.findings.contains("peers_json_unusable"))
    }
}

/// What `fix-peers -format=json` shows.
struct PeersShown {
    let code: Int32
    let servers: [String]
    let next: String?
    let index: Int?
    let findings: [String]
}

extension Sandbox {
    func look(at path: String, _ flags: [String] = []) throws -> PeersShown {
        let outcome = try sealift(["raft", "fix-peers", "-format=json"] + flags + [path])
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any], "\(outcome.errors)")
        let servers = (object["servers"] as? [[String: String]] ?? []).map {
            [$0["id"] ?? "", $0["address"] ?? "", $0["suffrage"] ?? ""].joined(separator: " ")
        }
        return PeersShown(
            code: outcome.code, servers: servers, next: object["next_start"] as? String,
            index: (object["latest_config"] as? [String: Any])?["index"] as? Int,
            findings: (object["findings"] as? [[String: String]] ?? []).compactMap { $0["code"] })
    }

    /// `-peer`'s word for the only server of an old `vault.db`.
    fileprivate func firstPeer(of file: String, _ fixture: Fixture) throws -> String {
        try makeFolder("\(path)/old/raft")
        try shell("cp '\(file)' '\(path)/old/vault.db'")
        let server = try #require(try look(at: "\(path)/old").servers.first).split(separator: " ")
        return "\(server[0])=\(server[1])"
    }
}
