import Foundation
import Glibc
import RaftDirectoryBackend
import RaftFormat
import Storage
import TestSupport
import Testing

/// Entries of the log that the data lacks, read with it.
@Suite struct LogTailTests {
    /// The manifest's lines of a directory, and what is said of its log.
    private static func read(
        _ path: String, _ applyLog: ApplyLog?
    ) throws -> (lines: [UInt8], said: String, findings: [StoreFinding]) {
        let store = try RaftDirectoryBackend(path: path, applyLog: applyLog)
        defer { store.close() }
        return (try manifest(of: store), store.remarks.joined(separator: "\n"), try store.sourceFindings())
    }

    private static func refusal(_ path: String, _ applyLog: ApplyLog?) -> StorageError? {
        do throws(StorageError) {
            try RaftDirectoryBackend(path: path, applyLog: applyLog).close()
            return nil
        } catch {
            return error
        }
    }

    /// vault.db of a Vault at index 540, and its log to 889 in the form of newer Vaults.
    @Test func aVaultsWriteAheadLogGivesTheDataOfTheServerThatWentOn() throws {
        try Scratch.withFolder { folder in
            try Fixture("raft-wal/vault-pair").unpack(into: folder)
            let path = "\(folder)/data"
            let after = try Fixture("raft-vault-native").manifest()
            for way in [ApplyLog.all, .committed] {
                let (lines, said, findings) = try Self.read(path, way)
                #expect(lines == after && findings.isEmpty, "\(said)")
                #expect(said.contains("Entries 541 to 889 of raft/wal were read with the data"), "\(said)")
                #expect(said.contains(way == .all ? "recovery with peers.json" : "one voter"), "\(said)")
            }
            let (lines, said, findings) = try Self.read(path, .nothing)
            #expect(lines != after && findings.isEmpty && said.contains("541 to 889"), "\(said)")
            let undecided = try Self.read(path, nil)
            #expect(undecided.lines == lines && undecided.findings.count == 1)
            let text = try #require(undecided.findings.first?.message)
            for part in [
                "The log holds 349 entries behind the data, 541 to 889", "apply_log = \"all\"", "\"committed\"",
                "\"none\"",
                "here all of them, since the cluster has one voter", "-allow-missing-log",
            ] { #expect(text.contains(part), "\(part) is not in \(text)") }
            #expect(undecided.findings.first?.kind == .obstacle(.damagedStore))
            let store = try RaftDirectoryBackend(path: path, applyLog: .all)
            defer { store.close() }
            try SourceTests.checkPartitions(of: store, entries(of: store), mostParts: 1)
            try SourceTests.checkCursors(of: store, entries(of: store))
        }
    }

    /// Before a large write, after its first piece, and after a command between the pieces: there a server that is
    /// started loses the write.
    @Test(arguments: ["at-4", "at-5", "at-6"])
    func aLargeWriteThatWasCutOffIsCompleted(_ name: String) throws {
        try Scratch.withFolder { folder in
            let fixture = Fixture("raft-wal/chunk-pair")
            try fixture.unpack(into: folder)
            let after = try Scratch.bytes(fixture.path("manifest-after.txt"))
            let (lines, said, _) = try Self.read("\(folder)/\(name)", .all)
            #expect(lines == after, "\(String(decoding: lines, as: UTF8.self))")
            #expect(said.contains("whose first pieces stand in front") == (name == "at-6"), "\(said)")
            #expect(said.contains("1 piece of large writes whose rest is not there stays"), "\(said)")
            let store = try RaftDirectoryBackend(path: "\(folder)/\(name)", applyLog: .all)
            defer { store.close() }
            #expect(try store.get("logical/big")?.count == 600_000)
            #expect(try store.list("raftchunking/") == ["43/"])
        }
    }

    /// `raft.db` wins over a `raft/wal` beside it.
    @Test func theOlderLogWinsAsOnAServer() throws {
        try Scratch.withFolder { folder in
            try Fixture("raft-wal/vault-pair").unpack(into: folder)
            let path = "\(folder)/data"
            var log = TestLog(from: 541)
            log.term = 3
            log.put("logical/only/here", [1])
            try log.write(to: "\(path)/raft/raft.db")
            let store = try RaftDirectoryBackend(path: path, applyLog: .all)
            defer { store.close() }
            #expect(try store.get("logical/only/here") == [1])
            #expect(store.remarks.contains { $0.contains("raft/wal is left out") })
        }
    }

    @Test func aLockedWriteAheadLogIsInUse() throws {
        try Scratch.withFolder { folder in
            try Fixture("raft-wal/vault-pair").unpack(into: folder)
            let descriptor = open("\(folder)/data/raft/wal/wal-meta.db", O_RDWR)
            defer { close(descriptor) }
            #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
            for way in [nil, ApplyLog.all] { #expect(Self.refusal("\(folder)/data", way)?.code == .inUse) }
        }
    }

    /// Thousands of changes over thousands of entries, read in every way.
    @Test func manyChangesAreReadInEveryWay() throws {
        try Scratch.withFolder { folder in
            let old = sampleEntries(9_000, seed: 21, largest: 300_000)
            let new = sampleEntries(9_000, seed: 22, largest: 300_000)
            var log = TestLog(from: 13)
            var changed: [(StorageKey, [UInt8]?)] = []
            func put(_ key: StorageKey, _ value: [UInt8]) {
                log.put(key, value)
                changed.append((key, value))
            }
            for (place, entry) in new.enumerated() where place % 2 == 0 { put(entry.key, entry.value) }
            for (place, entry) in old.enumerated() {
                switch place % 7 {
                case 0:
                    log.delete(entry.key)
                    changed.append((entry.key, nil))
                case 1: put(entry.key, entry.value + [7])
                default: break
                }
            }
            // The same again: the last one counts.
            for (place, entry) in old.enumerated() where place % 70 == 0 { put(entry.key, [UInt8(place % 251)]) }
            put(StorageKey([UInt8](repeating: 0xff, count: 40)), [1, 2, 3])
            let expected = TestNode.data(old, changed: changed)
            try TestNode.write(folder, old, at: 12, log)
            let store = try RaftDirectoryBackend(path: folder, applyLog: .all)
            defer { store.close() }
            let found = try entries(of: store)
            #expect(found == expected)
            try SourceTests.checkPartitions(of: store, expected)
            try SourceTests.checkCursors(of: store, expected)
            for (key, value) in changed.suffix(2_000) {
                #expect(try store.get(key) == expected.first { $0.key == key }?.value, "\(key) \(value?.count ?? -1)")
            }
            #expect(try store.measure(isCancelled: { false })?.entries == expected.count)
        }
    }

    /// Data that is empty, or all deleted, and changes in front of it and behind.
    @Test func changesWithoutDataAreRead() throws {
        try Scratch.withFolder { folder in
            var log = TestLog(from: 1)
            for key in ["b", "a", "c/d"] { log.put(StorageKey(key), Array(key.utf8)) }
            try TestNode.write(folder, [], at: 0, term: 0, log)
            let store = try RaftDirectoryBackend(path: folder, applyLog: .all)
            #expect(try entries(of: store).map(\.key) == ["a", "b", "c/d"])
            var request = ScanRequest()
            request.partition = StoragePartition(from: "b", to: "c/d")
            #expect(try entries(of: store, request).map(\.key) == ["b"])
            store.close()
            var deletes = TestLog(from: 1)
            for key in ["a", "b"] { deletes.delete(StorageKey(key)) }
            try TestNode.write(folder, [Entry("a", [1]), Entry("b", [])], at: 0, term: 0, deletes)
            #expect(try entries(of: RaftDirectoryBackend(path: folder, applyLog: .all)).isEmpty)
        }
    }

    /// What keeps log and data from being put together, and what is said of it in each way.
    @Test func logsThatDoNotContinueTheDataAreRefused() throws {
        var gap = TestLog(from: 13)
        gap.put("a", [1])
        gap.skip(2)
        gap.put("b", [1])
        var late = TestLog(from: 15)
        late.put("a", [1])
        var other = TestLog(from: 11)
        other.term = 9
        for _ in 0..<4 { other.put("a", [1]) }
        var damaged = TestLog(from: 13)
        damaged.put("a", [1])
        damaged.addRaw([0xc1, 2, 3])
        var misnamed = TestLog(from: 13)
        misnamed.addRaw(TestLog.packed(.init(index: 77, data: TestLog.put("a", [1]))))
        let cases: [(String, TestLog, String)] = [
            ("gap", gap, "lacks entries 14 to 15: entries are missing"),
            ("late", late, "begins with entry 15, and the data ends with 12: entries are missing"),
            ("term", other, "entry 12 of raft/raft.db has term 9"), ("damage", damaged, "entry 14 is damaged"),
            ("index", misnamed, "it calls itself 77"),
        ]
        for (name, log, says) in cases {
            try Scratch.withFolder { folder in
                try TestNode.write(folder, [Entry("old", [1])], at: 12, log)
                let error = try #require(Self.refusal(folder, .all), "\(name)")
                #expect(error.code == .damagedStore && error.message.contains(says), "\(name): \(error)")
                #expect(error.message.contains("apply_log = \"none\""), "\(name): \(error)")
                let store = try RaftDirectoryBackend(path: folder)
                #expect(try store.sourceFindings().first?.waiver == .missingLog, "\(name)")
                #expect(try entries(of: store) == [Entry("old", [1])])
                store.close()
                let plain = try RaftDirectoryBackend(path: folder, applyLog: .nothing)
                #expect(try plain.sourceFindings().isEmpty && entries(of: plain) == [Entry("old", [1])])
                plain.close()
            }
        }
    }

    /// Keys that are no index: in front they hide the log, behind they may have been anything.
    @Test func keysThatAreNoIndexAreNotPassedOver() throws {
        for key in [[0, 0, 0], [UInt8](repeating: 0, count: 8), [0, 0, 0, 0, 0, 0, 0, 0, 1]] as [[UInt8]] {
            try Scratch.withFolder { folder in
                var log = TestLog(from: 13)
                log.put("a", [1])
                log.addKey(key)
                try TestNode.write(folder, [], at: 12, log)
                for way in [ApplyLog.all, .committed] {
                    let error = try #require(Self.refusal(folder, way))
                    #expect(error.code == .damagedStore && error.message.contains("the log's first key is"), "\(error)")
                }
                #expect(try Self.read(folder, nil).findings.first?.waiver == .missingLog)
                #expect(try Self.read(folder, .nothing).said.contains("the log's first key is"))
            }
        }
        try Scratch.withFolder { folder in
            var log = TestLog(from: 13)
            log.put("a", [1])
            log.addKey(Array("x".utf8))
            try TestNode.write(folder, [], at: 12, log)
            for way in [ApplyLog.all, .committed] {
                #expect(Self.refusal(folder, way)?.message.contains("a key of the log is no index") == true)
            }
            let undecided = try Self.read(folder, nil).findings.first?.message
            #expect(undecided?.contains("which is refused here") == true, "\(undecided ?? "")")
            #expect(try Self.read(folder, .nothing).said.contains("1 key of the log is no index"))
            // Of several voters nothing proves it.
            try TestNode.write(folder, [], at: 12, voters: 3, log)
            #expect(Self.refusal(folder, .all)?.message.contains("a key of the log is no index") == true)
            #expect(try Self.read(folder, .committed).said.contains("a key of the log is no index. Nothing in the"))
        }
    }

    /// One that stands among entries that the data has is said, too.
    @Test func aKeyAmidTheLogIsSaid() throws {
        try Scratch.withFolder { folder in
            var log = TestLog(from: 10)
            for _ in 0..<5 { log.put("a", [1]) }
            log.addKey([0, 0, 0, 0, 0, 0, 0, 11, 7])
            try TestNode.write(folder, [], at: 12, log)
            for way in [nil] + ApplyLog.allCases.map(Optional.some) {
                #expect(try Self.read(folder, way).said.contains("1 key of the log is no index"))
            }
        }
    }

    /// What the only voter has logged is committed, whether it can be read or not.
    @Test func damagedEntriesOfOneVoterAreNotLeftOut() throws {
        for kind in ["damage", "an unknown kind", "a membership"] {
            var log = TestLog(from: 13)
            log.put("a", [1])
            switch kind {
            case "damage": log.addRaw([0xc1, 2, 3])
            case "a membership": log.add(type: 5, [0xc1])
            default: log.add(type: 9, [1])
            }
            log.put("b", [1])
            log.add(TestLog.transaction(13, TestLog.put("c", [1])))
            for voters in [1, 3] {
                try Scratch.withFolder { folder in
                    try TestNode.write(folder, [], at: 12, voters: voters, log)
                    #expect(Self.refusal(folder, .all)?.message.contains("entry 14") == true, "\(kind)")
                    if voters == 1 {
                        let error = try #require(Self.refusal(folder, .committed), "\(kind)")
                        #expect(error.code == .damagedStore && error.message.contains("entry 14"), "\(error)")
                    } else {
                        let store = try RaftDirectoryBackend(path: folder, applyLog: .committed)
                        #expect(try entries(of: store).map(\.key) == ["a"], "\(kind)")
                        #expect(
                            store.logWarnings.contains {
                                $0.contains("entry 14") && $0.contains("whether it is committed: it was left out")
                            }, "\(kind): \(store.logWarnings)")
                        store.close()
                    }
                }
            }
        }
    }

    @Test func aMembershipThatCannotBeReadIsSaid() throws {
        try Scratch.withFolder { folder in
            var log = TestLog(from: 13)
            log.put("a", [1])
            for raw in [[0x12, 0x02, 0x08, 0x07], [0xff]] as [[UInt8]] {
                try TestNode.write(folder, [Entry("old", [1])], at: 12, rawMembership: raw, log)
                let error = try #require(Self.refusal(folder, .committed))
                #expect(error.code == .damagedStore && error.message.contains("latest_config"), "\(error)")
                #expect(error.message.contains("apply_log = \"none\""), "\(error)")
                for way in [nil, ApplyLog.all, .nothing] {
                    let (_, said, findings) = try Self.read(folder, way)
                    #expect(said.contains("The membership cannot be read: vault.db: latest_config"), "\(said)")
                    #expect(findings.count == (way == nil ? 1 : 0))
                }
            }
        }
    }

    /// A segment that is cut while it is read is damage, as in any other store.
    @Test func aLogThatIsCutMeanwhileIsDamaged() throws {
        try Scratch.withFolder { folder in
            try Fixture("raft-wal/vault-pair").unpack(into: folder)
            let path = "\(folder)/data"
            let store = try RaftDirectoryBackend(path: path, applyLog: .all)
            defer { store.close() }
            for name in Scratch.names(in: "\(path)/raft/wal") where name.hasSuffix(".wal") {
                #expect(truncate("\(path)/raft/wal/\(name)", 32) == 0)
            }
            let error = #expect(throws: StorageError.self) { try entries(of: store) }
            #expect(error?.code == .damagedStore, "\(error.debugDescription)")
        }
    }

    /// One entry is not spoken of as several.
    @Test func aSingleEntryIsSpokenOfAsOne() throws {
        try Scratch.withFolder { folder in
            var log = TestLog(from: 13)
            log.put("a", [1])
            try TestNode.write(folder, [], at: 12, log)
            let undecided = try #require(try Self.read(folder, nil).findings.first?.message)
            for part in [
                "The log holds 1 entry behind the data, 13; it may be a write. The node stopped before it applied it:",
                "here this one, since the cluster has one voter",
            ] { #expect(undecided.contains(part), "\(undecided)") }
            #expect(try Self.read(folder, .all).said.contains("Entry 13 of raft/raft.db was read with the data"))
            #expect(try Self.read(folder, .nothing).said.contains("it is not read with the data"))
            try TestNode.write(folder, [], at: 12, voters: 3, log)
            let committed = try Self.read(folder, .committed).said
            #expect(committed.contains("Entry 13 was left out: nothing in the directory tells whether it is committed"))
            log.skip(1)
            log.put("b", [1])
            try TestNode.write(folder, [], at: 12, log)
            #expect(Self.refusal(folder, .all)?.message.contains("lacks entry 14: it is missing") == true)
            var noop = TestLog(from: 13)
            noop.noop()
            try TestNode.write(folder, [], at: 12, noop)
            #expect(try Self.read(folder, nil).said.contains("13; it is no write: nothing is missing"))
        }
    }

    @Test func aLogThatEndsBeforeTheDataHasNothingToGive() throws {
        try Scratch.withFolder { folder in
            var log = TestLog(from: 3)
            for _ in 0..<5 { log.put("old", [9]) }
            try TestNode.write(folder, [Entry("old", [1])], at: 12, log)
            for way in [nil] + ApplyLog.allCases.map(Optional.some) {
                let store = try RaftDirectoryBackend(path: folder, applyLog: way)
                #expect(try entries(of: store) == [Entry("old", [1])] && store.sourceFindings().isEmpty)
                store.close()
            }
        }
    }

    /// Only what may change data needs a decision.
    @Test func entriesWithoutCommandsNeedNone() throws {
        try Scratch.withFolder { folder in
            var log = TestLog(from: 13)
            log.noop()
            log.membership(3)
            log.add(type: 4, nil)
            log.add([0x10])
            log.add(
                [0x10], extensions: [0x03, 0xa5, 0x92, 0x03, 0xd6, 0xf9, 0xd1, 0xaf] + [UInt8](repeating: 1, count: 16))
            try TestNode.write(folder, [Entry("old", [1])], at: 12, log)
            for way in [nil] + ApplyLog.allCases.map(Optional.some) {
                let store = try RaftDirectoryBackend(path: folder, applyLog: way)
                #expect(try entries(of: store) == [Entry("old", [1])] && store.sourceFindings().isEmpty)
                #expect(store.remarks.last?.contains("13 to 17; 0 of them may be writes: nothing is missing") == true)
                store.close()
            }
        }
    }

    /// Commands that no server could have applied, or that are of a server not known here.
    @Test func commandsThatCannotBeAppliedAreRefused() throws {
        let cases: [(String, [UInt8], String)] = [
            ("an unknown kind", TestLog.operation(3, [1], [1]), "an operation of the kind 3"),
            ("no kind", TestLog.operation(0, [1], [1]), "an operation of the kind 0"),
            ("no command", Array("some data".utf8), "is no command"),
            ("no key", TestLog.operation(2, [], [1]), "without a key"),
            ("a long key", TestLog.operation(2, [UInt8](repeating: 1, count: 32_769), [1]), "larger than any file"),
            ("a part of a transaction", TestLog.operation(16, [1], [1]), "has no beginning"),
            (
                "no start", TestLog.operation(64) + TestLog.put("a", [1]) + TestLog.operation(128),
                "does not say when it began"
            ),
        ]
        for (name, command, says) in cases {
            try Scratch.withFolder { folder in
                var log = TestLog(from: 13)
                log.put("good", [1])
                log.add(command)
                try TestNode.write(folder, [], at: 12, log)
                let error = try #require(Self.refusal(folder, .all), "\(name)")
                #expect(error.code == .damagedStore && error.message.contains("entry 14"), "\(name): \(error)")
                #expect(error.message.contains(says), "\(name): \(error)")
            }
        }
        try Scratch.withFolder { folder in
            var log = TestLog(from: 13)
            log.add(type: 9, [1])
            try TestNode.write(folder, [], at: 12, log)
            #expect(Self.refusal(folder, .all)?.message.contains("the kind 9, which no server knows") == true)
        }
    }

    /// Pieces are joined, whatever stands between them; those of an older term are dropped; others stay.
    @Test func piecesAreJoinedAsAServerJoinsThem() throws {
        var random = SeededRandom(4)
        let (big, second) = (random.bytes(5_000), random.bytes(900))
        let command = TestLog.put("big", big) + TestLog.put("small", [1]) + TestLog.delete("old")
        var log = TestLog(from: 13)
        log.chunks(command, operation: .max, size: 700) { $0.put("between", [3]) }
        // Its last piece never came, and then a new leader's did.
        log.add([1, 2, 3], extensions: TestLog.chunkInfo(5, 0, 2))
        log.term = 2
        log.chunks(TestLog.put("second", second), operation: 6, size: 500)
        log.add([9], extensions: TestLog.chunkInfo(7, 0, 3))
        try Scratch.withFolder { folder in
            try TestNode.write(folder, [Entry("old", [1])], at: 12, log)
            let store = try RaftDirectoryBackend(path: folder, applyLog: .all)
            defer { store.close() }
            let found = try entries(of: store)
            #expect(found.map(\.key) == ["between", "big", "raftchunking/7/0", "second", "small"])
            #expect(try store.get("big") == big && store.get("second") == second && store.get("old") == nil)
            let record = "{\"OpNum\":7,\"SequenceNum\":0,\"NumChunks\":3,\"Term\":2,\"Data\":\"CQ==\"}\n"
            #expect(try store.get("raftchunking/7/0") == Array(record.utf8))
        }
        // A server that was restarted between them had dropped the first ones: the log in front of the data has them.
        var behind = TestLog(from: 9)
        behind.chunks(command, operation: 8, size: 2_000) { $0.put("between", [3]) }
        try Scratch.withFolder { folder in
            try TestNode.write(folder, [Entry("old", [1])], at: 12, behind)
            let store = try RaftDirectoryBackend(path: folder, applyLog: .all)
            defer { store.close() }
            #expect(try store.get("big") == big && store.get("small") == [1] && store.get("old") == nil)
            #expect(try store.list("").contains("raftchunking/") == false)
            #expect(store.remarks.contains { $0.contains("whose first pieces stand in front") })
        }
        // Pieces that make no whole.
        var wrong = TestLog(from: 13)
        for sequence in [0, 5] as [UInt64] { wrong.add([1], extensions: TestLog.chunkInfo(5, sequence, 2)) }
        try Scratch.withFolder { folder in
            try TestNode.write(folder, [], at: 12, wrong)
            #expect(Self.refusal(folder, .all)?.message.contains("do not make a whole") == true)
        }
    }

    /// Pieces of large writes that only the log in front of the data has.
    @Test func piecesInFrontAreAllFoundOrMissed() throws {
        func data(of log: TestLog, _ folder: String, at index: UInt64) throws -> [StorageKey] {
            try TestNode.write(folder, [], at: index, log)
            let store = try RaftDirectoryBackend(path: folder, applyLog: .all)
            defer { store.close() }
            return try entries(of: store).map(\.key)
        }
        let command = TestLog.put("big", [UInt8](repeating: 7, count: 50))
        // Damage that has nothing to do with them.
        var behind = TestLog(from: 5)
        behind.put("first", [1])
        behind.addRaw([0xc1])
        behind.add([1], extensions: [0xff])
        behind.chunks(command, operation: 8, size: 20) { $0.put("between", [3]) }
        try Scratch.withFolder { folder in
            let found = try data(of: behind, folder, at: 9)
            #expect(found == ["between", "big"])
        }
        // Or with one of them.
        var damaged = TestLog(from: 9)
        damaged.add(Array(command[..<20]), extensions: TestLog.chunkInfo(8, 0, 3))
        damaged.addRaw([0xc1])
        damaged.put("between", [3])
        damaged.add(Array(command[40...]), extensions: TestLog.chunkInfo(8, 2, 3))
        try Scratch.withFolder { folder in
            try TestNode.write(folder, [], at: 11, damaged)
            let error = try #require(Self.refusal(folder, .all))
            for part in ["entry 12 cannot be applied", "of 3 pieces, of which 2 were found", "entry 10 is damaged"] {
                #expect(error.code == .damagedStore && error.message.contains(part), "\(error)")
            }
        }
        // More than a few.
        var many = TestLog(from: 13)
        let names = (0..<70).map { "big\(100 + $0)" }
        let commands = names.map { TestLog.put($0, [1, 2, 3]) }
        for part in [0, 1] {
            for (place, command) in commands.enumerated() {
                many.add(
                    Array(part == 0 ? command[..<5] : command[5...]),
                    extensions: TestLog.chunkInfo(UInt64(place) + 1, UInt64(part), 2))
            }
        }
        try Scratch.withFolder { folder in
            let found = try data(of: many, folder, at: 82)
            #expect(found == names.map { StorageKey($0) })
        }
        // A write that stays in pieces gets none from there.
        var half = TestLog(from: 11)
        half.add([1], extensions: TestLog.chunkInfo(8, 1, 3))
        half.put("between", [3])
        half.add([1], extensions: TestLog.chunkInfo(8, 2, 3))
        try Scratch.withFolder { folder in
            let found = try data(of: half, folder, at: 12)
            #expect(found == ["raftchunking/8/2"])
        }
    }

    /// Positions and memberships that no server writes.
    @Test func oddPositionsAreRefusedOrRead() throws {
        var random = SeededRandom(fuzz: 78)
        let indexes: [UInt64] = [0, 1, 11, 12, 13, 15, 16, 17, 40, .max - 1, .max]
        try Scratch.withFolder { folder in
            for _ in 0..<Effort.rounds(300) {
                var log = TestLog(from: indexes[random.below(indexes.count)] &- UInt64(random.below(3)))
                for _ in 0..<random.below(5) {
                    switch random.below(6) {
                    case 0: log.membership(random.below(4))
                    case 1: log.noop()
                    case 2: log.add([1], extensions: TestLog.chunkInfo(.max, UInt64(random.below(3)), 0xffff_ffff))
                    case 3:
                        log.add(
                            TestLog.transaction(
                                indexes[random.below(indexes.count)], try TestLog.verifyRead("a", [1]),
                                try TestLog.verifyList("", limit: 2, ["a"]), TestLog.put("b", [4])))
                    default: log.put("a", [UInt8(random.below(3))])
                    }
                }
                if random.below(8) == 0 { log.addKey([UInt8](repeating: 0xff, count: 7 + 2 * random.below(2))) }
                try TestNode.write(
                    folder, [Entry("a", [1])], at: indexes[random.below(indexes.count)], voters: random.below(4),
                    membershipIndex: indexes[random.below(indexes.count)], log)
                for way in [nil] + ApplyLog.allCases.map(Optional.some) {
                    guard let store = try? RaftDirectoryBackend(path: folder, applyLog: way) else { continue }
                    _ = try entries(of: store)
                    store.close()
                }
            }
        }
    }

    /// A copy in which any file was changed, cut, or is gone.
    @Test func hostileDirectoriesAreRefusedOrRead() throws {
        var random = SeededRandom(fuzz: 80)
        var outcomes = (read: 0, refused: 0)
        try Scratch.withFolder { folder in
            try Fixture("raft-wal/chunk-pair").unpack(into: folder)
            let path = "\(folder)/at-6"
            let segments = Scratch.names(in: "\(path)/raft/wal").map { "\(path)/raft/wal/\($0)" }
            let whole = try (segments + ["\(path)/vault.db"]).map { ($0, try Scratch.bytes($0)) }
            for _ in 0..<Effort.rounds(15) {
                let (file, bytes) = whole[random.below(whole.count)]
                switch random.below(5) {
                case 0: try Scratch.write(bytes.prefix(random.below(bytes.count + 1)), to: file)
                case 1: try FileManager.default.removeItem(atPath: file)
                default: try Scratch.write(random.mutated(bytes), to: file)
                }
                for way in [nil] + ApplyLog.allCases.map(Optional.some) {
                    do {
                        let store = try RaftDirectoryBackend(path: path, applyLog: way)
                        defer { store.close() }
                        _ = try entries(of: store)
                        outcomes.read += 1
                    } catch {
                        let code = (error as? StorageError)?.code
                        #expect(code == .damagedStore || code == .missingStore, "\(error)")
                        outcomes.refused += 1
                    }
                }
                try Scratch.write(bytes, to: file)
            }
        }
        #expect(outcomes.read > 5 && outcomes.refused > 5, "\(outcomes)")
    }

    /// Changed bytes give an error or entries, and never end the process.
    @Test func hostileLogsAreRefusedOrRead() throws {
        var random = SeededRandom(fuzz: 77)
        var refusals = 0
        try Scratch.withFolder { folder in
            try TestNode.write(folder, [Entry("a/1", [1]), Entry("a/2", [2]), Entry("b", [3])], at: 12, nil)
            for _ in 0..<Effort.rounds(600) {
                var log = TestLog(from: 13)
                log.put("a/3", [3])
                log.add(
                    TestLog.transaction(
                        13, try TestLog.verifyRead("b", [3]), try TestLog.verifyList("a/", limit: 3, ["1", "2", "3"]),
                        TestLog.put("b", [4])))
                log.chunks(TestLog.put("big", random.bytes(90)), operation: 3, size: 40)
                var changed = TestLog(from: 13)
                for item in log.items {
                    if random.below(2) == 0 {
                        changed.add(
                            type: item.type, item.data.map { random.mutated($0) },
                            extensions: item.extensions.map { random.mutated($0) })
                    } else {
                        changed.addRaw(
                            random.below(3) == 0 ? random.mutated(TestLog.packed(item)) : TestLog.packed(item))
                    }
                }
                try changed.write(to: "\(folder)/raft/raft.db")
                for way in [nil] + ApplyLog.allCases.map(Optional.some) {
                    do {
                        let store = try RaftDirectoryBackend(path: folder, applyLog: way)
                        _ = try entries(of: store)
                        store.close()
                    } catch {
                        refusals += 1
                    }
                }
            }
        }
        #expect(refusals > 100)
    }
}
