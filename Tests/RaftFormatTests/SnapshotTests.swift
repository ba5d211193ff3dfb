import Bolt
import Digest
import Foundation
import Storage
import TestSupport
import Testing

@testable import RaftFormat

/// What an archive gave.
struct ReadArchive: Equatable {
    var keys: [[UInt8]] = []
    var values: [[UInt8]] = []
    var contents: SnapshotParser.Contents?

    /// Reads an archive that comes in pieces.
    init(_ bytes: [UInt8], piece: Int = .max) throws {
        var frames = SnapshotFrames()
        var (keys, values): ([[UInt8]], [[UInt8]]) = ([], [])
        let parser = try SnapshotParser { bytes in
            try frames.take(bytes) { key, value in
                keys.append(Array(key))
                values.append(Array(value))
                return true
            }
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let next = rest.prefix(piece)
            rest = rest.dropFirst(next.count)
            _ = try Array(next).withUnsafeBytes { try parser.take($0) }
        }
        contents = try parser.finish()
        try frames.finish()
        (self.keys, self.values) = (keys, values)
    }
}

func digest(_ bytes: [UInt8]) throws -> String {
    try bytes.withUnsafeBytes { try SHA256Digest.of($0).hexadecimal }
}

/// Why an archive is refused.
func refusal(_ bytes: [UInt8]) throws -> SnapshotDefect.Kind? {
    do {
        _ = try ReadArchive(bytes)
        return nil
    } catch let defect as SnapshotDefect {
        #expect(defect.message.hasSuffix(".") && defect.message.utf8.count < 400)
        return defect.kind
    }
}

/// Archives read.
@Suite struct SnapshotReadingTests {
    @Test(arguments: [1, 3, 512, 700, Int.max])
    func theVectorIsReadInPiecesOfAnySize(_ piece: Int) throws {
        let builder = try ArchiveBuilder(ArchiveBuilder.vector)
        let read = try ReadArchive(builder.archive(), piece: piece)
        #expect(read.keys == ArchiveBuilder.vector.map(\.key) && read.values == ArchiveBuilder.vector.map(\.value))
        let contents = try #require(read.contents)
        #expect(contents.meta.position == LogPosition(term: 1, index: 5) && contents.meta.size == 255)
        #expect(contents.sealedSums == nil && contents.strayBytes == 0)
    }

    @Test(arguments: [0, 1, 6, 9])
    func gzipOfAnyLevelIsRead(_ level: Int) throws {
        let entries = sampleEntries(400, seed: 3).map { ($0.key.bytes, $0.value) }
        let tar = try ArchiveBuilder(entries).tar()
        try Scratch.withFolder { folder in
            try Scratch.write(tar, to: "\(folder)/tar")
            try runProgram(
                "/bin/sh",
                [
                    "-c",
                    "python3 -c \"import gzip,sys; "
                        + "sys.stdout.buffer.write(gzip.compress(open(sys.argv[1],'rb').read(), \(level)))\" "
                        + "'\(folder)/tar' > '\(folder)/packed'",
                ])
            let read = try ReadArchive(Scratch.bytes("\(folder)/packed"))
            #expect(read.keys == entries.map(\.0) && read.values == entries.map(\.1))
        }
    }

    @Test func severalMembersOfGzipAreOneStream() throws {
        let tar = try ArchiveBuilder(ArchiveBuilder.vector).tar()
        let packed = ArchiveBuilder.gzip(Array(tar[..<1000])) + ArchiveBuilder.gzip(Array(tar[1000...]))
        #expect(try ReadArchive(packed).keys.count == 3)
    }

    @Test func membersMayComeInAnyOrder() throws {
        let builder = try ArchiveBuilder(ArchiveBuilder.vector)
        for order in [[2, 1, 0], [1, 2, 0], [1, 0, 2], [2, 0, 1]] {
            var other = builder
            other.members = order.map { builder.members[$0] }
            #expect(try ReadArchive(other.archive()).contents?.meta.size == 255)
        }
    }

