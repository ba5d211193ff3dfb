import Foundation
import Migration
import Storage
import TestSupport
import Testing

/// A store is held against a manifest that was kept.
@Suite struct SavedManifestTests {
    private static func check(
        _ store: any StorageSource, _ path: String, _ scope: KeyScope = KeyScope()
    ) throws -> (report: [String], result: StoreCheck.Result) {
        let check = StoreCheck(store, against: .manifest(path: path), scope: scope, context: context())
        var report: [String] = []
        let result = try check.run { verdict, key in
            if verdict != .same { report.append("\(verdict.sign)\(escapedKey(key))") }
        }
        return (report, result)
    }

    private static func write(_ entries: [Entry], to path: String) throws {
        try manifest(of: entries).write(toFile: path, atomically: false, encoding: .utf8)
    }

    /// As `sealift checksum` prints it.
    private static func manifest(of entries: [Entry]) throws -> String {
        var options = DigestedScan.Options()
        options.writesManifestLines = true
        let scan = DigestedScan(try memory(entries), options)
        defer { scan.stop() }
        var (lines, digest, count) = ([UInt8](), try KeyspaceDigest(), 0)
        while let batch = try scan.nextBatch() {
            lines += batch.manifestLines
            try digest.add(batch.manifestLines)
            count += batch.count
            batch.recycle()
        }
        return "# sealift manifest 1\n# source: inmem\n" + String(decoding: lines, as: UTF8.self)
            + "# entries: \(count)\n# bytes: 1\n# keyspace digest: \(try digest.finish())\n"
    }

    @Test func everyKindOfDifferenceIsFoundAndNamed() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/kept"
            let entries = sampleEntries(2_000, seed: 3).sorted { $0.key < $1.key }
            try Self.write(entries, to: path)
            let (report, result) = try Self.check(memory(entries), path)
            #expect(report.isEmpty && result.counts.same == 2_000 && result.sourceDigest == result.destinationDigest)
            #expect(result.totals.entries == 2_000)

            var changed = entries
            // One bit; one entry gone; the values of two keys changed places; one added.
            changed[5].value = changed[5].value.isEmpty ? [1] : [changed[5].value[0] ^ 1] + changed[5].value.dropFirst()
            (changed[9].value, changed[10].value) = ([1, 2], [3])
            let gone = changed.remove(at: 20)
            changed.append(Entry("zzzz/added", [1]))
            let found = try Self.check(memory(changed), path)
            #expect(
                Set(found.report)
                    == [
                        "*\(entries[5].key)", "*\(entries[9].key)", "*\(entries[10].key)", "-\(gone.key)",
                        "+zzzz/added",
                    ])
            #expect(found.result.counts.same == 1_996)
        }
    }

    /// What is no whole manifest proves nothing, even if the store held just what is left of it.
    @Test func aManifestThatWasChangedIsRefused() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/kept"
            let entries = ["a", "b/\u{e9}", "c"].map { Entry(StorageKey($0), Array($0.utf8)) }
            let text = try Self.manifest(of: entries)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            func attempt(_ text: String, _ says: String, _ note: Comment) throws {
                try text.write(toFile: path, atomically: false, encoding: .utf8)
                for scope in [KeyScope(), KeyScope(prefix: "a")] {
                    let error = #expect(throws: StorageError.self, note) {
                        try Self.check(memory([entries[0]]), path, scope)
                    }
                    #expect(
                        error?.message.contains(says) == true && error?.message.contains(path) == true,
                        "\(error?.message ?? "")")
                }
            }
            try attempt(lines.filter { !$0.hasSuffix("  c") }.joined(separator: "\n"), "was changed", "a line less")
            try attempt(
                text.replacing(lines[2].prefix(8), with: "00000000"), "was changed", "another digest of a value")
            try attempt(text.replacing("  a\n", with: "  aa\n"), "was changed", "another key")
            try attempt(text.replacing("entries: 3", with: "entries: 2"), "was changed", "another count")
            try attempt(text.replacing("# entries: 3\n", with: ""), "was changed", "no count")
            try attempt(lines[...4].joined(separator: "\n") + "\n", "states no keyspace digest", "cut off")
            try attempt(text.replacing("keyspace digest: ", with: "keyspace digest: #"), "was changed", "no digest")
            try attempt((lines[...2] + [lines[2]] + lines[3...]).joined(separator: "\n"), "is not behind", "twice")
            try attempt(
                (lines[..<2] + [lines[3], lines[2]] + lines[4...]).joined(separator: "\n"), "is not behind", "order")
            try attempt("\n" + text, "not a manifest line", "an empty line")
            try attempt("", "states no keyspace digest", "empty")
            try attempt(String(text.dropLast()), "in the middle of a line", "no end")
        }
    }

    @Test func mutatedManifestsAreRefusedOrSayTheSame() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/kept"
            let entries = sampleEntries(20, seed: 9).sorted { $0.key < $1.key }
            let good = Array(try Self.manifest(of: entries).utf8)
            var random = SeededRandom(4)
            var refused = 0
            for _ in 0..<(1_000 * Effort.factor) {
                var bytes = good
                let place = random.below(bytes.count)
                switch random.below(3) {
                case 0: bytes[place] ^= 1 << UInt8(random.below(8))
                case 1: bytes.removeSubrange(place...)
                default: bytes.remove(at: place)
                }
                try Data(bytes).write(to: URL(filePath: path))
                do {
                    let (report, _) = try Self.check(memory(entries), path)
                    // Only remarks that prove nothing may differ.
                    #expect(report.isEmpty)
                } catch {
                    #expect(error is StorageError)
                    refused += 1
                }
            }
            #expect(refused > 500)
        }
    }

    @Test(arguments: ["a", "b", "b/", "\\xff", "\\xff\\xff", "b/1", "c"])
    func aPrefixIsAPartOfBothSides(_ prefix: String) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/kept"
            let keys: [[UInt8]] = [
                [97], [98], Array("b/1".utf8), Array("b/12".utf8), Array("b0".utf8), [255], [255, 255], [255, 255, 1],
            ]
            let entries = keys.map { Entry(StorageKey($0), $0) }
            try Self.write(entries, to: path)
            let wanted = try #require(StorageKey(escaped: prefix.utf8))
            let scope = KeyScope(prefix: wanted)
            let expected = keys.count { $0.starts(with: wanted.bytes) }
            // In order, and in none.
            for store in [try memory(entries), ScriptedStore.shuffled(entries, seed: 1)] as [any StorageSource] {
                let (report, result) = try Self.check(store, path, scope)
                #expect(report.isEmpty && result.counts.same == expected && result.totals.entries == expected)
                #expect(result.sourceDigest == result.destinationDigest)
            }
            let (report, _) = try Self.check(memory([]), path, scope)
            #expect(report == keys.filter { $0.starts(with: wanted.bytes) }.map { "-\(StorageKey($0))" })
        }
    }
}
