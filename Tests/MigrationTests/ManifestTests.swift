import Digest
import Foundation
import Migration
import Storage
import TestSupport
import Testing

@Suite struct ManifestTests {
    private static let header = Manifest.Header(
        sourceKind: "file", time: "2026-01-02T03:04:05Z", entries: 0, bytes: 0, keyspaceDigest: "", version: "1.0")

    /// Writes the manifest of some entries in key order.
    private static func write(_ entries: [Entry], to path: String) throws -> SHA256Digest {
        let writer = try ManifestWriter(path: path, header: header)
        var options = DigestedScan.Options()
        options.writesManifestLines = true
        let scan = DigestedScan(try memory(entries), options)
        defer { scan.stop() }
        var totals = KeyspaceTotals()
        while let batch = try scan.nextBatch() {
            totals.add(batch)
            try writer.append(batch.manifestLines)
            batch.recycle()
        }
        #expect(totals.bytes == entries.reduce(0) { $0 + $1.key.bytes.count + $1.value.count })
        #expect(totals.largestEntry == entries.map { $0.key.bytes.count + $0.value.count }.max() ?? 0)
        return try writer.finish(totals)
    }

    private static let strange: [Entry] = [
        Entry("", []), Entry(StorageKey([0]), [1]), Entry("a\\b", [2]), Entry("\\x41", [3]), Entry("A", [4]),
        Entry("line\nline\r", [5]), Entry(StorageKey([0xff, 0xfe, 0x80]), [6]), Entry("# no header", [7]),
        Entry("é/e\u{301}", [8]), Entry(" ", [9]), Entry("  ", [10]), Entry("\u{7f}~", [11]),
    ].sorted()

    @Test func linesAndDigestAreTheOnesOfCommonTools() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/manifest.txt"
            for entries in [[], Self.strange, sampleEntries(3_000, seed: 1)] {
                let digest = try Self.write(entries, to: path).hexadecimal
                let command = "grep -v '^#' \"$0\" | sha256sum"
                #expect(try runProgram("/usr/bin/env", ["sh", "-c", command, path]).prefix(64) == digest)
                let text = String(decoding: try Scratch.bytes(path), as: UTF8.self)
                let header = text.split(separator: "\n").filter { $0.hasPrefix("#") }.map {
                    $0.trimmingCharacters(in: .whitespaces)
                }
                let bytes = entries.reduce(0) { $0 + $1.key.bytes.count + $1.value.count }
                #expect(
                    header == [
                        "# sealift manifest 1", "# source: file", "# time: 2026-01-02T03:04:05Z",
                        "# entries: \(entries.count)", "# bytes: \(bytes)", "# keyspace digest: \(digest)",
                        "# sealift: 1.0",
                    ])
                #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
            }
            _ = try Self.write([Entry("a\\\u{1}é", Array("abc".utf8))], to: path)
            let line = String(decoding: try Scratch.bytes(path), as: UTF8.self).split(separator: "\n").last
            #expect(line == #"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\\\x01\xc3\xa9"#)
        }
    }

    @Test func aManifestIsReadBackAsItWasWritten() throws {
        let long = (0..<40).map { Entry(StorageKey([UInt8($0)] + [UInt8](repeating: 0xff, count: 32_767)), [1]) }
        try Scratch.withFolder { folder in
            let path = "\(folder)/manifest.txt"
            for entries in [[], Self.strange, sampleEntries(9_000, seed: 2), long] {
                _ = try Self.write(entries, to: path)
                let isEqual = try lines(of: ManifestReader(path: path)) == lines(of: memory(entries))
                #expect(isEqual)
            }
        }
    }

    private static let digest = String(repeating: "0a", count: 32)

    @Test(arguments: [
        ("\(digest)  a\n\n", 2), ("\(digest)  a\n\(digest) b\n", 2), ("\(digest)\n", 1), ("\(digest) \n", 1),
        ("x\n", 1),
        ("# header\n\(digest)  a\n# header\n\(digest.dropLast())g  b\n", 4), ("\(digest)  a\\\n", 1),
        ("\(digest)  a\\x4\n", 1), ("\(digest)  a\\x4g\n", 1), ("\(digest)  a\\n\n", 1), ("\(digest)  \u{1}\n", 1),
        ("\(digest)  é\n", 1), ("\(digest)  a\n\(digest)  b", 2), ("\(digest)  a\n\(digest.prefix(3))", 2),
        ("\(digest)  a\n\(digest)  \(String(repeating: "k", count: 3 << 20))\n", 2),
    ])
    func aDamagedManifestIsRefusedWithItsLine(text: String, line: Int) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/manifest.txt"
            try Scratch.write(text.utf8, to: path)
            let reader = try ManifestReader(path: path)
            let error = #expect(throws: StorageError.self) { _ = try lines(of: reader) }
            #expect(error?.code == .damagedStore)
            #expect(error?.message.hasPrefix("\(path):\(line): ") == true)
        }
    }

    @Test func mutatedManifestsAreReadOrRefused() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/manifest.txt"
            _ = try Self.write(Self.strange, to: path)
            let whole = try Scratch.bytes(path)
            var random = SeededRandom(fuzz: 6)
            // The reader's buffer makes each round cost some milliseconds.
            for round in 0..<Effort.rounds(120) {
                try Scratch.write(round < 40 ? Array(whole.prefix(round * 27)) : random.mutated(whole), to: path)
                _ = try? lines(of: ManifestReader(path: path))
            }
            #expect(throws: StorageError.self) { try ManifestReader(path: "\(folder)/none") }
            #expect(throws: StorageError.self) { try ManifestWriter(path: "\(folder)/no/where", header: Self.header) }
        }
    }
}
