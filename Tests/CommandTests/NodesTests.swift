import Foundation
import TestSupport
import Testing

/// A cluster that is written at once: `node` blocks of `storage_destination "raft"`.
@Suite struct NodesTests {
    private static let entries =
        SampleEntry.initialised + [SampleEntry("core/raft/tls")] + (0..<500).map { SampleEntry("logical/\($0)") }

    /// A migration's file with a node for each name; the one whose name ends in `x` has no vote.
    private func configuration(
        _ sandbox: Sandbox, _ source: Store, _ names: [String] = ["node1", "node2", "node3"], more: String = ""
    ) throws -> String {
        let blocks = names.enumerated().map { number, name in
            """
              node {
                id           = "\(name)"
                cluster_addr = "https://10.0.0.1\(number + 1):8201"
                path         = "\(sandbox.path)/\(name)"
            \(name.hasSuffix("x") ? "    non_voter    = true\n" : "")  }

            """
        }
        return try sandbox.write(
            "migrate.hcl",
            source.block("storage_source") + "storage_destination \"raft\" {\n" + blocks.joined() + more + "}\n")
    }

    private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(filePath: path)) }

    private func expectWhole(_ sandbox: Sandbox, _ digest: String, _ names: [String]) throws {
        for name in names {
            #expect(try sandbox.digest(of: .raft("\(sandbox.path)/\(name)")) == digest, "\(name)")
            #expect(exists("\(sandbox.path)/\(name)/raft/raft.db"))
            #expect(!exists("\(sandbox.path)/\(name).sealift-building"))
        }
    }

    @Test func everyNodeGetsItsDirectory() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", Self.entries)
        let digest = try sandbox.digest(of: source)
        let names = ["node1", "node2", "node3", "node4x"]
        let file = try configuration(sandbox, source, names, more: "  node_id_file = true\n")
        let dry = try sandbox.migrate(file, ["-dry-run"])
        #expect(dry.code == 0 && !exists("\(sandbox.path)/node1"), "\(dry.errors)")
        let outcome = try sandbox.migrate(file, ["-format=json", "-state-dir", "\(sandbox.path)/state"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        try expectWhole(sandbox, digest, names)
        let first = try bytes("\(sandbox.path)/node1/vault.db")
        for name in ["node2", "node3"] { #expect(try bytes("\(sandbox.path)/\(name)/vault.db") == first) }
        #expect(try bytes("\(sandbox.path)/node4x/vault.db") != first)
        for name in names { #expect(try text(of: "\(sandbox.path)/\(name)/node-id") == name) }
        let result = try #require(try outcome.events().last)
        let destinations = try #require(result["destinations"] as? [[String: Any]])
        #expect(
            destinations.map { $0["copy_of"] as? String } == [
                nil, "\(sandbox.path)/node1", "\(sandbox.path)/node1", nil,
            ])
        for destination in destinations {
            #expect((destination["comparison"] as? [String: Int])?["same"] == Self.entries.count)
            let stanza = try #require(destination["server_stanza"] as? [String])
            #expect(stanza.contains { $0.contains("cluster_addr") } && !stanza.contains { $0.contains("node_id") })
        }
        let page = try text(of: "\(sandbox.path)/state/report.html")
        #expect(page.contains("compared byte for byte with <code>\(sandbox.path)/node1</code>"))

        // The same file names the stores for other commands, one at a time.
        let check = ["check", "-config", file]
        let unnamed = try sandbox.sealift(check)
        #expect(unnamed.code == 2 && unnamed.errors.contains("VAULT_RAFT_NODE_ID=node1"), "\(unnamed.errors)")
        for name in names {
            let one = try sandbox.sealift(check, adding: ["VAULT_RAFT_NODE_ID": name])
            #expect(one.code == 0, "\(one.errors)")
        }
        let again = try sandbox.migrate(file, ["-state-dir", "\(sandbox.path)/state"])
        #expect(again.code == 0 && again.output.contains("done before"), "\(again.errors)")
    }

    /// What all nodes have in common is said once.
    @Test func theStepsAreSaidOnce() throws {
        let sandbox = try Sandbox()
        let file = try configuration(sandbox, sandbox.makeFileStore("src", Self.entries))
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.components(separatedBy: "Next steps:").count == 2)
        #expect(outcome.output.components(separatedBy: "storage \"raft\" {").count == 4)
        #expect(outcome.output.contains("unseal one after the other"))
    }

    @Test func withoutAKeyRingTheWaysAreNamed() throws {
        let sandbox = try Sandbox()
        let file = try configuration(sandbox, sandbox.makeFileStore("src", SampleEntry.initialised))
        for more in [[], ["-dry-run"]] {
            let outcome = try sandbox.migrate(file, more)
            #expect(outcome.code == 2)
            #expect(outcome.errors.contains("no core/raft/tls") && outcome.errors.contains("sealift raft spread"))
        }
        for name in ["node1", "node2", "node3"] { #expect(!exists("\(sandbox.path)/\(name)")) }
    }

    @Test func whatStandsAtOneNodesPlaceStopsAll() throws {
        let sandbox = try Sandbox()
        try makeFolder("\(sandbox.path)/node3")
        try sandbox.write("node3/vault.db", "somebody's")
        let file = try configuration(sandbox, sandbox.makeFileStore("src", Self.entries))
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 2 && outcome.errors.contains("node3 is not empty"), "\(outcome.errors)")
        #expect(!exists("\(sandbox.path)/node1") && !exists("\(sandbox.path)/node2"))
        #expect(try text(of: "\(sandbox.path)/node3/vault.db") == "somebody's")
    }

    private static let mistakes: [(blocks: String, says: String)] = [
        ("node { id = \"a\", path = \"a\" }", "node block 1 needs cluster_addr"),
        ("node { id = \"a\", cluster_addr = \"https://10.0.0.1:8201\" }", "node block 1 needs path"),
        ("node { path = \"a\", cluster_addr = \"https://10.0.0.1:8201\" }", "node block 1 needs id"),
        (
            "node { id = \"a\", path = \"a\", cluster_addr = \"https://10.0.0.1:8201\", nonvoter = true }",
            "no option \"nonvoter\""
        ),
        (
            "node { id = \"a\", path = \"a\", cluster_addr = \"https://10.0.0.1:8201\", non_voter = true }",
            "None of the node blocks is a voter"
        ),
        (
            "node { id = \"a\", path = \"a\", cluster_addr = \"https://10.0.0.1:8201\", non_voter = \"often\" }",
            "non_voter is true or false"
        ),
        (
            "node { id = \"a\", path = \"a\", cluster_addr = \"https://10.0.0.1:8201\" }\n"
                + "node { id = \"a\", path = \"b\", cluster_addr = \"https://10.0.0.2:8201\" }",
            "Two node blocks have the id a"
        ),
        (
            "node { id = \"a\", path = \"a\", cluster_addr = \"https://10.0.0.1:8201\" }\n"
                + "node { id = \"b\", path = \"b\", cluster_addr = \"https://10.0.0.1:8201\" }",
            "Two node blocks have the cluster_addr 10.0.0.1:8201"
        ),
        (
            "node { id = \"a\", path = \"a\", cluster_addr = \"https://10.0.0.1:8201\" }\n"
                + "node { id = \"b\", path = \"a\", cluster_addr = \"https://10.0.0.2:8201\" }",
            "are one store, or lie within one another"
        ),
        ("node = \"a\"", "node is a block of its own"),
        (
            "node { id = \"a\", path = \"a\", path = \"b\", cluster_addr = \"https://10.0.0.1:8201\" }",
            "sets path twice in one node"
        ),
        (
            "node { id = \"a\", path = \"/x/a\", cluster_addr = \"https://10.0.0.1:8201\" }\n"
                + "node { id = \"b\", path = \"/x/a.sealift-building\", cluster_addr = \"https://10.0.0.2:8201\" }",
            "lies in the folder in which"
        ),
        (
            "path = \"x\"\nnode { id = \"a\", path = \"a\", cluster_addr = \"https://10.0.0.1:8201\" }",
            "path stands beside node blocks"
        ),
    ]

    @Test(arguments: mistakes)
    func mistakesHaveAPlace(_ blocks: String, _ says: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", Self.entries)
        let text =
            source.block("storage_source")
            + "storage_destination \"raft\" {\n\(blocks.replacing(", ", with: "\n"))\n}\n"
        let outcome = try sandbox.migrate(
            try sandbox.write("migrate.hcl", text.replacing("{ id", with: "{\nid").replacing("{ path", with: "{\npath"))
        )
        #expect(outcome.code == 2 || outcome.code == 1)
        #expect(outcome.errors.contains(says), "\(outcome.errors)")
    }

    @Test func whatWouldWinOverEveryNodeIsRefused() throws {
        let sandbox = try Sandbox()
        let file = try configuration(sandbox, sandbox.makeFileStore("src", Self.entries))
        for variable in ["VAULT_RAFT_PATH", "BAO_RAFT_NODE_ID"] {
            let words = ["operator", "migrate", "-config", file]
            let outcome = try sandbox.sealift(words, adding: [variable: "\(sandbox.path)/x"])
            #expect(outcome.code != 0 && outcome.errors.contains("\(variable) is set"), "\(outcome.errors)")
        }
        try sandbox.write("migrate.hcl", try text(of: file) + "cluster_addr = \"https://10.0.0.1:8201\"\n")
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code != 0 && outcome.errors.contains("Remove the one at the top level"), "\(outcome.errors)")
        #expect(!exists("\(sandbox.path)/node1"))
    }

    /// Killed before some of the changes that it makes to the disk, before all of them in a thorough run, the same command comes to the same end.
    @Test func everyKillIsTakenUp() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", Array(Self.entries.prefix(40)))
        let digest = try sandbox.digest(of: source)
        let names = ["node1", "node2", "node3"]
        let file = try configuration(sandbox, source)
        let words = ["operator", "migrate", "-config", file, "-state-dir", "\(sandbox.path)/state"]
        var (isDone, kills) = (false, 0)
        for step in Swift.stride(from: 1, through: Steps.maximum, by: Effort.stride(11)) where !isDone {
            for name in names + ["state"] { try? FileManager.default.removeItem(atPath: "\(sandbox.path)/\(name)") }
            let outcome = try sandbox.sealift(words, adding: try Steps.variables(["STEPS_KILL": "\(step)"]))
            isDone = outcome.code == 0
            guard !isDone else { break }
            #expect(outcome.code == -SIGKILL, "\(outcome.errors)")
            kills += 1
            for name in names where exists("\(sandbox.path)/\(name)/vault.db") {
                #expect(try sandbox.digest(of: .raft("\(sandbox.path)/\(name)")) == digest, "step \(step)")
            }
            let finished = try sandbox.sealift(words)
            #expect(finished.code == 0, "step \(step): \(finished.errors)")
            try expectWhole(sandbox, digest, names)
        }
        #expect(isDone && kills > 4, "\(kills) kills")
    }
}
