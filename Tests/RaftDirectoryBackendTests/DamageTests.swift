import Bolt
import Foundation
import Glibc
import RaftDirectoryBackend
import RaftFormat
import Storage
import TestSupport
import Testing

/// Directories that cannot be read, or not whole.
@Suite struct DamageTests {
    private static func opening(_ path: String) -> StorageError? {
        do throws(StorageError) {
            try RaftDirectoryBackend(path: path).close()
            return nil
        } catch {
            return error
        }
    }

    @Test func whatIsNoDirectoryOfAServerIsNamed() throws {
        try Scratch.withFolder { folder in
            for path in ["\(folder)/none", folder] {
                let error = try #require(Self.opening(path))
                #expect(error.code == .missingStore)
                #expect(error.message.hasPrefix("failed to open bolt file: open \(path)/vault.db: no such file"))
            }
            #expect(Scratch.names(in: folder).isEmpty)
            try FileManager.default.createDirectory(atPath: "\(folder)/vault.db", withIntermediateDirectories: true)
            #expect(Self.opening(folder)?.code == .damagedStore)
        }
    }

    @Test func aLockedDirectoryIsInUse() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            try build(destination(path), sampleEntries(10, seed: 1))
            for file in ["vault.db", "raft/raft.db"] {
                let descriptor = open("\(path)/\(file)", O_RDWR)
                #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
                let error = Self.opening(path)
                #expect(error?.code == .inUse)
                #expect(error?.message.contains("\(path)/\(file) is locked") == true)
                close(descriptor)
                #expect(Self.opening(path) == nil)
            }
        }
    }

    @Test(arguments: [0, 1, 100, 4096, 8192, 16384, -4096, -1])
    func aTruncatedFileIsRefused(length: Int) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            try build(destination(path), sampleEntries(300, seed: 1))
            let bytes = try Scratch.bytes("\(path)/vault.db")
            try Scratch.write(bytes.prefix(length < 0 ? bytes.count + length : length), to: "\(path)/vault.db")
            #expect(Self.opening(path)?.code == .damagedStore)
        }
    }

    @Test func damagedPagesEndAScanWithTheirError() throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            try build(destination(path), sampleEntries(16_000, seed: 9))
            var bytes = try Scratch.bytes("\(path)/vault.db")
            // A leaf page near the middle: its own number first, then flag 2.
            var middle = bytes.count / 8192 * 4096
            while middle < bytes.count {
                let number = Int(bytes[middle]) | Int(bytes[middle + 1]) << 8
                if number == middle / 4096, bytes[middle + 2] == 0, bytes[middle + 8] == 2 { break }
                middle += 4096
            }
            try #require(middle < bytes.count)
            for place in middle..<(middle + 64) { bytes[place] = 0xff }
            try Scratch.write(bytes, to: "\(path)/vault.db")
            let store = try RaftDirectoryBackend(path: path)
            var count = 0
            let error = #expect(throws: StorageError.self) {
                try store.scan(ScanRequest()) { batch throws(StorageError) in
                    count += batch.count
                    return true
                }
            }
            #expect(error?.code == .damagedStore)
            // What lies before the page was delivered.
            #expect(count > 0 && count < 16_000)
            #expect(throws: StorageError.self) { _ = try manifest(of: store) }
        }
    }

    @Test func aFileWithoutTheBucketsOfAServerIsRefusedOrRemarkedOn() throws {
        try Scratch.withFolder { folder in
            let names = [StateMachineNames.config, StateMachineNames.data]
            for (number, buckets) in [[names[0]], [names[1]], []].enumerated() {
                let path = "\(folder)/\(number)"
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                let builder = try BoltBuilder(path: "\(path)/vault.db")
                for bucket in buckets {
                    try builder.beginBucket(bucket)
                    try builder.endBucket()
                }
                try builder.finish()
                let error = Self.opening(path)
                if buckets == [names[1]] {
                    #expect(error == nil)
                    let remarks = try RaftDirectoryBackend(path: path).remarks
                    #expect(remarks.contains { $0.contains("no latest_indexes") })
                } else {
                    #expect(error?.code == .damagedStore)
                    #expect(error?.message.contains("no bucket \"data\"") == true)
                }
            }
        }
    }

    /// The data stands at index 12.
    @Test(
        arguments: [
            ("12", "c", nil), ("5", "cccnccc", nil),
            (
                "13", "nb",
                "The log holds 2 entries behind the data, 13 to 14; 0 of them may be writes: nothing is missing."
            ),
            (
                "11", "cccnc",
                "The log holds 3 entries behind the data, 13 to 15; 2 of them may be writes. The node stopped"
            ),
            ("13", "xn", "13 to 14; 0 of them may be writes, 1 could not be decoded. The node stopped"),
        ] as [(String, String, String?)])
    func entriesOfTheLogBehindTheDataAreCounted(first: String, kinds: String, remark: String?) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            try build(destination(path), sampleEntries(10, seed: 1))
            unlink("\(path)/raft/raft.db")
            try GoProgram.raftcheck.run("log", "\(path)/raft/raft.db", first, kinds, "1")
            let store = try RaftDirectoryBackend(path: path)
            #expect(store.remarks.first == "The data stands at log index 12, term 1.")
            let findings = try store.sourceFindings()
            let said = store.remarks.dropFirst() + findings.map(\.message)
            #expect(said.count == (remark == nil ? 0 : 1))
            if let remark { #expect(said.last?.contains(remark) == true) }
            // Writes that the data lacks are an obstacle; anything else behind the data is a remark.
            #expect(findings.map(\.waiver) == (remark?.contains("stopped") == true ? [.missingLog] : []))
            #expect(try entries(of: store) == sampleEntries(10, seed: 1))
        }
    }

    /// Ways in which a log is no whole log, and what is said of each.
    @Test(
        arguments: [
            (["rm LOG"], "raft.db is missing"), (["rm -r RAFT"], "raft.db is missing"),
            (["printf 'no database' > LOG"], "The log cannot be read"), ([": > LOG"], "The log cannot be read"),
            (["truncate -s 10000 LOG"], "The log cannot be read"), (["truncate -s 8192 LOG"], "The log cannot be read"),
            (["cp RAFT/../vault.db LOG"], "has no bucket \"logs\""),
            (["rm LOG", "mkdir LOG"], "The log cannot be read"),
            (["rm LOG", "mkdir RAFT/wal"], "raft.db is missing"),
            (
                ["rm LOG", "mkdir RAFT/wal", "touch RAFT/wal/00000000000000000001-0000000000000000.wal"],
                "list of segments is lost"
            ),
        ])
    func aLogThatMayHoldMoreThanTheDataIsAnObstacle(_ commands: [String], _ text: String) throws {
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            try build(destination(path), sampleEntries(10, seed: 1))
            #expect(try RaftDirectoryBackend(path: path).sourceFindings().isEmpty)
            for command in commands {
                let words = command.replacing("LOG", with: "\(path)/raft/raft.db").replacing(
                    "RAFT", with: "\(path)/raft")
                #expect(system(words) == 0)
            }
            let store = try RaftDirectoryBackend(path: path)
            let finding = try #require(try store.sourceFindings().first)
            #expect(finding.kind == .obstacle(.damagedStore) && finding.waiver == .missingLog)
            #expect(
                finding.message.contains(text) && finding.message.contains("-allow-missing-log"), "\(finding.message)")
            #expect(store.remarks.count == 1)
        }
    }

    /// Without a position of the data the whole log is behind it.
    @Test func aLogBehindDataWithoutAPositionIsLookedAt() throws {
        try Scratch.withFolder { folder in
            let builder = try BoltBuilder(path: "\(folder)/vault.db")
            try builder.beginBucket(StateMachineNames.data)
            try builder.endBucket()
            try builder.finish()
            mkdir("\(folder)/raft", 0o700)
            try GoProgram.raftcheck.run("log", "\(folder)/raft/raft.db", "1", "fcc")
            let findings = try RaftDirectoryBackend(path: folder).sourceFindings()
            #expect(findings.first?.message.contains("2 of them may be writes") == true, "\(findings)")
        }
    }
}
