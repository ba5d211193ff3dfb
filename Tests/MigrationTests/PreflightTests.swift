import InMemoryBackend
import Storage
import TestSupport
import Testing

@testable import Migration

@Suite struct PreflightTests {
    private static func keys(_ keys: String...) -> [Entry] { keys.map { Entry(StorageKey($0), [1, 2]) } }

    private static func preflight(
        _ source: any StorageSource, _ destination: any StorageDestination,
        _ change: (inout MigrationOptions) -> Void = { _ in }
    ) -> Preflight {
        var options = MigrationOptions()
        change(&options)
        return Preflight(source: source, destination: destination, options: options, context: context())
    }

    @Test(
        arguments: [
            ("/a", "/a", true), ("/a", "/a/b", true), ("/a/b", "/a", true), ("/a", "/ab", false), ("/ab", "/a", false),
            ("/", "/x", true), ("/a", nil, false),
        ] as [(String, String?, Bool)])
    func storesOnOrInsideEachOtherAreRefused(left: String, right: String?, isRefused: Bool) throws {
        let source = ScriptedStore([], location: "l\(left)", path: left)
        let destination = ScriptedStore([], location: "r\(right ?? "")", path: right)
        let preflight = Self.preflight(source, destination)
        // Of one kind and at one path these are two tables of one file.
        if isRefused, left != right {
            #expect(throws: MigrationFailure.self) { try preflight.refuseSameStore() }
        } else {
            try preflight.refuseSameStore()
        }
        #expect(throws: MigrationFailure.self) { try Self.preflight(source, source).refuseSameStore() }
    }

    @Test func whatIsNoStoreOfAServerIsAnObstacle() throws {
        let whole = Self.keys("core/keyring", "core/seal-config", "x")
        func obstacles(
            _ source: [Entry], _ destination: [Entry] = [], _ change: (inout MigrationOptions) -> Void = { _ in }
        ) throws
            -> [String]
        {
            try Self.preflight(memory(source), memory(destination), change).look(isContinuation: false).obstacles
        }
        #expect(try obstacles(whole).isEmpty)
        #expect(try obstacles([]).first?.contains("holds no entries") == true)
        #expect(try obstacles(Self.keys("core/lock", "core/migration")).first?.contains("holds no entries") == true)
        #expect(try obstacles(Self.keys("x")).first?.contains("no core/keyring and no core/seal-config") == true)
        #expect(try obstacles(Self.keys("core/keyring")).first?.contains("has no core/seal-config") == true)
        #expect(try obstacles(Self.keys("x")) { $0.allowsAnyData = true }.isEmpty)
        #expect(try obstacles(whole, Self.keys("y")).first?.contains("is not empty") == true)
        #expect(try obstacles(whole, Self.keys("core/migration")).isEmpty)
        #expect(try obstacles(whole, Self.keys("core/keyring")) { $0.scope = KeyScope(start: "x") }.isEmpty)
        let other = [Entry("core/keyring", [9])]
        #expect(
            try obstacles(whole, other) { $0.scope = KeyScope(start: "x") }.first?.contains("another store") == true)
        let remarks = try Self.preflight(memory(whole), memory([])).look(isContinuation: false).remarks
        #expect(remarks.count == 1)
    }

    @Test func allEntriesThatDoNotFitAreNamed() throws {
        let rules: EntryRules = [
            .emptyKey, .longerKey(than: 20), .largerValue(than: 3), .zeroByte, .parentReference, .uncleanedKey,
            .longerSegment(than: 8),
        ]
        var offenders = Offenders(rules: rules)
        let batch = EntryBatch()
        let good = ["a", "a/b", "12345678/12345678", "...", ".a/b"].filter { !$0.contains("..") }
        let bad = [
            "", "a\u{0}b", "a/../b", "a//b", "/a", "a/", "./a", "123456789", String(repeating: "a/", count: 10) + "b",
        ]
        for key in good + bad { batch.append(key: StorageKey(key), value: [1]) }
        batch.append(key: "big", value: [1, 2, 3, 4])
        offenders.check(batch)
        let problem = try #require(offenders.problem(InMemoryBackend()))
        #expect(problem.hasPrefix("\(bad.count + 1) entries cannot be kept by the destination"))
        #expect(problem.split(separator: "\n").count { $0.hasPrefix("  ") } == bad.count + 1)
        for text in [
            "the empty key", "zero byte", "\"..\"", "another name", "9 bytes, at most 8", "21 bytes", "4 bytes",
        ] {
            #expect(problem.contains(text), "\(text)")
        }
        #expect(Offenders(rules: rules).problem(InMemoryBackend()) == nil && Offenders(rules: rules).isEmpty)
    }

    @Test func entriesAndFoldersOfOneNameAreFound() throws {
        let rules: EntryRules = [.entryBesideItsUnderscoredName]
        let store = try memory(Self.keys("a", "a/_b/c", "a/_b/d", "a/b", "x/_y/z", "x/y/z", "_a/b", "_q/r"))
        var check = RivalCheck(source: store, rules: rules)
        var offenders = Offenders(rules: rules)
        for entry in try entries(of: store) {
            try entry.key.bytes.withUnsafeBytes { try check.check($0, &offenders) }
        }
        let problem = try #require(offenders.problem(store))
        #expect(problem.hasPrefix("2 entries"))
        #expect(problem.contains("\n  a/b: its file and the folder of a/_b/c") && problem.contains("\n  a: its file"))
    }
}
