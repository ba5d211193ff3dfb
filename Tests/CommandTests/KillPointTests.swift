import Foundation
import TestSupport
import Testing

/// A run into a Raft directory is killed before every single change it makes to the disk; the same command then always
/// comes to the same end.
@Suite struct KillPointTests {
    /// What stands at the destination before the run.
    enum Place: String, CaseIterable {
        case nothing, empty, withNodeID, linked
    }

    @Test(arguments: Place.allCases, [false, true])
    func everyKillIsTakenUp(_ place: Place, _ isPlain: Bool) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a")])
        let digest = try sandbox.digest(of: source)
        let destination = Store.raft("\(sandbox.path)/dst")
        var text = try text(of: try sandbox.configuration(source, destination))
        // Without a configured id the node's identity is a file, which must survive.
        text = text.replacing("  node_id = \"node1\"\n", with: "")
        let words = ["operator", "migrate", "-config", try sandbox.write("migrate.hcl", text)]
        var isDone = false
        var kills = 0
        // Every change in the place of most runs, every fifth in the others; all of them in a thorough run.
        let stride = place == .nothing ? 1 : Effort.stride(5)
        for step in Swift.stride(from: 1, through: Steps.maximum, by: stride) where !isDone {
            try prepare(place, sandbox)
            var settings = ["STEPS_KILL": "\(step)"]
            if isPlain { settings["STEPS_PLAIN"] = "1" }
            let outcome = try sandbox.sealift(words, adding: try Steps.variables(settings))
            if outcome.code == 0 {
                isDone = true
            } else {
                #expect(outcome.code == -SIGKILL, "\(outcome.errors)")
                kills += 1
                try expectNothingHalf(destination, digest, sandbox, place)
            }
            let id = try? Data(contentsOf: URL(filePath: "\(destination.path)/node-id"))
            if place == .withNodeID { #expect(id == Data("kept id".utf8), "step \(step)") }
            if !isDone { try finish(words, digest, isPlain, sandbox, "step \(step)") }
            let final = try Data(contentsOf: URL(filePath: "\(destination.path)/node-id"))
            if let id { #expect(final == id, "step \(step)") }
            try expectNothingLeft(sandbox, "step \(step)")
        }
        #expect(isDone && kills > 30 / stride, "\(kills) kills")
        #expect(try sandbox.digest(of: destination) == digest)
    }

    private func prepare(_ place: Place, _ sandbox: Sandbox) throws {
        for name in ["dst", "real", "dst.sealift", "real.sealift"] {
            unlink("\(sandbox.path)/\(name)")
            try? FileManager.default.removeItem(atPath: "\(sandbox.path)/\(name)")
        }
        let path = "\(sandbox.path)/dst"
        switch place {
        case .nothing: break
        case .empty: try makeFolder(path)
        case .withNodeID:
            try makeFolder(path)
            try sandbox.write("dst/node-id", "kept id")
        case .linked:
            try makeFolder("\(sandbox.path)/real")
            #expect(symlink("real", path) == 0)
        }
    }

    /// Under the final name is what was there before, or a store without `vault.db`, which is none, or the whole.
    private func expectNothingHalf(_ store: Store, _ digest: String, _ sandbox: Sandbox, _ place: Place) throws {
        guard exists("\(store.path)/vault.db") else { return }
        #expect(try sandbox.digest(of: store) == digest)
        #expect(exists("\(store.path)/raft/raft.db"))
    }

    private func finish(
        _ words: [String], _ digest: String, _ isPlain: Bool, _ sandbox: Sandbox, _ comment: Comment
    ) throws {
        let settings = isPlain ? try Steps.variables(["STEPS_PLAIN": "1"]) : [:]
        let dryRun = try sandbox.sealift(words + ["-dry-run"], adding: settings)
        let isProven = exists("\(sandbox.path)/dst/vault.db")
        // A directory that is in place already needs no other, which only the run itself finds out.
        #expect(dryRun.code == (isProven ? 2 : 0), "\(comment): \(dryRun.errors)")
        let outcome = try sandbox.sealift(words, adding: settings)
        #expect(outcome.code == 0, "\(comment): \(outcome.errors)")
        #expect(outcome.output.contains("sha256:\(digest)"), comment)
    }

    private func expectNothingLeft(_ sandbox: Sandbox, _ comment: Comment) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: sandbox.path)
        let expected: Set = [
            "home", "src", "dst", "real", "dst.sealift", "real.sealift", "migrate.hcl", "checksum.hcl",
        ]
        #expect(Set(names).isSubset(of: expected), "\(comment): left behind \(names)")
        let inside = Set(try FileManager.default.contentsOfDirectory(atPath: "\(sandbox.path)/dst"))
        #expect(inside == ["node-id", "raft", "vault.db"], "\(comment): \(inside)")
        #expect(!exists("\(sandbox.path)/src/core/_migration"), comment)
        let core = try FileManager.default.contentsOfDirectory(atPath: "\(sandbox.path)/src/core")
        #expect(Set(core) == ["_keyring", "_seal-config"], "\(comment): \(core)")
    }
}
