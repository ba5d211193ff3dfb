import Foundation
import TestSupport
import Testing

/// Migrations of a part of a store, by the names of its entries.
@Suite struct SelectionTests {
    private static let keys = [
        "core/mounts", "logical/a/1", "logical/a/2", "logical/b/1", "sys/expire/id/x", "sys/expire/id/y",
        "sys/policy/default",
    ]

    private func source(_ sandbox: Sandbox, _ kind: String) throws -> Store {
        let entries = SampleEntry.initialised + Self.keys.map { SampleEntry($0) }
        return kind == "file"
            ? try sandbox.makeFileStore("src", entries) : try sandbox.makeSQLiteStore("src.db", entries)
    }

    private func names(_ sandbox: Sandbox, _ store: Store) throws -> [String] {
        let listed = try sandbox.sealift([
            "checksum", "-config", try sandbox.configuration(of: store, name: "list.hcl"),
        ])
        return listed.outputLines.filter { !$0.hasPrefix("#") }.compactMap { $0.components(separatedBy: "  ").last }
    }

    @Test(arguments: [("file", "raft"), ("sqlite", "file"), ("file", "sqlite")])
    func leasesCanBeLeftOut(_ kind: String, _ destination: String) throws {
        let sandbox = try Sandbox()
        let source = try source(sandbox, kind)
        let store = sandbox.store(destination, "dst")
        let file = try sandbox.configuration(source, store)
        let outcome = try sandbox.migrate(file, ["-exclude", "sys/expire/"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(outcome.output.hasPrefix("Success! All of the keys selected have been migrated."))
        #expect(outcome.output.contains("this copy is for drills only"))
        #expect(outcome.output.contains("namespaces/ID/sys/expire/"))
        #expect(outcome.output.contains("Left out      2: not selected (-include, -exclude)"), "\(outcome.output)")
        #expect(
            try names(sandbox, store)
                == (["core/keyring", "core/mounts", "core/seal-config"] + Self.keys.dropFirst())
                .filter { !$0.hasPrefix("sys/expire/") })
        let report = try text(
            of: try #require(
                outcome.output.components(separatedBy: "Report        ").last?
                    .components(separatedBy: "\n").first))
        #expect(report.contains("\"a part migrated and proven\"") && report.contains("\"sys/expire/\""))
        // The whole is more; held against the same selection, it is the same.
        #expect(try sandbox.sealift(["check", "-config", file]).code == 3)
        let check = try sandbox.sealift(["check", "-config", file, "-exclude", "sys/expire/"])
        #expect(check.code == 0 && check.output.contains("This is a part"), "\(check.output)")
        // Once more: done. With another selection: what is there is not it.
        #expect(try sandbox.migrate(file, ["-exclude", "sys/expire/"]).output.contains("Repeated"))
        #expect(try sandbox.migrate(file, ["-exclude", "logical/b/"]).code == 2)
    }

    @Test func aServerNeedsWhatLiesBelowCore() throws {
        let sandbox = try Sandbox()
        let file = try sandbox.configuration(try source(sandbox, "file"), .sqlite("\(sandbox.path)/dst.db"))
        for flags in [
            ["-exclude", "core/"], ["-exclude", "core/keyring"], ["-exclude=c"], ["-include", "logical/"],
            ["-include", "core/seal", "-include", "sys/"],
        ] {
            let outcome = try sandbox.migrate(file, flags)
            #expect(outcome.code == 1 && outcome.errors.contains("without which no server starts"), "\(outcome.errors)")
            #expect(!exists("\(sandbox.path)/dst.db"))
        }
        let forced = try sandbox.migrate(
            file, ["-include", "logical/a/", "-include", "logical/b", "-exclude", "logical/a/2", "-force"])
        #expect(forced.code == 0, "\(forced.errors)")
        #expect(try names(sandbox, .sqlite("\(sandbox.path)/dst.db")) == ["logical/a/1", "logical/b/1"])
    }

    @Test func nothingSelectedIsNoSuccess() throws {
        let sandbox = try Sandbox()
        let file = try sandbox.configuration(try source(sandbox, "file"), .sqlite("\(sandbox.path)/dst.db"))
        let outcome = try sandbox.migrate(file, ["-include", "nowhere/", "-force"])
        #expect(
            outcome.code == 2 && outcome.errors.contains("none of the source's entries is selected"),
            "\(outcome.errors)")
        let empty = try sandbox.migrate(file, ["-exclude", ""])
        #expect(empty.code == 1 && empty.errors.contains("-exclude is the beginning of keys"), "\(empty.errors)")
    }

    /// A selection that was changed between passes, or between a run that was killed and the next, is what is there in the end.
    @Test func theLastSelectionCounts() throws {
        let sandbox = try Sandbox()
        let store = Store.sqlite("\(sandbox.path)/dst.db")
        let file = try sandbox.configuration(try source(sandbox, "file"), store)
        #expect(try sandbox.migrate(file, ["-mode=warm"]).code == 4)
        let last = try sandbox.migrate(file, ["-mode=final", "-exclude", "logical/a/"])
        #expect(
            last.code == 0 && last.output.contains("Since then    0 added, 0 changed, 2 removed"),
            "\(last.errors)\(last.output)")
        #expect(try !names(sandbox, store).contains { $0.hasPrefix("logical/a/") })
    }
}