    @Test(arguments: ArchiveBuilder.SizeForm.allCases)
    func sizesMayStandInAnyForm(_ form: ArchiveBuilder.SizeForm) throws {
        var builder = try ArchiveBuilder(ArchiveBuilder.vector)
        for index in builder.members.indices { builder.members[index].size = form }
        #expect(try ReadArchive(builder.archive(), piece: 100).keys.count == 3)
    }

    @Test func sealedSumsAreReported() throws {
        var builder = try ArchiveBuilder(ArchiveBuilder.vector)
        builder.members.append(.init("SHA256SUMS.sealed", [10, 1, 1]))
        #expect(try ReadArchive(builder.archive()).contents?.sealedSums == 3)
        builder.members[3].content = []
        #expect(try ReadArchive(builder.archive()).contents?.sealedSums == 0)
    }

    /// The archives that were restored by a real reader, and those that it refused.
    @Test func whatServersRefuseIsRefused() throws {
        let vector = ArchiveBuilder.vector
        var extra = try ArchiveBuilder(vector)
        extra.members.append(.init("README", [1]))
        #expect(try refusal(extra.archive()) == .foreignMember)
        var dotted = try ArchiveBuilder(vector)
        dotted.members[0].name = "./meta.json"
        #expect(try refusal(dotted.archive()) == .foreignMember)
        var folder = try ArchiveBuilder(vector)
        folder.members.insert(.init("snapshot/", [], type: UInt8(ascii: "5")), at: 0)
        #expect(try refusal(folder.archive()) == .foreignMember)
        #expect(try refusal(ArchiveBuilder(vector, size: 254).archive()) == .damaged)
        for version in [0, 2, -1] {
            #expect(try refusal(ArchiveBuilder(vector, version: version).archive()) == .unsupportedVersion)
        }
        #expect(try refusal(ArchiveBuilder([([], [1])] + vector).archive()) == .damaged)
        // In no order and with a key that comes twice: taken as it comes.
        let backwards = vector.reversed() + [(vector[0].key, [9])]
        #expect(try ReadArchive(ArchiveBuilder(backwards).archive()).keys == backwards.map(\.0))
    }

    @Test func whatIsMissingOrDoubledIsNamed() throws {
        let whole = try ArchiveBuilder(ArchiveBuilder.vector)
        for index in whole.members.indices {
            var less = whole
            less.members.remove(at: index)
            #expect(try refusal(less.archive()) == .missingMember)
            var more = whole
            more.members.append(whole.members[index])
            #expect(try refusal(more.archive()) == .damaged)
        }
        var sums = whole
        sums.members[2].content += try ArchiveBuilder.line("SHA256SUMS.sealed", []).utf8
        #expect(try refusal(sums.archive()) == .damaged)
        sums.members[2].content = Array(try ArchiveBuilder.line("state.bin", whole.members[1].content).utf8)
        #expect(try refusal(sums.archive()) == .damaged)
        var other = whole
        other.members[1].content[40] ^= 1
        #expect(try refusal(other.archive()) == .wrongChecksum)
        for (index, most) in [(0, 8192), (2, 8192)] {
            var large = whole
            large.members[index].content = [UInt8](repeating: 0x20, count: most)
            #expect(try refusal(large.archive()) == .damaged)
        }
    }

