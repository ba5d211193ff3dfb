import Digest
import Foundation
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Migration

/// Manifests that tell no names, and stores held against them.
@Suite struct KeyedManifestTests {
    private static let secret = ManifestKey(secret: Array("a secret of thirty-two bytes, 1!".utf8))
    private static let other = ManifestKey(secret: Array("a secret of thirty-two bytes, 2!".utf8))

    private static func check(
        _ store: any StorageSource, _ path: String, _ key: ManifestKey? = secret
    ) throws -> (report: [String], result: StoreCheck.Result) {
        let check = StoreCheck(store, against: .manifest(path: path, key: key), scope: KeyScope(), context: context())
        var report: [String] = []
        let result = try check.run { verdict, key in
            if verdict != .same { report.append("\(verdict.sign)\(escapedKey(key))") }
        }
        return (report, result)
    }

    /// As `sealift checksum -key-file` prints it.
    private static func manifest(of store: any StorageSource) throws -> String {
        let keyed = try KeyedEntries(DigestedScan(store, DigestedScan.Options()), key: secret) { false }
        defer { keyed.stop() }
        var (lines, count) = ([UInt8](), 0)
        while let page = try keyed.nextPage() {
            lines += page.lines
            count += page.count
            page.recycle()
        }
        let header = KeyedManifest.header(keyCheck: try secret.check()).map { "# \($0)\n" }.joined()
        return header + String(decoding: lines, as: UTF8.self)
            + "# entries: \(count)\n# bytes: 1\n# keyspace digest: \(try keyed.finish())\n"
    }

    private static func write(_ store: any StorageSource, to path: String) throws {
        try manifest(of: store).write(toFile: path, atomically: false, encoding: .utf8)
    }

    /// What stands for a key.
    private static func hash(_ key: StorageKey) throws -> String {
        String(decoding: try secret.hasher().hashedName(key), as: UTF8.self)
    }

