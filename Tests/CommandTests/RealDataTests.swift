import Foundation
import Testing

/// Whole migrations of stores that real servers wrote.
@Suite struct RealDataTests {
    /// A path of stores, each migrated to the next.
    private static let routes: [(fixture: Fixture, kinds: [String])] = [
        (.fileOpenBao, ["raft", "file", "sqlite"]),
        (.fileOpenBao, ["file", "sqlite", "file"]),
        (.raftMigrated, ["sqlite", "raft", "file"]),
        (.raftOpenBao, ["raft", "sqlite", "raft"]),
        (.raftVault, ["sqlite", "raft"]),
    ]

    @Test(arguments: routes)
    func everyStepKeepsTheDigest(_ fixture: Fixture, _ kinds: [String]) throws {
        let sandbox = try Sandbox()
        let expected = try fixture.digest(sandbox)
        var store = try sandbox.unpack(fixture)
        #expect(try sandbox.digest(of: store) == expected)
        for (step, kind) in kinds.enumerated() {
            let next = self.store(kind, "\(sandbox.path)/step-\(step)")
            let before = try snapshot(store.path)
            let file = try sandbox.configuration(store, next)
            let outcome = try sandbox.migrate(file)
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(outcome.output.contains("sha256:\(expected)"), "\(outcome.output)")
            try expectUnchanged(store, before)
            #expect(try sandbox.digest(of: next) == expected)
            let check = try sandbox.sealift(["check", "-config", file])
            #expect(check.code == 0, "\(check.output)")
            store = next
        }
    }

    /// The marker comes and goes, so times of folders may change; with a folder of files nothing else does.
    private func expectUnchanged(_ store: Store, _ before: [String: String]) throws {
        let after = try snapshot(store.path)
        switch store {
        case .raft: #expect(after == before)
        case .dynamodb: Issue.record("a table is no file")
        case .sqlite: #expect(!exists("\(store.path)-journal") && !exists("\(store.path)-wal"))
        case .file:
            #expect(Set(after.keys) == Set(before.keys))
            for (name, was) in before where was.hasPrefix("100") { #expect(after[name] == was, "\(name) changed") }
        }
    }

    private func store(_ kind: String, _ path: String) -> Store {
        switch kind {
        case "raft": .raft(path)
        case "sqlite": .sqlite("\(path).db")
        default: .file(path)
        }
    }

    /// Not even times change.
    @Test(arguments: [Fixture.fileOpenBao, .raftMigrated], ["raft", "sqlite", "file"])
    func aReadOnlySourceIsNotTouched(_ fixture: Fixture, _ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.unpack(fixture)
        let before = try snapshot(source.path)
        let file = try sandbox.configuration(source, store(kind, "\(sandbox.path)/there"))
        let outcome = try sandbox.migrate(file, ["-read-only-source"])
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(try snapshot(source.path) == before)
    }

    @Test(arguments: [Fixture.fileOpenBao, .raftOpenBao, .raftVault])
    func checksumPrintsTheManifest(_ fixture: Fixture) throws {
        let sandbox = try Sandbox()
        let server = try sandbox.configuration(of: try sandbox.unpack(fixture))
        let outcome = try sandbox.sealift(["checksum", "-config", server])
        #expect(outcome.code == 0)
        #expect(outcome.outputLines.filter { !$0.hasPrefix("#") } == (try fixture.manifestLines()))
        let short = try sandbox.sealift(["checksum", "-digest-only", "-config", server])
        #expect(short.outputLines == outcome.outputLines.suffix(3))
    }

    /// The stock command made one from the other: so do we, entry for entry.
    @Test func bothMadeTheSameOfOneStore() throws {
        let sandbox = try Sandbox()
        let stock = try sandbox.unpack(.raftMigrated)
        #expect(try sandbox.digest(of: stock) == Fixture.fileOpenBao.digest(sandbox))
    }
}