    @Test func aStreamThatEndsWithinAnEntryIsRefused() throws {
        let frames = ArchiveBuilder.vector.map { ArchiveBuilder.frame($0.key, $0.value) }
        for tail in [[0x15], [0xdf], Array(frames[2].dropLast())] {
            #expect(try refusal(ArchiveBuilder(state: frames[0] + tail).archive()) == .damaged)
        }
        #expect(try refusal(ArchiveBuilder(state: frames[0] + [0xff, 0xff, 0xff, 0xff, 0x7f]).archive()) == .damaged)
        #expect(
            try refusal(ArchiveBuilder(state: frames[0] + [UInt8](repeating: 0xff, count: 12)).archive()) == .damaged)
        // Unknown fields are passed over, and of one that comes twice the last counts.
        let odd: [UInt8] = [0x0a, 1, 0x61, 0x18, 1, 0x0a, 1, 0x62, 0x35, 1, 2, 3, 4]
        #expect(try ReadArchive(ArchiveBuilder(state: [UInt8(odd.count)] + odd).archive()).keys == [[0x62]])
    }

    @Test func everyShorterFileIsCutOff() throws {
        let whole = try ArchiveBuilder(ArchiveBuilder.vector).archive()
        for count in 2..<whole.count {
            #expect(try refusal(Array(whole[..<count])) == .cutOff, "\(count) bytes")
        }
        #expect(try refusal(whole + [0]) == .damaged)
        #expect(try refusal(whole + Array("<html>".utf8)) == .damaged)
        #expect(try refusal([]) == .empty)
    }

    @Test func cutOffBehindTheSumsIsNamed() throws {
        var builder = try ArchiveBuilder(ArchiveBuilder.vector)
        let sealedAt = builder.tar().count - 1024
        builder.members.append(.init("SHA256SUMS.sealed", [UInt8](repeating: 7, count: 185)))
        let cut = Array(builder.archive()[..<(sealedAt + 100)])
        #expect(throws: SnapshotDefect.self) { try ReadArchive(cut) }
        do { _ = try ReadArchive(cut) } catch let defect as SnapshotDefect {
            #expect(defect.kind == .cutOff && defect.message.contains("SHA256SUMS.sealed"))
        }
    }

    /// No damage is accepted: an archive gives what it gave before, or an error.
    @Test func mutatedArchivesGiveTheSameOrAnError() throws {
        let entries = sampleEntries(12, seed: 8, largest: 60).map { ($0.key.bytes, $0.value) }
        var builder = try ArchiveBuilder(entries)
        builder.members.append(.init("SHA256SUMS.sealed", [UInt8](repeating: 9, count: 40)))
        let (tar, archive) = (builder.tar(), builder.archive())
        let expected = try ReadArchive(archive)
        var random = SeededRandom(fuzz: 15)
        var accepted = 0
        for round in 0..<Effort.rounds(20_000) {
            // Half of them behind gzip's own sum, so that what is within has to notice.
            let mutated = round % 2 == 0 ? random.mutated(archive) : ArchiveBuilder.gzip(random.mutated(tar))
            do {
                let read = try ReadArchive(mutated)
                accepted += 1
                try #require(read.keys == expected.keys && read.values == expected.values, "round \(round)")
            } catch is SnapshotDefect {
                continue
            }
        }
        // Bytes that mean nothing, in padding and names of owners, are changed as well.
        #expect(accepted > 0)
    }
}

/// Archives written.
@Suite struct SnapshotWritingTests {
    /// What the writer makes of entries.
    private func written(
        _ entries: [(key: [UInt8], value: [UInt8])], announces: Bool, paxFrom: Int = 1 << 33
    ) throws -> [UInt8] {
        var file: [UInt8] = []
        var offsets: [Int] = []
        let size = entries.reduce(0) { $0 + EntryFrame.count(key: $1.key.count, value: $1.value.count) }
        let meta = SnapshotMeta(
            position: LogPosition(term: 1, index: 5), configuration: ClusterConfiguration(index: 0, servers: []),
            size: size)
        let writer = try SnapshotWriter(announced: announces ? meta : nil, time: 1_700_000_000, paxFrom: paxFrom) {
            bytes, offset in
            offsets.append(offset)
            if file.count < offset + bytes.count {
                file += [UInt8](repeating: 0, count: offset + bytes.count - file.count)
            }
            file.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        }
        for entry in entries {
            try entry.key.withUnsafeBytes { key in try entry.value.withUnsafeBytes { try writer.append(key, $0) } }
        }
        let count = try writer.finish(meta: meta)
        #expect(count == file.count)
        #expect(announces == (offsets == offsets.sorted()))
        return file
    }

