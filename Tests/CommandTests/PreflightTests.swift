import Foundation
import Testing

/// What is seen before the first write, and what a refused run leaves: nothing.
@Suite struct PreflightTests {
    @Test(arguments: ["file", "sqlite", "raft"])
    func aDestinationThatIsNotEmptyIsRefused(_ kind: String) throws {
        let sandbox = try Sandbox()
        let store = try sample(sandbox)
        let there = sandbox.store(kind, "there")
        #expect(try sandbox.migrate(try sandbox.configuration(store, there)).code == 0)
        let before = try sandbox.stores()
        // Nothing tells this run that the entries are those of an earlier one.
        let outcome = try sandbox.migrate("\(sandbox.path)/migrate.hcl", ["-state-dir", "\(sandbox.path)/home/other"])
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains(kind == "raft" ? "already has state" : "is not empty"), "\(outcome.errors)")
        #expect(try sandbox.stores() == before)
    }

    @Test(arguments: [("core/keyring", "core/seal-config"), ("core/seal-config", "core/keyring")])
    func aStoreWithoutItsKeyringNeedsAWord(_ present: String, _ missing: String) throws {
        let sandbox = try Sandbox()
        let source = try sandbox.makeFileStore("src", [SampleEntry(present), SampleEntry("a")])
        let file = try sandbox.configuration(source, .sqlite("\(sandbox.path)/there.db"))
        let outcome = try sandbox.migrate(file)
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("has no \(missing)") && outcome.errors.contains("-allow-any-data"))
        #expect(!exists("\(sandbox.path)/there.db"))
        #expect(!exists("\(source.path)/core/_migration"))
        #expect(try sandbox.migrate(file, ["-allow-any-data"]).code == 0)
    }

    /// Keys that stand for no file, or for one that is another key's folder.
    @Test(arguments: [[], ["-dry-run"]])
    func everyKeyThatFilesCannotHoldIsNamed(_ flags: [String]) throws {
        let sandbox = try Sandbox()
        let long = "l/" + String(repeating: "n", count: 300)
        let bad = ["a//b", "b/", "/c", "", "..", "d/../e", "./f", "x", long]
        let good = ["_x/y", "a/b", "z"]
        let entries = SampleEntry.initialised + (bad + good).map { SampleEntry($0) }
        let source = try sandbox.makeSQLiteStore("src.db", entries)
        let file = try sandbox.configuration(source, .file("\(sandbox.path)/dst"))
        let before = try sandbox.stores()
        let outcome = try sandbox.migrate(file, flags)
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("\(bad.count) entries cannot be kept"), "\(outcome.errors)")
        for key in bad {
            let count = outcome.messages.count { $0.hasPrefix("  \(key): ") }
            #expect(count == 1, "\(key) is named \(count) times")
        }
        for key in good { #expect(!outcome.messages.contains { $0.hasPrefix("  \(key): ") }, "\(key) is named") }
        #expect(try sandbox.stores() == before)
        #expect(!exists("\(sandbox.path)/home/state") || flags.isEmpty)

        // Another table takes them all; a Raft directory all but the empty key.
        let table = Store.sqlite("\(sandbox.path)/there.db")
        #expect(try sandbox.migrate(try sandbox.configuration(source, table)).code == 0)
        #expect(try sandbox.digest(of: table) == sandbox.digest(of: source))
        let raft = try sandbox.migrate(try sandbox.configuration(source, .raft("\(sandbox.path)/raft")), flags)
        #expect(raft.code == 2)
        #expect(raft.errors.contains("1 entry cannot be kept"), "\(raft.errors)")
        #expect(raft.messages.contains("  : the empty key cannot be kept"))
        #expect(!exists("\(sandbox.path)/raft"))
    }

    @Test func realKeysThatAreTooLongForFilesAreNamed() throws {
        let sandbox = try Sandbox()
        let source = try sandbox.unpack(.raftOpenBao)
        let outcome = try sandbox.migrate(try sandbox.configuration(source, .file("\(sandbox.path)/dst")))
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("2 entries cannot be kept"), "\(outcome.errors)")
        #expect(!exists("\(sandbox.path)/dst"))
    }

    private static let overlaps: [(source: String, destination: String)] = [
        ("src", "src/inside"), ("src/core", "src"), ("src", "src/../src"), ("link", "src"), ("src", "link/inside"),
    ]

    @Test(arguments: overlaps)
    func foldersWithinEachOtherAreRefused(_ source: String, _ destination: String) throws {
        let sandbox = try Sandbox()
        _ = try sample(sandbox)
        try sandbox.shell("ln -s src '\(sandbox.path)/link'")
        for kind in ["file", "raft"] {
            let file = try sandbox.configuration(
                .file("\(sandbox.path)/\(source)"), sandbox.store(kind, destination, suffix: ""))
            let before = try snapshot("\(sandbox.path)/src")
            let outcome = try sandbox.migrate(file, ["-allow-any-data"])
            #expect(outcome.code == 2)
            let says = ["would mix", "are the same store"]
            #expect(says.contains { outcome.errors.contains($0) }, "\(outcome.errors)")
            #expect(try snapshot("\(sandbox.path)/src") == before)
        }
    }

    /// Root may write everywhere, so a file stands where a folder is needed.
    @Test(arguments: ["file", "raft", "sqlite"])
    func aFileInTheWayIsRefused(_ kind: String) throws {
        let sandbox = try Sandbox()
        let source = try sample(sandbox)
        try sandbox.write("obstacle", "keep me")
        let before = try sandbox.stores()
        for name in ["obstacle", "obstacle/below"] {
            let there = sandbox.store(kind, name, suffix: "")
            let outcome = try sandbox.migrate(try sandbox.configuration(source, there, name: "home/c.hcl"))
            #expect(outcome.code == 2)
            #expect(outcome.errors.contains("obstacle"), "\(outcome.errors)")
            #expect(try sandbox.stores() == before)
        }
    }

    @Test func aDryRunWritesNothing() throws {
        let sandbox = try Sandbox()
        let source = try sample(sandbox)
        for kind in ["file", "raft", "sqlite"] {
            for isThere in [false, true] {
                if isThere, kind != "sqlite" { try makeFolder("\(sandbox.path)/there-\(kind)") }
                let there = sandbox.store(kind, "there-\(kind)")
                let file = try sandbox.configuration(source, there)
                let before = try sandbox.stores(times: true)
                let outcome = try sandbox.migrate(file, ["-dry-run"])
                #expect(outcome.code == 0, "\(outcome.errors)")
                #expect(try sandbox.stores(times: true) == before)
                #expect(outcome.output.hasPrefix("Dry run: nothing was written."))
                #expect(outcome.output.contains("\n  Entries       4, 50 B; the largest 19 B\n"))
                #expect(outcome.output.contains("sha256:\(try sandbox.digest(of: source))"))
            }
        }
    }

    private func sample(_ sandbox: Sandbox) throws -> Store {
        try sandbox.makeFileStore("src", SampleEntry.initialised + [SampleEntry("sys/a"), SampleEntry("sys/b")])
    }
}

extension Sandbox {
    /// A store of a kind in this folder.
    func store(_ kind: String, _ name: String, suffix: String = ".db") -> Store {
        switch kind {
        case "raft": .raft("\(path)/\(name)")
        case "sqlite": .sqlite("\(path)/\(name)\(suffix)")
        default: .file("\(path)/\(name)")
        }
    }
}

extension Sandbox {
    /// Everything in this folder but the program's own outputs and the state of runs.
    ///
    /// - Parameter times: Whether a file that came and went counts as well.
    func stores(times: Bool = false) throws -> [String: String] {
        try snapshot(path, times: times).filter {
            !$0.key.hasPrefix("home") && !$0.key.contains(".sealift") && (times || !$0.key.isEmpty)
        }
    }
}
