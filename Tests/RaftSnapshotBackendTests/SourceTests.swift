import Foundation
import Migration
import RaftFormat
import Storage
import TestSupport
import Testing

@testable import RaftSnapshotBackend

/// A source of an archive that a test has built.
func withArchive(
    _ bytes: [UInt8], _ limit: SortedEntries.Limit = .init(), _ body: (SnapshotSource) throws -> Void
) throws {
    try Scratch.withFolder { folder in
        let path = "\(folder)/a.snap"
        try Scratch.write(bytes, to: path)
        let source = try SnapshotSource(path: path, limit: limit)
        defer { source.close() }
        try body(source)
    }
}

/// The manifest lines of a store, without the keys that are no data.
func manifest(of store: any StorageSource) throws -> String {
    var options = DigestedScan.Options()
    options.writesManifestLines = true
    let scan = DigestedScan(store, options)
    defer { scan.stop() }
    var lines: [UInt8] = []
    while let batch = try scan.nextBatch() {
        lines += batch.manifestLines
        batch.recycle()
    }
    return String(decoding: lines, as: UTF8.self)
}

private let limits: [SortedEntries.Limit] = [.init(), .nothing]

/// Archives read as a store.
@Suite struct SnapshotSourceTests {
    /// Taken a moment before the directory beside it was stopped, when its server still led: that one entry is more.
    @Test(arguments: ["raft-openbao-native", "raft-vault-native"], limits.indices)
    func aServersArchiveHoldsWhatItsManifestSays(_ name: String, _ limit: Int) throws {
        let fixture = Fixture(name)
        let source = try SnapshotSource(path: fixture.path("snapshot.snap"), limit: limits[limit])
        defer { source.close() }
        let (index, address) = name == "raft-openbao-native" ? (750, "127.0.0.1:8211") : (888, "127.0.0.1:8241")
        let meta = try #require(source.meta)
        #expect(meta.position == LogPosition(term: 3, index: UInt64(index)))
        #expect(meta.configuration == ClusterConfiguration(index: 1, servers: [.init(id: "node1", address: address)]))
        let found = try manifest(of: source).split(separator: "\n").filter { !$0.contains("  core/leader/") }
        let expected = String(decoding: try fixture.manifest(), as: UTF8.self).split(separator: "\n")
        #expect(found == expected.filter { !$0.hasPrefix("#") && !$0.contains("  core/leader/") })
        #expect(try source.get(.keyring) != nil && source.get(.migrationMarker) == nil)
        #expect(try source.get("sys/no such entry") == nil)
        #expect(try source.list("").contains("sys/") && source.list("core/").contains("keyring"))
        #expect(
            source.remarks.contains { $0.contains("log index \(index), term 3") && $0.contains("node1 at \(address)") })
        let notes = Noted()
        var request = ScanRequest()
        request.note = { notes.add($0) }
        try source.scan(request) { _ in true }
        #expect(notes.reasons == [.sealedSums])
        let report = try SnapshotVerification().verify(fixture.path("snapshot.snap"), isCancelled: { false })
        #expect(report.verdict == .good && report.hasKeyRing && report.contents?.sealedSums == 185)
        #expect(report.seal == SealDescription(type: "shamir", shares: 5, threshold: 3) && report.findings.isEmpty)
        #expect(report.entries == expected.filter { !$0.hasPrefix("#") }.count + 2)
    }

    private final class Noted: @unchecked Sendable {
        private(set) var reasons: [ScanNote.Reason] = []
        func add(_ note: ScanNote) { reasons.append(note.reason) }
    }

    @Test func keysInNoOrderAreSortedInMemoryAndTheLastOfAKeyCounts() throws {
        let given = ArchiveBuilder.vector.reversed() + [(Array("empty".utf8), [UInt8](repeating: 7, count: 3))]
        let bytes = try ArchiveBuilder(given).archive()
        try withArchive(bytes) { source in
            let found = try entries(of: source)
            #expect(found.map(\.key) == ["core/keyring", "empty", "sys/policy/default"])
            #expect(found[1].value == [7, 7, 7])
            #expect(source.remarks.contains { $0.contains("no order") && $0.contains("1 entry") })
        }
        try withArchive(bytes, .nothing) { source in
            #expect(throws: StorageError.self) { try source.scan(ScanRequest()) { _ in true } }
            #expect(throws: StorageError.self) { try source.get("sys/x") }
        }
    }

    @Test func nothingIsDeliveredForGoodFromADamagedArchive() throws {
        let entries = sampleEntries(3000, seed: 4).map { ($0.key.bytes, $0.value) }
        var builder = try ArchiveBuilder(entries)
        builder.members[1].content[builder.members[1].content.count - 5] ^= 1
        let bytes = builder.archive()
        #expect(throws: StorageError.self) { try withArchive(bytes) { _ in } }
        try withArchive(bytes, .nothing) { source in
            // Also where all that is wanted lies before the damage.
            for upper in [nil, StorageKey("core0")] {
                var request = ScanRequest()
                request.partition = StoragePartition(from: nil, to: upper)
                do {
                    try source.scan(request) { _ in true }
                    Issue.record("a damaged archive is read to its end")
                } catch let error as StorageError {
                    #expect(error.code == .damagedStore && error.message.contains("SHA256SUMS"))
                }
            }
        }
    }

    @Test func metaDataBehindTheEntriesAreFound() throws {
        var builder = try ArchiveBuilder(ArchiveBuilder.vector)
        builder.members = [builder.members[1], builder.members[2], builder.members[0]]
        for limit in limits {
            try withArchive(builder.archive(), limit) { source in
                #expect((source.meta == nil) == (limit.bytes == 0))
                let (found, keyring) = (try entries(of: source), try source.get(.keyring))
                #expect(found.count == 3 && keyring == [0, 0, 0, 1, 2])
            }
        }
    }

    @Test func whatIsNoFileIsRefused() throws {
        try Scratch.withFolder { folder in
            for (path, code) in [
                ("\(folder)/none", StorageError.Code.missingStore), (folder, .missingStore),
                ("/dev/null", .missingStore),
            ] {
                do {
                    _ = try SnapshotSource(path: path)
                    Issue.record("\(path) is opened")
                } catch let error as StorageError {
                    #expect(error.code == code)
                }
            }
        }
    }
}

