import Digest
import Foundation
import LMDB
import RaftCore
import RaftFormat
import Storage
import StorageTestKit
import TestSupport
import Testing

@testable import RaftCluster

@Suite struct StoreTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func store(_ name: String = "state-1.mdb") throws -> StateStore {
        try StateStore(path: "\(folder.path)/\(name)", isChecked: true)
    }

    private func entry(_ index: UInt64, _ command: LogCommandWriter) -> WireEntry {
        WireEntry(index: index, term: 1, data: command.bytes)
    }

    private func puts(_ pairs: [([UInt8], [UInt8])], _ origin: LogCommand.Origin? = nil) -> LogCommandWriter {
        var command = LogCommandWriter()
        for (key, value) in pairs { key.withUnsafeBytes { key in value.withUnsafeBytes { command.put(key, $0) } } }
        if let origin { command.setOrigin(origin) }
        return command
    }

    private func keys(_ store: StateStore) throws -> [[UInt8]] {
        var keys: [[UInt8]] = []
        let page = try store.page(from: nil, after: nil, to: nil, bytes: .max, keysOnly: true)
        try page.frames.withUnsafeBytes { frames in
            var rest = frames[...]
            while !rest.isEmpty {
                guard
                    case (.entry(let key, _), let count)? = try EntryFrame.next(
                        in: UnsafeRawBufferPointer(rebasing: rest), most: 1 << 20)
                else { break }
                keys.append(Array(key))
                rest = rest.dropFirst(count)
            }
        }
        return keys
    }

    /// Keys beyond LMDB's 511 bytes, with neighbours that share what is kept of them.
    @Test func longKeysAreKeptInTheOrderOfTheirBytes() throws {
        let state = try store()
        let stem = [UInt8](repeating: 0x61, count: StateKey.prefixBytes)
        var all: [[UInt8]] = [stem, stem + [0x62], Array(stem.dropLast()), stem + [0x00], [0x7a], [0x00]]
        for tail in [40, 31, 32, 100, 30_000] {
            for byte in [UInt8(0x63), 0x01, 0xff] { all.append(stem + [UInt8](repeating: byte, count: tail)) }
        }
        _ = try state.apply([entry(1, puts(all.shuffled().map { ($0, [UInt8($0.count & 255)]) }))])
        let sorted = all.sorted { $0.lexicographicallyPrecedes($1) }
        #expect(try keys(state) == sorted)
        for key in all { #expect(try state.get(key) == [UInt8(key.count & 255)]) }
        // A page after any key goes on with the next one.
        for (place, key) in sorted.enumerated() {
            let page = try state.page(from: nil, after: key, to: nil, bytes: 1, keysOnly: true)
            #expect(page.last == (place + 1 < sorted.count ? sorted[place + 1] : nil))
        }
        #expect(state.applied.entries == UInt64(all.count))
        let proof = try state.digest(isCancelled: { false })
        #expect(proof.entries == UInt64(all.count))
        var removal = LogCommandWriter()
        for key in all { key.withUnsafeBytes { removal.delete($0) } }
        _ = try state.apply([entry(2, removal)])
        #expect(state.applied.entries == 0 && state.applied.frameBytes == 0)
    }

    @Test func aCommandThatIsSentAgainTakesEffectOnce() throws {
        let state = try store()
        let client = [UInt8](repeating: 7, count: 16)
        func origin(_ number: UInt64) -> LogCommand.Origin { .init(client: client, sequence: number) }
        let first = puts([(Array("a".utf8), [1])], origin(1))
        #expect(try state.apply([entry(1, first)]) == [.applied])
        #expect(try state.apply([entry(2, puts([(Array("a".utf8), [2])], origin(2)))]) == [.applied])
        // Both come again, from a leader that did not know whether they had been taken.
        #expect(try state.apply([entry(3, first)]) == [.superseded])
        #expect(try state.apply([entry(4, puts([(Array("a".utf8), [2])], origin(2)))]) == [.applied])
        #expect(try state.get(Array("a".utf8)) == [2])
    }

    @Test func aConditionThatDoesNotHoldLetsNothingTakeEffect() throws {
        let state = try store()
        func conditional(_ expected: [UInt8], _ value: UInt8) -> LogCommandWriter {
            var command = puts([(Array("other".utf8), [value])])
            Array("a".utf8).withUnsafeBytes { key in
                [value].withUnsafeBytes { command.put(key, $0, expected: expected) }
            }
            return command
        }
        let one = try [UInt8(1)].withUnsafeBytes { try SHA256Digest.of($0).bytes }
        #expect(try state.apply([entry(1, conditional([], 1))]) == [.applied])
        #expect(try state.apply([entry(2, conditional([], 2))]) == [.conflict])
        #expect(try state.get(Array("other".utf8)) == [1])
        #expect(try state.apply([entry(3, conditional(one, 3))]) == [.applied])
        #expect(try state.apply([entry(4, conditional(one, 4))]) == [.conflict])
        #expect(try state.get(Array("a".utf8)) == [3] && state.get(Array("other".utf8)) == [3])
    }

    @Test func whatIsNoCommandChangesNothing() throws {
        let state = try store()
        _ = try state.apply([entry(1, puts([(Array("a".utf8), [1])]))])
        let good = puts([(Array("b".utf8), [1, 2, 3]), (Array("c".utf8), [4])]).bytes
        var random = SeededRandom(5)
        var index: UInt64 = 1
        for _ in 0..<2000 {
            var bytes = good
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
            index += 1
            let before = state.applied.entries
            let outcome = try state.apply([WireEntry(index: index, term: 1, data: bytes)])
            if outcome == [.malformed] { #expect(state.applied.entries == before) }
        }
        #expect(try state.get(Array("a".utf8)) == [1])
        #expect(try state.digest(isCancelled: { false }).entries == state.applied.entries)
    }

    @Test func aSnapshotIsTheSameStore() throws {
        let state = try store()
        let long = [UInt8](repeating: 0x6c, count: 5000)
        let pairs = (0..<3000).map {
            (Array("k/\($0 * 7919 % 3000)".utf8), [UInt8](repeating: UInt8($0 & 255), count: $0 % 900))
        }
        _ = try state.apply([
            entry(1, puts(pairs + [(long, [1, 2])], .init(client: [UInt8](repeating: 1, count: 16), sequence: 9)))
        ])
        let receiver = try SnapshotReceiver(path: "\(folder.path)/state-2.mdb")
        var head: SnapshotHead?
        var bytes = 0
        try state.stream(begin: { head = $0 }) { piece in
            bytes += piece.count
            // As it may come from the network.
            var rest = piece[...]
            while !rest.isEmpty {
                let part = rest.prefix(1000)
                try receiver.append(UnsafeRawBufferPointer(rebasing: part))
                rest = rest.dropFirst(part.count)
            }
        }
        let found = try #require(head)
        #expect(found.size == bytes)
        try receiver.finish(found)
        let copy = try store("state-2.mdb")
        #expect(try copy.digest(isCancelled: { false }) == state.digest(isCancelled: { false }))
        #expect(copy.applied == state.applied)
        // What clients sent last is known there too.
        #expect(
            try copy.apply([entry(2, puts([([1], [1])], .init(client: [UInt8](repeating: 1, count: 16), sequence: 9)))])
                == [.applied])
        #expect(try copy.get([1]) == nil)
    }

    @Test func aSnapshotThatIsNoneIsRefused() throws {
        for bytes: [UInt8] in [
            [3, 0x0a, 1, 0x61, 5], [0xff, 0xff, 0xff, 0xff, 0xff, 1], [2, 0x12, 0], [4, 0x0a, 9, 1, 1],
        ] {
            let receiver = try SnapshotReceiver(path: "\(folder.path)/bad-\(bytes.count)-\(bytes[0]).mdb")
            defer { receiver.close() }
            #expect(throws: ClusterError.self) {
                try bytes.withUnsafeBytes { try receiver.append($0) }
                try receiver.finish(
                    SnapshotHead(
                        position: EntryPosition(index: 1, term: 1), membership: Membership(), membershipIndex: 1,
                        size: 4))
            }
        }
    }

    // MARK: The log

    private func log() throws -> LogStore { try LogStore(path: "\(folder.path)/log.mdb") }

    @Test func theLogIsWhatWasWritten() throws {
        var log = try log()
        var write = LogStore.Write()
        write.hard = HardState(term: 3, vote: "n2")
        write.entries = (1...100).map { WireEntry(index: $0, term: 2, data: [UInt8(truncatingIfNeeded: $0)]) }
        var other = LogStore.Write()
        other.truncateFrom = 90
        other.entries = [WireEntry(type: EntryType.noop, index: 90, term: 3, appendedAt: [1, 2, 3, 4])]
        try log.write([write, other])
        let before = log.byteCount
        log.close()
        log = try self.log()
        var found = try log.load()
        #expect(found.hard == HardState(term: 3, vote: "n2") && found.outline.last == EntryPosition(index: 90, term: 3))
        #expect(log.byteCount == before)
        #expect(try log.entries(from: 89, to: 90, bytes: .max) == [write.entries[88], other.entries[0]])
        found.outline.compact(to: 50)
        try log.compact(to: found.outline)
        log.close()
        log = try self.log()
        #expect(try log.load().outline.base == EntryPosition(index: 50, term: 2))
        #expect(try log.entries(from: 50, to: 60, bytes: .max).isEmpty)
    }

    /// Any byte of the file that counts.
    @Test func aDamagedLogIsNoticed() throws {
        let log = try log()
        var write = LogStore.Write()
        write.hard = HardState(term: 3, vote: "n2")
        write.entries = (1...40).map { index in
            WireEntry(index: index, term: 1, data: [UInt8](repeating: UInt8(index), count: 3000))
        }
        let members = Membership([Membership.Member("n1", address: Array("127.0.0.1:1".utf8))])
        try log.install(LogOutline(membership: members), stateName: "state-1.mdb")
        try log.write([write])
        log.close()
        let whole = try Data(contentsOf: URL(filePath: "\(folder.path)/log.mdb"))
        var noticed = 0
        var random = SeededRandom(1)
        for round in 0..<300 {
            var bytes = whole
            let place = Int.random(in: 0..<bytes.count, using: &random)
            bytes[place] ^= UInt8.random(in: 1...255, using: &random)
            if round % 10 == 0 { bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random)) }
            let path = "\(folder.path)/damaged.mdb"
            try bytes.write(to: URL(filePath: path))
            do throws(ClusterError) {
                let log = try LogStore(path: path)
                defer { log.close() }
                let found = try log.load()
                // What passes is what was written, or a state before it.
                let entries = try log.entries(from: 1, to: found.outline.lastIndex, bytes: .max)
                #expect(entries == Array(write.entries.prefix(entries.count)))
                #expect(found.hard == write.hard || found.hard == HardState() && entries.isEmpty)
                #expect(found.stateName == "state-1.mdb" || found.stateName == nil && entries.isEmpty)
            } catch {
                noticed += 1
                #expect(error.description.contains("damaged.mdb"), "\(error)")
            }
        }
        #expect(noticed > 150)
    }

    /// Term, vote, base and name stand in a few bytes that chance seldom finds.
    @Test func damagedRecordsOfANodeAreNoticed() throws {
        let log = try log()
        var write = LogStore.Write()
        write.hard = HardState(term: 0x0102_0304_0506_0708, vote: "the-vote")
        let members = Membership([Membership.Member("the-member", address: Array("127.0.0.1:1".utf8))])
        try log.install(
            LogOutline(base: EntryPosition(index: 0x1112_1314_1516_1718, term: 1), membership: members),
            stateName: "state-1.mdb")
        try log.write([write])
        log.close()
        let whole = try Data(contentsOf: URL(filePath: "\(folder.path)/log.mdb"))
        let records: [[UInt8]] = [
            Array(0x01...0x08), Array("the-vote".utf8), Array(0x11...0x18), Array("the-member".utf8),
            Array("state-1.mdb".utf8),
        ]
        for record in records {
            let path = "\(folder.path)/damaged-records.mdb"
            try whole.damaged(at: 2, of: record).write(to: URL(filePath: path))
            let error = #expect(throws: ClusterError.self, "\(record)") {
                let log = try LogStore(path: path)
                defer { log.close() }
                _ = try log.load()
            }
            #expect(error?.code == .damaged && error?.description.contains("damaged-records.mdb") == true)
        }
    }

    @Test func aDamagedRecordOfWhatWasAppliedIsNoticed() throws {
        let state = try store()
        _ = try state.apply([entry(1, puts([(Array("a".utf8), [1])]))])
        try state.setMembership(
            ClusterConfiguration(
                Membership([Membership.Member("the-member", address: Array("127.0.0.1:1".utf8))]), index: 0x2122_2324))
        try state.sync()
        state.close()
        let whole = try Data(contentsOf: URL(filePath: "\(folder.path)/state-1.mdb"))
        for record: [UInt8] in [Array(0x21...0x24), Array("the-member".utf8)] {
            let name = "damaged-\(record.count).mdb"
            try whole.damaged(at: 1, of: record).write(to: URL(filePath: "\(folder.path)/\(name)"))
            #expect(throws: ClusterError.self, "\(record)") {
                let state = try store(name)
                defer { state.close() }
                try state.stream(begin: { _ in }, write: { _ in })
            }
        }
    }

    // MARK: The folder

    @Test func aFolderOfAnotherKindIsLeftAlone() throws {
        for name in ["vault.db", "notes.txt"] {
            let path = "\(folder.path)/\(name)-folder"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try Data("x".utf8).write(to: URL(filePath: "\(path)/\(name)"))
            #expect(throws: ClusterError.self) {
                _ = try NodeFolder(path: path, id: "n1", address: "127.0.0.1:1", bootstraps: true)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: path) == [name])
        }
    }

    @Test func aNodeKeepsItsName() throws {
        let path = "\(folder.path)/node"
        let first = try NodeFolder(path: path, id: "n1", address: "127.0.0.1:1", bootstraps: true)
        #expect(throws: ClusterError.self) {
            _ = try NodeFolder(path: path, id: "n1", address: "127.0.0.1:1", bootstraps: false)
        }
        first.close()
        #expect(throws: ClusterError.self) {
            _ = try NodeFolder(path: path, id: "n2", address: "127.0.0.1:1", bootstraps: false)
        }
        let again = try NodeFolder(path: path, id: nil, address: "127.0.0.1:1", bootstraps: false)
        #expect(again.id == "n1" && again.found.outline.base == EntryPosition(index: 1, term: 1))
        again.close()
        // Nor is another one made up when the file is gone.
        try FileManager.default.removeItem(atPath: "\(path)/node-id")
        #expect(throws: ClusterError.self) {
            _ = try NodeFolder(path: path, id: nil, address: "127.0.0.1:1", bootstraps: false)
        }
        #expect(throws: ClusterError.self) { _ = try NodeFolder(reading: path) }
        #expect(!FileManager.default.fileExists(atPath: "\(path)/node-id"))
    }

    /// Whoever removes the log alone, or loses it, has the entries still.
    @Test(arguments: ["state-1.mdb", "state-4.mdb"], [true, false])
    func entriesWithoutTheirLogAreKept(_ name: String, logIsThere: Bool) throws {
        let path = "\(folder.path)/node"
        let node = try NodeFolder(path: path, id: "n1", address: "127.0.0.1:1", bootstraps: true)
        _ = try node.state.apply([entry(2, puts([(Array("a".utf8), [1])]))])
        node.close()
        try FileManager.default.removeItem(atPath: "\(path)/log.mdb")
        if name != "state-1.mdb" {
            try FileManager.default.moveItem(atPath: "\(path)/state-1.mdb", toPath: "\(path)/\(name)")
        }
        if logIsThere { try LogStore(path: "\(path)/log.mdb").close() }
        for bootstraps in [true, false] {
            let error = #expect(throws: ClusterError.self) {
                _ = try NodeFolder(path: path, id: "n1", address: "127.0.0.1:1", bootstraps: bootstraps)
            }
            #expect(error?.description.contains("\(name) holds entries (1)") == true, "\(error?.description ?? "")")
        }
        let kept = try StateStore(path: "\(path)/\(name)", isChecked: true)
        #expect(try kept.get(Array("a".utf8)) == [1])
        kept.close()
    }

    /// A node that was killed while it made its files begins anew.
    @Test func aBeginningThatWasCutOffIsDoneAgain() throws {
        let path = "\(folder.path)/node"
        try NodeFolder(path: path, id: "n1", address: "127.0.0.1:1", bootstraps: false).close()
        try FileManager.default.removeItem(atPath: "\(path)/log.mdb")
        for isEmpty in [false, true] {
            if isEmpty { try Data().write(to: URL(filePath: "\(path)/state-1.mdb")) }
            try NodeFolder(path: path, id: "n1", address: "127.0.0.1:1", bootstraps: false).close()
            try FileManager.default.removeItem(atPath: "\(path)/log.mdb")
        }
    }

    @Test func filesOfACrashAreRemovedAndOthersAreNot() throws {
        let path = "\(folder.path)/node"
        try NodeFolder(path: path, id: "n1", address: "127.0.0.1:1", bootstraps: true).close()
        for name in ["state-7.mdb", "state-7.mdb-lock", "state-07.mdb", "state-x.mdb", "other"] {
            try Data("x".utf8).write(to: URL(filePath: "\(path)/\(name)"))
        }
        try NodeFolder(path: path, id: "n1", address: "127.0.0.1:1", bootstraps: false).close()
        let names = Set(try FileManager.default.contentsOfDirectory(atPath: path))
        #expect(names.isSuperset(of: ["state-07.mdb", "state-x.mdb", "other", "log.mdb", "state-1.mdb"]))
        #expect(names.isDisjoint(with: ["state-7.mdb", "state-7.mdb-lock"]))
    }
}
