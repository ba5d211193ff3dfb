import Foundation
import Testing

/// `operator migrate -generate-raft-tls`.
@Suite struct KeyRingTests {
    private static func blocks(_ shared: SharedStore) -> String {
        let blocks = (1...3).map { number in
            """
              node {
                id           = "node\(number)"
                cluster_addr = "https://10.0.0.1\(number):8201"
                path         = "\(shared.sandbox.path)/node\(number)"
              }

            """
        }
        return "storage_destination \"raft\" {\n\(blocks.joined())}\n"
    }

    private static func prepared() throws -> (shared: SharedStore, words: [String]) {
        let shared = try SharedStore(.fileOpenBao)
        let file = try shared.sandbox.write("migrate.hcl", shared.store.block("storage_source") + blocks(shared))
        let state = "\(shared.sandbox.path)/state"
        return (shared, ["operator", "migrate", "-config", file, "-state-dir", state, "-generate-raft-tls"])
    }

    private func nodes(_ shared: SharedStore) -> [String] { (1...3).map { "\(shared.sandbox.path)/node\($0)" } }

    @Test func aStoreWithoutOneBecomesACluster() throws {
        let (shared, words) = try Self.prepared()
        let source = try shared.sandbox.digest(of: shared.store)
        let dry = try shared.run(words + ["-dry-run"])
        #expect(dry.code == 0 && !exists(nodes(shared)[0]), "\(dry.errors)")
        let outcome = try shared.run(words + ["-prove", "-format=json"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let result = try #require(try outcome.events().last)
        #expect(result["raft_tls_generated"] as? Bool == true)
        let proof = try #require(result["share_proof"] as? [String: Any])
        #expect(proof["failed"] as? Int == 0)
        let digests = try nodes(shared).map { try shared.sandbox.digest(of: .raft($0)) }
        #expect(Set(digests).count == 1 && digests[0] != source)
        // The source is as it was, and the two differ by that entry alone.
        #expect(try shared.sandbox.digest(of: shared.store) == source)
        let file = try shared.sandbox.configuration(shared.store, .raft(nodes(shared)[0]), name: "check.hcl")
        let check = try shared.sandbox.sealift(["check", "-config", file, "-combined", "-"])
        #expect(check.code == 3)
        let differing = check.outputLines.filter { $0.hasPrefix("+ ") || $0.hasPrefix("- ") || $0.hasPrefix("* ") }
        #expect(differing == ["+ core/raft/tls"], "\(check.output)")
        #expect(try shared.leaks().isEmpty)

        // Once more: what was made is known again, and nothing is made anew.
        let again = try shared.run(words)
        #expect(again.code == 0 && again.output.contains("done before"), "\(again.errors)")
        #expect(try nodes(shared).map { try shared.sandbox.digest(of: .raft($0)) } == digests)
    }

    @Test func aKilledRunGoesOnWithTheSame() throws {
        let (shared, words) = try Self.prepared()
        for step in stride(from: 5, through: 125, by: 24) {
            for name in ["node1", "node2", "node3", "state"] {
                try? FileManager.default.removeItem(atPath: "\(shared.sandbox.path)/\(name)")
            }
            let outcome = try shared.run(words, adding: try Steps.variables(["STEPS_KILL": "\(step)"]))
            #expect(outcome.code == 0 || outcome.code == -SIGKILL, "\(outcome.errors)")
            let finished = try shared.run(words)
            #expect(finished.code == 0, "step \(step): \(finished.errors)")
            let digests = try nodes(shared).map { try shared.sandbox.digest(of: .raft($0)) }
            #expect(Set(digests).count == 1, "step \(step)")
        }
    }

    @Test func withoutSharesOrWithoutNeedNothingIsMade() throws {
        let (shared, words) = try Self.prepared()
        let unasked = try shared.sandbox.migrate(words[3])
        #expect(unasked.code == 2 && unasked.errors.contains("-generate-raft-tls makes one"), "\(unasked.errors)")
        let wrong = try shared.run(words, shares: try shared.shares(shared.texts.prefix(2) + ["AAAA"]))
        #expect(wrong.code == 2 && !exists(nodes(shared)[0]), "\(wrong.errors)")
        let part = try shared.run(words + ["-exclude", "core/raft/"])
        #expect(part.code != 0 && part.errors.contains("leaves out"), "\(part.errors)")
        #expect(!exists(nodes(shared)[0]))
    }

    /// Only integrated storage has use for it; and what has it is not held against the old store by a digest.
    @Test func whereItHasNoPlaceItIsNotMade() throws {
        let (shared, words) = try Self.prepared()
        let file = try shared.sandbox.configuration(shared.store, .sqlite("\(shared.sandbox.path)/x.db"), name: "x.hcl")
        let other = try shared.run(["operator", "migrate", "-config", file, "-generate-raft-tls"])
        #expect(other.code != 0 && other.errors.contains("no server on sqlite reads core/raft/tls"), "\(other.errors)")
        #expect(!exists("\(shared.sandbox.path)/x.db"))
        let alone = try shared.sandbox.configuration(
            shared.store, .raft("\(shared.sandbox.path)/alone"), name: "alone.hcl")
        let state = "\(shared.sandbox.path)/state-alone"
        let made = try shared.run(["operator", "migrate", "-config", alone, "-generate-raft-tls", "-state-dir", state])
        #expect(made.code == 0, "\(made.errors)")
        let back = try shared.sandbox.sealift(["operator", "rollback", "-report", "\(state)/report.json"])
        #expect(back.code == 1 && back.errors.contains("made core/raft/tls for the new cluster"), "\(back.errors)")
        #expect(try shared.run(words).code == 0)
        let several = try shared.sandbox.sealift([
            "operator", "rollback", "-report", "\(shared.sandbox.path)/state/report.json",
        ])
        #expect(several.code == 1, "\(several.errors)")
    }

    @Test func oneThatIsThereStays() throws {
        let shared = try SharedStore(.raftOpenBao)
        let file = try shared.sandbox.write("migrate.hcl", shared.store.block("storage_source") + Self.blocks(shared))
        let outcome = try shared.run([
            "operator", "migrate", "-config", file, "-generate-raft-tls", "-format=json", "-allow-missing-log",
        ])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try outcome.events().last?["raft_tls_generated"] as? Bool == false)
        #expect(try shared.sandbox.digest(of: .raft(nodes(shared)[2])) == shared.sandbox.digest(of: shared.store))
    }
}