    @Test func everyKindOfDifferenceIsFoundAndNamed() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/kept"
            let entries = sampleEntries(5_000, seed: 3).sorted { $0.key < $1.key }
            try Self.write(ScriptedStore.shuffled(entries, seed: 8), to: path)
            for store in [try memory(entries), ScriptedStore.shuffled(entries, seed: 1)] as [any StorageSource] {
                let (report, result) = try Self.check(store, path)
                #expect(report.isEmpty && result.counts.same == 5_000)
                #expect(result.sourceDigest == result.destinationDigest && result.totals.entries == 5_000)
            }
            var changed = entries
            // One bit; the values of two keys changed places; one entry gone; one added.
            changed[5].value = changed[5].value.isEmpty ? [1] : [changed[5].value[0] ^ 1] + changed[5].value.dropFirst()
            (changed[9].value, changed[10].value) = (entries[10].value, entries[9].value)
            let gone = changed.remove(at: 20)
            changed.append(Entry("zzzz/added", [1]))
            for store in [try memory(changed), ScriptedStore.shuffled(changed, seed: 2)] as [any StorageSource] {
                let found = try Self.check(store, path)
                #expect(
                    try Set(found.report)
                        == [
                            "*\(entries[5].key)", "*\(entries[9].key)", "*\(entries[10].key)",
                            "-\(Self.hash(gone.key))", "+zzzz/added",
                        ])
                #expect(found.report.count == 5 && found.result.counts.same == 4_996)
            }
        }
    }

    /// Neither names, nor which values are equal, nor which name is a value.
    @Test func nothingShowsWithoutTheSecret() throws {
        let value = Array("a".utf8)
        let text = try Self.manifest(of: memory([Entry("a", value), Entry("b", value), Entry("c", [])]))
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        let codes = lines.flatMap { $0.components(separatedBy: "  ") }
        #expect(lines.count == 3 && Set(codes).count == 6 && codes.allSatisfy { $0.count == 64 })
        #expect(lines.map { $0.suffix(64) } == lines.map { $0.suffix(64) }.sorted())
        #expect(try !codes.contains(entryDigest(value)))
    }

    @Test func entriesThatCannotBeReadAreNamed() throws {
        try Scratch.withFolder { folder in
            let entries = sampleEntries(300, seed: 5)
            try Self.write(memory(entries), to: "\(folder)/kept")
            let (known, unknown) = (entries[7].key, StorageKey("zz/not in the manifest"))
            let store = ScriptedStore([entries + [Entry(unknown, [])]], unreadable: [known, unknown])
            let (report, result) = try Self.check(store, "\(folder)/kept")
            #expect(report == ["!\(known)", "!\(unknown)"] && result.unreadable.count == 2)
            #expect(result.counts.unreadable == 2 && result.counts.missing == 0 && result.counts.same == 299)
        }
    }

    /// Before anything is compared, and never as if all entries differed.
    @Test func whatIsNoWholeManifestOfThisSecretIsRefused() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/kept"
            let entries = ["a", "b/\u{e9}", "c"].map { Entry(StorageKey($0), Array($0.utf8)) }
            let text = try Self.manifest(of: memory(entries))
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            func attempt(
                _ text: String, _ says: String, _ note: Comment, _ key: ManifestKey? = Self.secret
            ) throws {
                try text.write(toFile: path, atomically: false, encoding: .utf8)
                let store = ScriptedStore([entries])
                var told = 0
                let error = #expect(throws: StorageError.self, note) {
                    try StoreCheck(
                        store, against: .manifest(path: path, key: key), scope: KeyScope(), context: context()
                    ).run { _, _ in told += 1 }
                }
                #expect(
                    error?.message.contains(says) == true && error?.message.contains(path) == true,
                    "\(note) \(error?.message ?? "")")
                #expect(told == 0 && store.endedScans.load(ordering: .relaxed) == 0, note)
            }
            try attempt(text, "is a keyed manifest. Name the file with its secret", "no secret", nil)
            try attempt(text, "with another secret", "another secret", Self.other)
            let plain = "# sealift manifest 1\n" + lines[4...].joined(separator: "\n")
            try attempt(plain, "is no keyed manifest", "a plain one")
            try attempt("", "is no keyed manifest", "empty")
            try attempt(text.replacing("manifest 1", with: "manifest 2"), "another version", "version")
            try attempt(text.replacing("key check", with: "key chick"), "no \"key check\" line", "no key check")
            try attempt((lines[..<5] + lines[6...]).joined(separator: "\n"), "was changed", "a line less")
            try attempt(
                (lines[..<4] + [lines[5], lines[4]] + lines[6...]).joined(separator: "\n"), "is not behind", "order")
            try attempt(text.replacing(lines[4].prefix(8), with: "00000000"), "was changed", "another code of a value")
            try attempt(text.replacing(lines[4].suffix(8), with: "ABCDEF01"), "no keyed manifest has", "no code")
            try attempt(text.replacing("entries: 3", with: "entries: 2"), "was changed", "another count")
            try attempt(lines[...6].joined(separator: "\n") + "\n", "states no keyspace digest", "cut off")
            try attempt(String(text.dropLast()), "in the middle of a line", "no end")
        }
    }

    @Test func mutatedManifestsAreRefusedOrSayTheSame() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/kept"
            let entries = sampleEntries(20, seed: 9)
            let good = Array(try Self.manifest(of: memory(entries)).utf8)
            var random = SeededRandom(fuzz: 4)
            var refused = 0
            for round in 0..<Effort.rounds(1_000) {
                var bytes = good
                let place = random.below(bytes.count)
                switch random.below(4) {
                case 0: bytes[place] ^= 1 << UInt8(random.below(8))
                case 1: bytes.removeSubrange(place...)
                case 2: bytes.remove(at: place)
                default: bytes = random.mutated(bytes)
                }
                try Scratch.write(bytes, to: path)
                do {
                    let (report, _) = try Self.check(memory(entries), path)
                    // Only remarks that prove nothing may differ.
                    #expect(report.isEmpty, "round \(round)")
                } catch {
                    #expect(error is StorageError)
                    refused += 1
                }
            }
            #expect(refused > Effort.rounds(500))
        }
    }

    /// What is sorted lies in a folder, which is empty again whether all was read or not.
    @Test(arguments: [nil, 0, 3])
    func leavesNothingBehind(_ taken: Int?) throws {
        try Scratch.withFolder { folder in
            let entries = sampleEntries(20_000, seed: 6, largest: 300)
            let keyed = try KeyedEntries(
                DigestedScan(memory(entries), DigestedScan.Options()), key: Self.secret, spillFolder: folder
            ) { false }
            var count = 0
            for _ in 0..<(taken ?? .max) {
                guard let page = try keyed.nextPage() else { break }
                count += page.count
                page.recycle()
            }
            keyed.stop()
            #expect(taken != nil || count == 20_000)
            #expect(Scratch.names(in: folder).isEmpty)
            keyed.stop()
        }
    }

    @Test func aFailureOfTheStoreIsThatOfTheManifest() throws {
        let store = ScriptedStore([[Entry("a", [1])]], failure: StorageError(.io, "gone"))
        let keyed = try KeyedEntries(DigestedScan(store, DigestedScan.Options()), key: Self.secret) { false }
        defer { keyed.stop() }
        #expect(throws: StorageError(.io, "gone")) { try keyed.nextPage() }
    }
}
