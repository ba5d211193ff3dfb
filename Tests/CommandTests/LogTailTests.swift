import Foundation
import TestSupport
import Testing

/// A node's directory whose log runs on behind the data, in the form of newer Vaults, through every command.
@Suite struct LogTailTests {
    private let sandbox: Sandbox
    private let node: String

    init() throws {
        sandbox = try Sandbox()
        node = "\(sandbox.path)/data"
        try TestSupport.Fixture("raft-wal/vault-pair").unpack(into: sandbox.path)
    }

    private func configuration(_ applyLog: String?, _ destination: String) throws -> String {
        let option = applyLog.map { "  apply_log = \"\($0)\"\n" } ?? ""
        return try sandbox.write(
            "migrate.hcl",
            "storage_source \"raft\" {\n  path = \"\(node)\"\n\(option)}\n"
                + Store.raft("\(sandbox.path)/\(destination)").block("storage_destination")
                + "cluster_addr = \"https://10.0.0.11:8201\"\n")
    }

    private func manifest(_ file: String, _ side: String) throws -> (lines: [UInt8], errors: String) {
        let outcome = try sandbox.sealift(["checksum", "-config", file, "-side=\(side)"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let lines = outcome.output.split(separator: "\n").filter { !$0.hasPrefix("#") }
        return (Array((lines.joined(separator: "\n") + "\n").utf8), outcome.errors)
    }

    @Test func withoutADecisionNothingIsWritten() throws {
        let file = try configuration(nil, "out")
        for flags in [[], ["-dry-run"]] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 2 && !exists("\(sandbox.path)/out"))
            for part in ["349 entries behind the data, 541 to 889", "\"all\"", "\"committed\"", "\"none\""] {
                #expect(outcome.errors.contains(part), "\(outcome.errors)")
            }
        }
        // Whoever only reads is warned.
        let (_, errors) = try manifest(file, "source")
        #expect(errors.contains("Warning: The log holds 349 entries behind the data"), "\(errors)")
        // The flag takes the data as it stands.
        let outcome = try sandbox.migrate(file, ["-allow-missing-log"])
        #expect(outcome.code == 0 && outcome.output.contains("541 to 889"), "\(outcome.errors)")
    }

    @Test(arguments: ["all", "committed", "none"])
    func aDecisionIsFollowedByEveryCommand(_ way: String) throws {
        let file = try configuration(way, "out")
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.contains("541 to 889"), "\(outcome.output)")
        let after = try TestSupport.Fixture("raft-vault-native").manifest()
        let source = try manifest(file, "source")
        #expect((source.lines == after) == (way != "none"))
        #expect(source.errors.contains("Warning: ") && source.errors.contains("541 to 889"), "\(source.errors)")
        #expect(try manifest(file, "destination").lines == source.lines)
        let check = try sandbox.sealift(["check", "-config", file])
        #expect(check.code == 0, "\(check.errors)")
        let key = try #require(try Self.newKey(after, source.lines, way))
        let stat = try sandbox.sealift(["inspect", "stat", "-config", file, "-side=source", key])
        #expect((stat.code == 0) == (way != "none"), "\(key): \(stat.errors)")
        let usage = try sandbox.sealift(["inspect", "du", "-config", file, "-side=source"])
        #expect(usage.code == 0 && usage.output.contains("logical/"), "\(usage.errors)")
        // The other side of what was compared is the same without the option only if nothing was applied.
        let plain = try configuration("none", "out")
        #expect(try sandbox.sealift(["check", "-config", plain]).code == (way == "none" ? 0 : 3))
    }

    /// A key that only the log has.
    private static func newKey(_ after: [UInt8], _ found: [UInt8], _ way: String) throws -> String? {
        func keys(_ lines: [UInt8]) -> [String] {
            String(decoding: lines, as: UTF8.self).split(separator: "\n").map { String($0.dropFirst(66)) }
        }
        let known: Set<String> = way == "none" ? Set(keys(found)) : []
        return keys(after).last { $0.hasPrefix("logical/") && !known.contains($0) }
    }

    @Test func anotherWordIsRefused() throws {
        let outcome = try sandbox.migrate(try configuration("some", "out"))
        #expect(outcome.code != 0 && outcome.errors.contains("apply_log is committed, all or none, not \"some\""))
    }

    /// What is done to the files of a stopped node leaves the segments alone, and says so.
    @Test func maintenanceLeavesTheSegmentsAlone() throws {
        let before = try sandbox.shell("cd '\(node)/raft' && find . -type f | sort | xargs sha256sum")
        let pages = try sandbox.sealift(["inspect", "pages", node])
        #expect(pages.code == 0 && pages.errors.contains("raft/wal: its segments have no pages"), "\(pages.errors)")
        let peers = try sandbox.sealift(["raft", "fix-peers", node])
        #expect(peers.output.contains("in raft/wal, not read"), "\(peers.output)\(peers.errors)")
        let compact = try sandbox.sealift(["raft", "compact", "-remove-old", node])
        #expect(compact.code == 0 && compact.errors.contains("The log is kept in"), "\(compact.errors)")
        #expect(try sandbox.shell("cd '\(node)/raft' && find . -type f | sort | xargs sha256sum") == before)
        let file = try configuration("all", "out")
        #expect(try manifest(file, "source").lines == TestSupport.Fixture("raft-vault-native").manifest())
    }
}
