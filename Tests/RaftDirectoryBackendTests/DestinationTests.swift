import Bolt
import Foundation
import Glibc
import RaftDirectoryBackend
import RaftFormat
import Storage
import TestSupport
import Testing

/// What a built directory holds.
@Suite struct DestinationTests {
    @Test(arguments: [0, 1, 2, 4_000])
    func aBuiltDirectoryIsTheOneOfANodeThatInstalledASnapshot(count: Int) throws {
        let expected = sampleEntries(count, seed: 21)
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            let loader = try filled(destination(path), expected)
            // Until it is published the final name is not there, and what was written can be read.
            #expect(access(path, F_OK) != 0)
            let written = try loader.written()
            #expect(try entries(of: written) == expected)
            written.close()
            try loader.publish()
            loader.abandon()
            #expect(
                Scratch.names(in: folder) == [
                    "raft", "raft/raft", "raft/raft/raft.db", "raft/raft/snapshots", "raft/vault.db",
                ])
            for name in ["vault.db", "raft/raft.db"] { #expect(try mode("\(path)/\(name)").bits == 0o600) }
            for name in ["", "/raft", "/raft/snapshots"] { #expect(try mode(path + name).bits == 0o700) }
            let server = ClusterServer(id: "node1", address: "10.0.0.11:8201")
            #expect(
                try configuration(of: path) == [
                    "latest_indexes": LogPosition(term: 1, index: UInt64(count) + 2).encoded,
                    "latest_config": ClusterConfiguration(index: 1, servers: [server]).encoded,
                    "local_node_config": LocalNodeConfiguration.voter.encoded,
                ])
            for name in ["vault.db", "raft/raft.db"] {
                let reader = try BoltReader(path: "\(path)/\(name)")
                #expect(reader.freeListIsPersisted && reader.notes.isEmpty)
                reader.close()
                try GoProgram.boltcheck.run("check", "\(path)/\(name)")
            }
            try Self.checkLog("\(path)/raft/raft.db")
        }
    }

    private static func checkLog(_ file: String) throws {
        let log = try BoltReader(path: file)
        defer { log.close() }
        #expect(try RaftLogFile.currentTerm(of: log) == 1)
        #expect(try RaftLogFile.tail(of: log, behind: 0).entries == 0)
        var keys: [String] = []
        try #require(try log.bucket(RaftLogFile.configurationBucket)).visit(from: nil, to: nil) { key, _ in
            keys.append(String(decoding: key, as: UTF8.self))
            return true
        }
        #expect(keys == ["CurrentTerm"])
    }

    @Test func aCopyOfARealDirectoryHoldsItsEntriesAndCanBeChangedByTheOriginal() throws {
        let source = try RaftDirectoryBackend(path: Fixture("raft-openbao-migrated").folder())
        defer { source.close() }
        let expected = try entries(of: source).filter { !["core/lock", "core/migration"].contains($0.key) }
        try Scratch.withFolder { folder in
            let path = "\(folder)/raft"
            try build(destination(path, address: "https://127.0.0.1:8201", isPractice: true), expected)
            let copy = try RaftDirectoryBackend(path: path)
            #expect(try entries(of: copy) == expected)
            let isEqual = try manifest(of: copy) == Fixture("raft-openbao-migrated").manifest()
            #expect(isEqual)
            copy.close()
            for name in ["vault.db", "raft/raft.db"] {
                try GoProgram.boltcheck.run("check", "\(path)/\(name)")
                try GoProgram.boltcheck.run("dump", "\(path)/\(name)", "\(folder)/dump")
                try GoProgram.boltcheck.run("mutate", "\(path)/\(name)", "5", "800")
            }
        }
    }

    @Test func theSmallestAndTheLargestEntriesAreKept() throws {
        var random = SeededRandom(4)
        let expected = [
            Entry(StorageKey([0]), []), Entry(StorageKey([0, 0]), [0]), Entry("core/keyring", random.bytes(3 << 20)),
            Entry(StorageKey([UInt8](repeating: 0x6b, count: 32_767)), random.bytes(1 << 20)),
            Entry(StorageKey([UInt8](repeating: 0x6b, count: 32_768)), random.bytes((1 << 20) + 1)),
            Entry(StorageKey([UInt8](repeating: 0x6c, count: 32_768)), []), Entry(StorageKey([0xff]), [1]),
        ]
        try withDirectory(of: expected) { store, _ throws in
            #expect(try entries(of: store) == expected)
            for entry in expected { #expect(try store.get(entry.key) == entry.value) }
            for index in expected.indices {
                var request = ScanRequest()
                request.cursor = ScanCursor(expected[index].key.bytes)
                #expect(try entries(of: store, request) == Array(expected[(index + 1)...]))
            }
        }
        let rules = try destination("/nowhere/raft").rules
        for (count, isKept) in [(0, false), (1, true), (32_768, true), (32_769, false)] {
            let objection = [UInt8](repeating: 1, count: count).withUnsafeBytes {
                rules.objection(to: $0, valueCount: 0)
            }
            #expect((objection == nil) == isKept)
        }
    }

    @Test func keysMustAscend() throws {
        try Scratch.withFolder { folder in
            for keys in [["b", "a"], ["a", "a"]] as [[StorageKey]] {
                let loader = try destination("\(folder)/raft").bulkLoader(LoadPlan())
                #expect(loader.needsAscendingKeys)
                let batch = EntryBatch()
                for key in keys { batch.append(key: key, value: [1]) }
                let error = #expect(throws: StorageError.self) { try loader.load(batch) }
                #expect(error?.code == .limit)
                loader.abandon()
                loader.abandon()
                #expect(Scratch.names(in: folder).isEmpty)
            }
        }
    }

    @Test func theGuideNamesWhatTheServersConfigurationNeeds() throws {
        let path = "/srv/a \"b\"\\c"
        let guide = try #require(try destination(path, id: "n\"1").serverGuide(largestEntry: 3 << 20, seal: nil))
        #expect(
            guide.stanza == [
                "storage \"raft\" {", "  path    = \"/srv/a \\\"b\\\"\\\\c\"", "  node_id = \"n\\\"1\"",
                "  max_entry_size = \"4194304\"", "}", "cluster_addr  = \"https://10.0.0.11:8201\"",
                "api_addr      = \"https://10.0.0.11:8200\"", "disable_mlock = true",
            ])
        let small = try #require(try destination(path, id: nil).serverGuide(largestEntry: 1 << 19, seal: nil))
        #expect(!small.stanza.contains { $0.contains("node_id") || $0.contains("max_entry_size") })
    }

    @Test func theGuideNamesWholePathsAndIDsOnOneLine() throws {
        let relative = try #require(try destination("./a/raft").serverGuide(largestEntry: 1, seal: nil))
        let current = FileManager.default.currentDirectoryPath
        #expect(relative.stanza.contains("  path    = \"\(current)/a/raft\""))
        for (id, variables) in [("node\n1", [:]), ("node1\r", [:]), ("x", ["VAULT_RAFT_NODE_ID": "pod\n"])] {
            let found = try destination("/raft-nowhere", id: id, environment: variables).destinationFindings()
            let finding = try #require(found.first { $0.message.contains("node_id") })
            #expect(finding.kind == .obstacle(.configuration))
            #expect(!finding.message.contains { $0.isNewline })
        }
        try Scratch.withFolder { folder in
            try FileManager.default.createDirectory(atPath: "\(folder)/raft", withIntermediateDirectories: false)
            try Data("node-7\n".utf8).write(to: URL(filePath: "\(folder)/raft/node-id"))
            let kept = try destination("\(folder)/raft", id: nil)
            let remark = try #require(try kept.destinationFindings().first { $0.message.contains("node-7") })
            #expect(remark.kind == .remark && remark.message.contains("node-7\\x0a"), "\(remark.message)")
            let guide = try #require(kept.serverGuide(largestEntry: 1, seal: nil))
            #expect(!(guide.stanza + guide.steps).contains { $0.contains { $0.isNewline } })
        }
    }

    @Test(arguments: [["VAULT_RAFT_NODE_ID": "pod-0"], ["BAO_RAFT_NODE_ID": "pod-0", "VAULT_RAFT_NODE_ID": "other"]])
    func anIDOfTheEnvironmentIsNamed(_ variables: [String: String]) throws {
        let store = try destination("/raft-nowhere", id: "node1", environment: variables)
        let name = variables.keys.sorted().first ?? ""
        #expect(
            try store.destinationFindings().contains {
                $0.kind == .remark && $0.message.contains("pod-0 from \(name), which wins")
            })
    }

    /// Neither another user nor another owner could write to it.
    @Test func aReadOnlyMountIsNoQuestionOfOwners() {
        let message = StorageError.system("mkdir", "/mnt/raft", errno: EROFS).message
        #expect(message.hasPrefix("mkdir /mnt/raft: read-only file system. Mount it for writing"))
        #expect(!message.contains("owner"))
        #expect(StorageError.system("mkdir", "/mnt/raft", errno: EACCES).message.contains("change the owner"))
    }
}