/// Archives made of a store.
@Suite struct SnapshotDestinationTests {
    private static let few: [Entry] = [
        Entry(.keyring, [1]), Entry(.raftKeyRing, [2]), Entry(.sealConfiguration, [3]),
        Entry("z", [UInt8](repeating: 5, count: 3 << 20)),
    ]

    private func load(_ destination: SnapshotDestination, _ entries: [Entry]) throws -> any BulkLoader {
        let loader = try destination.bulkLoader(LoadPlan())
        for batch in batches(of: entries) { try loader.load(batch) }
        return loader
    }

    @Test(arguments: [0, 1, 5000])
    func anArchiveHoldsWhatWasLoaded(_ count: Int) throws {
        let expected = sampleEntries(count, seed: 6, largest: 300_000)
        try Scratch.withFolder { folder in
            let path = "\(folder)/out.snap"
            let loader = try load(SnapshotDestination(path: path, needsKeyRing: false), expected)
            try loader.finish()
            // Until it is published the final name is not there, and what was written can be read.
            #expect(Scratch.names(in: folder) == ["out.snap.sealift-unfinished"])
            let written = try loader.written()
            #expect(try entries(of: written) == expected)
            try loader.sync()
            loader.readFromDisk()
            #expect(try entries(of: written) == expected)
            written.close()
            try loader.publish()
            loader.abandon()
            #expect(Scratch.names(in: folder) == ["out.snap"])
            var info = stat()
            #expect(stat(path, &info) == 0 && info.st_mode & 0o777 == 0o600)
            let archive = try SnapshotSource(path: path)
            #expect(try entries(of: archive) == expected)
            #expect(archive.meta?.position == LogPosition(term: 1, index: UInt64(count) + 2))
            archive.close()
        }
    }

    @Test func withoutTheNodesKeysNoArchiveIsMade() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/out.snap"
            let loader = try load(SnapshotDestination(path: path), Self.few.filter { $0.key != .raftKeyRing })
            #expect(throws: StorageError.self) { try loader.finish() }
            loader.abandon()
            #expect(Scratch.names(in: folder) == [])
            let other = try load(SnapshotDestination(path: path), Self.few)
            try other.finish()
            try other.publish()
            #expect(Scratch.names(in: folder) == ["out.snap"])
        }
    }

    @Test func aFileThatIsThereIsNeverReplaced() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/out.snap"
            let loader = try load(SnapshotDestination(path: path), Self.few)
            try loader.finish()
            // It came while the archive was made.
            try Scratch.write([1, 2, 3], to: path)
            #expect(throws: StorageError.self) { try loader.publish() }
            loader.abandon()
            #expect(try Scratch.bytes(path) == [1, 2, 3])
            #expect(try SnapshotDestination(path: path).destinationFindings().first?.kind == .obstacle(.notEmpty))
            #expect(throws: StorageError.self) { try SnapshotDestination(path: path).claim("a test") }
            #expect(Scratch.names(in: folder) == ["out.snap"])
        }
    }

    @Test func whatAKilledRunLeftIsTakenOverAndNothingElse() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/out.snap"
            let left = "\(path).sealift-unfinished"
            let mark = Array("sealift unfinished archive 1\n".utf8)
            let whole: [UInt8] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 20, 0] + Array("SL".utf8)
            for head in [[], mark, Array(mark.prefix(7)), whole] {
                let isWritten = head.count > 7
                try Scratch.write(head + [UInt8](repeating: 1, count: isWritten ? 9_000_000 : 0), to: left)
                chmod(left, 0o600)
                let destination = SnapshotDestination(path: path)
                try destination.claim("a test")
                // Who has it is not disturbed.
                #expect(throws: StorageError.self) { try SnapshotDestination(path: path).claim("another") }
                let loader = try load(destination, Self.few)
                try loader.finish()
                try loader.publish()
                #expect(try entries(of: SnapshotSource(path: path)) == Self.few)
                try FileManager.default.removeItem(atPath: path)
            }
            // Whatever others pack, or others can write to, stays.
            for (mine, mode): ([UInt8], mode_t) in [
                (Array("mine".utf8), 0o600), ([0, 0, 0, 9], 0o600), ([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], 0o600),
                ([0x1f, 0x8b, 8, 8] + Array("a name of a packed file".utf8), 0o600), (mark, 0o666),
            ] {
                try Scratch.write(mine, to: left)
                chmod(left, mode)
                #expect(throws: StorageError.self) { try SnapshotDestination(path: path).claim("a test") }
                SnapshotDestination(path: path).removeRemains()
                #expect(try Scratch.bytes(left) == mine)
            }
        }
    }
}