    @Test(arguments: [true, false])
    func theVectorIsWrittenByteForByte(announces: Bool) throws {
        let file = try written(ArchiveBuilder.vector, announces: announces)
        let tar = try ArchiveBuilder.gunzip(file)
        #expect(tar.count == 4096)
        #expect(try digest(tar) == "99dcd3d804090b2c3370d9ac8150bd4a2faa0f468daf818ca1e199f9049c166a")
        #expect(tar == (try ArchiveBuilder(ArchiveBuilder.vector).tar()))
        let (meta, state) = (Array(tar[512..<644]), Array(tar[1536..<1791]))
        #expect(try digest(meta) == "890ceb82fa761a5c83495a8469c8a9e279217bf40590424cecd9cdeeebd01458")
        #expect(try digest(state) == "dfd21fafde5eadc66ca10c72f3e29394dbb6642e7405b9341af8e21d494f78ab")
        #expect(try ReadArchive(file).keys == ArchiveBuilder.vector.map(\.key))
        try Scratch.withFolder { folder in
            try Scratch.write(file, to: "\(folder)/a.gz")
            try runProgram("/bin/sh", ["-c", "gzip -t '\(folder)/a.gz' && tar -tzf '\(folder)/a.gz'"])
        }
    }

    @Test(arguments: [true, false])
    func aSizeWithoutRoomInItsDigitsStandsInARecord(announces: Bool) throws {
        let entries = sampleEntries(2_000, seed: 5).map { ($0.key.bytes, $0.value) }
        let file = try written(entries, announces: announces, paxFrom: 1000)
        let read = try ReadArchive(file)
        #expect(read.keys == entries.map(\.0) && read.values == entries.map(\.1))
        let tar = try ArchiveBuilder.gunzip(file)
        #expect(tar[1024 + 156] == UInt8(ascii: "x"))
        try Scratch.withFolder { folder in
            try Scratch.write(file, to: "\(folder)/a.gz")
            try runProgram(
                "/bin/sh", ["-c", "cd '\(folder)' && gzip -t a.gz && tar -xzf a.gz && sha256sum -c SHA256SUMS"])
        }
    }

    @Test func aSizeBeyondEightGibibytesIsReadFromItsRecord() throws {
        let size = 9 << 30
        var first: [UInt8] = []
        let meta = SnapshotMeta(
            position: LogPosition(term: 2, index: 7), configuration: ClusterConfiguration(index: 0, servers: []),
            size: size)
        _ = try SnapshotWriter(announced: meta, time: 0) { bytes, _ in first += bytes }
        var tar = TarStream()
        var members: [TarMember] = []
        _ = try first[15...].withUnsafeBytes { bytes in
            try tar.take(bytes, begin: { members.append($0) }, content: { _ in true }, end: {})
        }
        #expect(
            members == [
                TarMember(name: "meta.json", size: meta.encoded.count), TarMember(name: "state.bin", size: size),
            ])
    }

    @Test func metaDataGoThereAndBack() throws {
        let meta = SnapshotMeta(
            position: LogPosition(term: 3, index: 5009),
            configuration: ClusterConfiguration(
                index: 1,
                servers: [
                    ClusterServer(id: "n1", address: "127.0.0.1:8201"),
                    ClusterServer(suffrage: .nonvoter, id: "a\"\\\n", address: ""),
                ]),
            size: 1_332_871)
        #expect(try SnapshotMeta(decoding: meta.encoded) == meta)
        #expect(
            String(decoding: meta.encoded, as: UTF8.self).hasPrefix(
                "{\"Version\":1,\"ID\":\"bolt-snapshot\",\"Index\":5009,\"Term\":3,\"Peers\":null,\"Configuration\":{\"Servers\":[{\"Suffrage\":0,"
                    + "\"ID\":\"n1\",\"Address\":\"127.0.0.1:8201\"},"))
        let other = "{\"version\":1,\"index\":1,\"TERM\":2,\"size\":0,\"more\":[1]}"
        #expect(try SnapshotMeta(decoding: Array(other.utf8)).position == LogPosition(term: 2, index: 1))
        for text in [
            "", "[]", "{}", "{\"Version\":1,\"Index\":-1,\"Term\":1,\"Size\":1}", "{\"Version\":1,\"Index\":1}",
        ] {
            #expect(throws: SnapshotDefect.self) { try SnapshotMeta(decoding: Array(text.utf8)) }
        }
    }
}

/// What is no snapshot is named.
@Suite struct SnapshotLookalikeTests {
    private func kind(_ bytes: [UInt8]) -> SnapshotDefect.Kind? {
        SnapshotLookalike.identify(Array(bytes.prefix(8192)), isWhole: bytes.count <= 8192, path: "/dev/null")?.kind
    }

