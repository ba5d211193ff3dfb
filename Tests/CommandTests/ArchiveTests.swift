import Foundation
import TestSupport
import Testing

/// `-archive`: directories of nodes packed for transport.
@Suite struct ArchiveTests {
    private static let entries =
        SampleEntry.initialised + [SampleEntry("core/raft/tls")] + (0..<200).map { SampleEntry("logical/\($0)") }

    private static func prepared() throws -> (sandbox: Sandbox, words: [String], digest: String) {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", entries)
        let blocks = (1...2).map { number in
            "node {\nid = \"n\(number)\"\ncluster_addr = \"https://10.0.0.\(number):8201\"\npath = "
                + "\"\(sandbox.path)/n\(number)\"\n}\n"
        }
        let file = try sandbox.write(
            "nodes.hcl",
            source.block("storage_source")
                + "storage_destination \"raft\" {\n\(blocks.joined())node_id_file = true\n}\n")
        try makeFolder("\(sandbox.path)/packed")
        let words = [
            "operator", "migrate", "-config", file, "-state-dir", "\(sandbox.path)/state", "-archive",
            "\(sandbox.path)/packed",
        ]
        return (sandbox, words, try sandbox.digest(of: source))
    }

    @Test func whatIsPackedIsWholeAndOfOneKind() throws {
        let (sandbox, words, digest) = try Self.prepared()
        let packed = "\(sandbox.path)/packed"
        #expect(try sandbox.sealift(words + ["-dry-run"]).code == 0)
        #expect(Scratch.names(in: packed).isEmpty)
        let outcome = try sandbox.sealift(words + ["-format=json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let archives = try #require(try outcome.events().last?["archives"] as? [[String: Any]])
        #expect(archives.map { $0["path"] as? String } == ["\(packed)/n1.tar", "\(packed)/n2.tar"])
        #expect(Scratch.names(in: packed).sorted() == ["n1.tar", "n1.tar.sha256", "n2.tar", "n2.tar.sha256"])
        try sandbox.shell("cd '\(packed)' && sha256sum --check --strict *.sha256")
        let list = try sandbox.shell("tar -tf '\(packed)/n1.tar'")
        // Without vault.db, which comes last, what was unpacked by then is no store.
        #expect(lines(of: list) == ["raft/", "raft/raft.db", "raft/snapshots/", "node-id", "vault.db"])
        try makeFolder("\(sandbox.path)/there")
        try sandbox.shell("tar -xf '\(packed)/n1.tar' -C '\(sandbox.path)/there'")
        #expect(try sandbox.digest(of: .raft("\(sandbox.path)/there")) == digest)
        try sandbox.shell("diff -r '\(sandbox.path)/n1' '\(sandbox.path)/there'")
        #expect(try sandbox.shell("stat -c %a '\(sandbox.path)/there/vault.db' '\(packed)/n1.tar'") == "600\n600\n")

        // The same again; one whose sum is gone gets it.
        unlink("\(packed)/n2.tar.sha256")
        let before = try footprint(packed)["n1.tar"]
        let again = try sandbox.sealift(words)
        #expect(again.code == 0 && again.output.contains("n2.tar  "), "\(again.errors)")
        #expect(again.output.contains("was there already") && exists("\(packed)/n2.tar.sha256"))
        #expect(try footprint(packed)["n1.tar"] == before)
    }

    @Test func whatIsNotOursStays() throws {
        let (sandbox, words, _) = try Self.prepared()
        try sandbox.write("packed/n2.tar", "somebody's")
        let outcome = try sandbox.sealift(words)
        #expect(outcome.code == 2 && outcome.errors.contains("n2.tar is there already"), "\(outcome.errors)")
        #expect(outcome.errors.contains("The directories are whole and in place"))
        #expect(try text(of: "\(sandbox.path)/packed/n2.tar") == "somebody's")
        unlink("\(sandbox.path)/packed/n2.tar")
        let finished = try sandbox.sealift(words)
        #expect(finished.code == 0, "\(finished.errors)")
        try sandbox.shell("cd '\(sandbox.path)/packed' && sha256sum --check --strict *.sha256")
    }

    /// Nodes whose directories are called alike have archives of their own.
    @Test func archivesAreToldApart() throws {
        let (sandbox, words, _) = try Self.prepared()
        for name in ["n1", "n2"] { try makeFolder("\(sandbox.path)/\(name)") }
        let file = "\(sandbox.path)/nodes.hcl"
        var text = try text(of: file)
        for name in ["n1", "n2"] {
            text = text.replacing("\(sandbox.path)/\(name)\"", with: "\(sandbox.path)/\(name)/vault\"")
        }
        try sandbox.write("nodes.hcl", text)
        let outcome = try sandbox.sealift(words)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let packed = "\(sandbox.path)/packed"
        #expect(
            Scratch.names(in: packed).sorted()
                == ["n1-vault.tar", "n1-vault.tar.sha256", "n2-vault.tar", "n2-vault.tar.sha256"])
        try sandbox.shell("cd '\(packed)' && sha256sum --check --strict *.sha256")
        // A checksum file that others may read is no fault.
        chmod("\(packed)/n1-vault.tar.sha256", 0o644)
        #expect(try sandbox.sealift(words).code == 0)
        let inside = try sandbox.sealift(words.dropLast() + ["\(sandbox.path)/n1/vault"])
        #expect(inside.code == 2 && inside.errors.contains("which is to be packed"), "\(inside.errors)")
    }

    @Test func mistakesAreNamedFirst() throws {
        let (sandbox, words, _) = try Self.prepared()
        let nowhere = try sandbox.sealift(words.dropLast() + ["\(sandbox.path)/nowhere"])
        #expect(nowhere.code == 1 && nowhere.errors.contains("no folder that can be written to"))
        let source = try sandbox.makeFileStore("other", Self.entries)
        let file = try sandbox.configuration(source, .sqlite("\(sandbox.path)/x.db"), name: "sqlite.hcl")
        let other = try sandbox.migrate(file, ["-archive", "\(sandbox.path)/packed"])
        #expect(other.code == 1 && other.errors.contains("directories of integrated storage"))
        #expect(!exists("\(sandbox.path)/n1") && !exists("\(sandbox.path)/x.db"))
    }

    /// A cluster that was spread is packed as well, with its `peers.json`.
    @Test func spreadNodesArePacked() throws {
        let sandbox = try Sandbox()
        let from = try sandbox.unpack(.raftOpenBao).path
        try makeFolder("\(sandbox.path)/packed")
        let outcome = try sandbox.sealift([
            "raft", "spread", "-practice", "-from", from, "-node", "n2=10.0.0.2:8201,path=\(sandbox.path)/n2",
            "-archive", "\(sandbox.path)/packed",
        ])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let list = try sandbox.shell("tar -tf '\(sandbox.path)/packed/n2.tar'")
        #expect(lines(of: list) == ["raft/", "raft/raft.db", "raft/peers.json", "raft/snapshots/", "vault.db"])
        try sandbox.shell("cd '\(sandbox.path)/packed' && sha256sum --check --strict *.sha256")
    }

    /// Killed anywhere, what has an archive's name is whole, and the same command makes the rest.
    @Test func everyKillIsTakenUp() throws {
        let (sandbox, words, _) = try Self.prepared()
        let packed = "\(sandbox.path)/packed"
        #expect(try sandbox.sealift(Array(words.dropLast(2))).code == 0)
        var (isDone, kills) = (false, 0)
        for step in Swift.stride(from: 1, through: Steps.maximum, by: Effort.stride(3)) where !isDone {
            try sandbox.shell("rm -f '\(packed)'/*")
            let outcome = try sandbox.sealift(words, adding: try Steps.variables(["STEPS_KILL": "\(step)"]))
            isDone = outcome.code == 0
            if !isDone {
                #expect(outcome.code == -SIGKILL, "\(outcome.errors)")
                kills += 1
                for name in ["n1", "n2"] where exists("\(packed)/\(name).tar") {
                    try sandbox.shell(
                        "tar -xOf '\(packed)/\(name).tar' vault.db | cmp - '\(sandbox.path)/\(name)/vault.db'")
                }
                let finished = try sandbox.sealift(words)
                #expect(finished.code == 0, "step \(step): \(finished.errors)")
            }
            #expect(Scratch.names(in: packed).count == 4, "step \(step)")
            try sandbox.shell("cd '\(packed)' && sha256sum --check --strict *.sha256")
        }
        #expect(isDone && kills > 2, "\(kills) kills")
    }
}
