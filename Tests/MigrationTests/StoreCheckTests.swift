import Migration
import Storage
import TestSupport
import Testing
import Workers

@Suite struct StoreCheckTests {
    private static func entries(_ keys: String) -> [Entry] { keys.map { Entry(StorageKey("\($0)"), [1]) } }

    private static func check(
        _ source: any StorageSource, _ destination: any StorageSource, spillFolder: String? = nil
    ) throws -> (report: [String], result: StoreCheck.Result) {
        let check = StoreCheck(
            destination, against: .store(source), scope: KeyScope(), context: context(), spillFolder: spillFolder)
        var report: [String] = []
        let result = try check.run { verdict, key in report.append("\(verdict.sign)\(escapedKey(key))") }
        return (report, result)
    }

    @Test func equalStoresHaveEqualDigests() throws {
        let entries = sampleEntries(3_000, seed: 12)
        let (_, result) = try Self.check(memory(entries), memory(entries))
        #expect(result.counts.isAllSame && result.counts.same == 3_000)
        #expect(result.sourceDigest == result.destinationDigest && result.sourceDigest.count == 64)
        #expect(result.totals.entries == 3_000)
        var changed = entries
        changed[2_999].value.append(0)
        let (report, other) = try Self.check(memory(entries), memory(changed))
        #expect(report.filter { !$0.hasPrefix("=") } == ["*\(entries[2_999].key)"])
        #expect(other.sourceDigest == result.sourceDigest && other.destinationDigest != result.sourceDigest)
    }

    /// Each side as all its keys and those of them that cannot be read.
    @Test(arguments: [
        ("abc", "b", "abc", "", ["=a", "!b", "=c"]), ("abc", "", "abc", "b", ["=a", "!b", "=c"]),
        ("abc", "b", "ac", "", ["=a", "=c", "!b"]), ("abc", "b", "abc", "b", ["=a", "=c", "!b"]),
        ("abc", "abc", "abc", "", ["!a", "!b", "!c"]), ("abc", "c", "ad", "d", ["=a", "-b", "!c", "!d"]),
        ("", "", "", "", []),
    ])
    func unreadableEntriesAreNeverSame(
        source: String, unreadable: String, destination: String, alsoUnreadable: String, report: [String]
    ) throws {
        let left = ScriptedStore([Self.entries(source)], unreadable: Set(Self.entries(unreadable).map(\.key)))
        let right = ScriptedStore([Self.entries(destination)], unreadable: Set(Self.entries(alsoUnreadable).map(\.key)))
        let found = try Self.check(left, right)
        #expect(found.report == report)
        #expect(found.result.counts.unreadable == report.count { $0.hasPrefix("!") })
        #expect(found.result.unreadable.count == unreadable.count + alsoUnreadable.count)
        #expect(found.result.counts.isAllSame == (report.isEmpty))
    }

    @Test(arguments: 1...6)
    func storesWithoutOrderAreComparedThroughOneFolder(seed: Int) throws {
        let entries = sampleEntries(800, seed: seed)
        try Scratch.withFolder { folder in
            let (_, result) = try Self.check(
                ScriptedStore.shuffled(entries, seed: seed), ScriptedStore.shuffled(entries, seed: seed + 100),
                spillFolder: folder)
            #expect(result.counts.same == 800 && result.counts.isAllSame)
            #expect(Scratch.names(in: folder).isEmpty)
        }
    }

    @Test func aBrokenOrCancelledSideIsAnError() throws {
        let broken = ScriptedStore([Self.entries("a")], failure: StorageError(.io, "gone"))
        #expect(throws: StorageError(.io, "gone")) { try Self.check(memory(Self.entries("a")), broken) }
        let cancellation = CancellationToken()
        cancellation.cancel()
        let store = ScriptedStore([Self.entries("a")])
        let check = StoreCheck(store, against: .store(store), scope: KeyScope(), context: context(cancellation))
        #expect(throws: StorageError.cancelled) { try check.run() }
    }
}