    @Test func everyFileIsNamedAsWhatItIs() throws {
        let archive = try ArchiveBuilder(ArchiveBuilder.vector).archive()
        let texts: [(String, SnapshotDefect.Kind)] = [
            ("{\"errors\":[\"permission denied\"]}\n", .jsonAnswer), ("<!DOCTYPE html><html>", .htmlPage),
            ("<a href=\"https://10.0.0.2:8200/v1/sys/storage/raft/snapshot\">Temporary Redirect</a>.\n\n", .redirect),
            ("Salted__12345678", .encrypted), ("age-encryption.org/v1\n", .encrypted),
            ("-----BEGIN PGP MESSAGE-----\n", .encrypted), ("H4sIAAAAAAAA/w==", .base64),
            ("BZh91AY&SY", .otherCompression),
            ("hello", .unknown),
        ]
        for (text, expected) in texts { #expect(kind(Array(text.utf8)) == expected, "\(text)") }
        #expect(kind([]) == .empty)
        #expect(kind([UInt8](repeating: 0, count: 5000)) == .zeros)
        #expect(kind(try ArchiveBuilder(ArchiveBuilder.vector).tar()) == .plainTar)
        #expect(kind([0x8c, 0x0d, 0x04, 0x09, 3, 2]) == .encrypted)
        #expect(kind([0x85, 0x02, 0x0c, 0x03, 1, 2]) == .encrypted)
        #expect(kind([0x28, 0xb5, 0x2f, 0xfd, 0, 0]) == .otherCompression)
        #expect(kind([0x1f, 0xef, 0xbf, 0xbd, 0x08, 0]) == .convertedText)
        #expect(kind(archive) == nil)
        var consul = try ArchiveBuilder(ArchiveBuilder.vector)
        let meta = String(decoding: consul.members[0].content, as: UTF8.self)
        consul.members[0].content = Array(meta.replacing("bolt-snapshot", with: "2-10-1607000000000").utf8)
        #expect(try refusal(consul.archive()) == .consulSnapshot)
        #expect(try refusal(ArchiveBuilder.gzip(archive)) == .gzipOfGzip)
        #expect(try refusal(ArchiveBuilder.gzip([])) == .empty)
        #expect(try refusal(ArchiveBuilder.gzip(Array("{\"errors\":[]}".utf8))) == .jsonAnswer)
        #expect(try refusal(ArchiveBuilder.gzip([UInt8](repeating: 65, count: 4000))) == .unknown)
    }

    @Test(arguments: [
        (["data", "config"], SnapshotDefect.Kind.boltFile, "vault.db"), (["conf", "logs"], .boltFile, "raft.db"),
        (["auth", "key", "meta"], .etcdSnapshot, "etcd"), (["other"], .boltFile, "another program"),
    ])
    func databasesAreToldByTheirBuckets(_ buckets: [String], _ kind: SnapshotDefect.Kind, _ says: String) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/f"
            let builder = try BoltBuilder(path: path)
            for name in buckets.sorted() {
                try builder.beginBucket(Array(name.utf8))
                try builder.endBucket()
            }
            try builder.finish()
            var bytes = try Scratch.bytes(path)
            for isCut in [false, true] {
                if isCut { bytes.removeLast(bytes.count - 4096) }
                try Scratch.write(bytes, to: path)
                let defect = SnapshotLookalike.identify(Array(bytes.prefix(8192)), isWhole: false, path: path)
                #expect(defect?.kind == (isCut ? .boltFile : kind))
                #expect(isCut || defect?.message.contains(says) == true)
            }
        }
    }

    @Test func onlyAServersOwnErrorsAreShown() {
        let said = SnapshotLookalike.identify(
            Array("{\"errors\":[\"permission denied\\n\"]}".utf8), isWhole: true, path: "")
        #expect(said?.message.contains("\"permission denied?\"") == true)
        let secret = SnapshotLookalike.identify(
            Array("{\"data\":{\"password\":\"hunter2\"}}".utf8), isWhole: true, path: "")
        #expect(secret?.kind == .jsonAnswer && secret?.message.contains("hunter2") == false)
    }
}
