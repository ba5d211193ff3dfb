import Foundation
import InMemoryBackend
import RaftDirectoryBackend
import Storage
import Synchronization
import Telemetry
import TestSupport
import Testing
import Workers

@testable import Migration

/// A store in memory that counts how often its entries are given.
private final class CountedSource: StorageSource {
    let kind = "counted"
    let location = "memory"
    let identity = StoreIdentity("counted")
    let traits = SourceTraits(isAscending: true)
    let rules: EntryRules = []
    private let store = InMemoryBackend()
    /// Values given so far.
    let given = Atomic(0)
    /// Called once all are given.
    let atEnd = Mutex<(@Sendable () -> Void)?>(nil)

    init(_ entries: [Entry]) throws {
        for entry in entries { try store.put(entry.key, entry.value) }
    }

    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? { try store.get(key) }

    func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] { try store.list(prefix) }

    func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try store.scan(request) { batch throws(StorageError) in
            if request.content == .entries { given.add(batch.count, ordering: .relaxed) }
            return try deliver(batch)
        }
        if request.content == .entries { atEnd.withLock { $0 }?() }
    }

    func close() {}
}

/// A store that loses the first entry it is given.
private final class LossyStore: StorageDestination, BulkLoader {
    let kind = "lossy"
    let location = "a failing disk"
    let identity = StoreIdentity("lossy")
    let rules: EntryRules = []
    let serverUse: ServerUse? = nil
    let needsAscendingKeys = true
    private let store = InMemoryBackend()
    private let hasLost = Mutex(false)

    func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader { self }

    func load(_ batch: EntryBatch) throws(StorageError) {
        for index in 0..<batch.count {
            guard hasLost.withLock({ $0 }) else {
                hasLost.withLock { $0 = true }
                continue
            }
            try store.put(StorageKey(copying: batch.key(index)), Array(batch.value(index)))
        }
    }

    func finish() throws(StorageError) {}
    func sync() throws(StorageError) {}
    func written() throws(StorageError) -> any StorageSource { store }
    func publish() throws(StorageError) {}
    func abandon() {}
    func close() {}
}

@Suite struct ManyDestinationsTests {
    private static let entries =
        [Entry("core/keyring", [1]), Entry("core/seal-config", Array("{}".utf8))]
        + sampleEntries(5_000, seed: 77)

    private static func run(
        _ source: any StorageSource, _ targets: [MigrationPhases.Target], _ folder: String, isDryRun: Bool = false
    ) throws(MigrationFailure) -> MigrationSummary? {
        defer { for target in targets { target.store.close() } }
        var options = MigrationOptions()
        options.stateFolder = "\(folder)/state"
        options.isDryRun = isDryRun
        let context = RunContext(
            logger: Logger(level: .error, output: TerminalOutput(descriptor: -1)), counters: ProgressCounters(),
            cancellation: CancellationToken(), environment: [:], version: "test")
        do {
            let phases = try MigrationPhases(
                source: source, targets: targets, options: options, context: context,
                stop: StopRequest(CancellationToken()), remarks: [])
            var summary: MigrationSummary?
            try isDryRun ? summary = phases.rehearse() : phases.run { summary = $0 }
            return summary
        } catch {
            throw MigrationFailure.stage("", error)
        }
    }

    private static func raft(_ path: String, _ number: Int) throws -> MigrationPhases.Target {
        let store = try destination(path, id: "node\(number)", address: "https://10.0.0.1\(number):8201")
        return MigrationPhases.Target(store: store) { () throws(MigrationFailure) in
            do throws(StorageError) {
                return try RaftDirectoryBackend(path: path)
            } catch {
                throw .migrating("\(error)", cause: error)
            }
        }
    }

    @Test func allAreFilledFromOnePass() throws {
        let source = try CountedSource(Self.entries)
        try Scratch.withFolder { folder in
            func targets() throws -> [MigrationPhases.Target] {
                let memory = InMemoryBackend()
                return [
                    try Self.raft("\(folder)/one", 1), MigrationPhases.Target(store: memory) { memory },
                    try Self.raft("\(folder)/two", 2),
                ]
            }
            let dry = try #require(try Self.run(source, targets(), folder, isDryRun: true))
            #expect(dry.totals.entries == Self.entries.count && dry.isDryRun)
            #expect(Scratch.names(in: folder).isEmpty)
            source.given.store(0, ordering: .relaxed)
            let summary = try #require(try Self.run(source, targets(), folder))
            #expect(source.given.load(ordering: .relaxed) == Self.entries.count)
            #expect(summary.isProven && summary.totals.entries == Self.entries.count)
            #expect(summary.destinations.map(\.kind) == ["raft", "inmem", "raft"])
            #expect(summary.destinations.allSatisfy { $0.comparison.same == Self.entries.count })
            #expect(summary.destinations.map { $0.guide != nil } == [true, false, true])
            let wanted = try manifest(of: source)
            for name in ["one", "two"] {
                let store = try RaftDirectoryBackend(path: "\(folder)/\(name)")
                defer { store.close() }
                #expect(try manifest(of: store) == wanted, "\(name)")
                try GoProgram.boltcheck.run("check", "\(folder)/\(name)/vault.db")
            }
        }
    }

    /// One destination is in place when the run ends; it is only compared by the next.
    @Test func aRunThatEndsBetweenTwoIsTakenUp() throws {
        let source = try CountedSource(Self.entries)
        try Scratch.withFolder { folder in
            let second = "\(folder)/two"
            source.atEnd.withLock { atEnd in
                atEnd = {
                    try? FileManager.default.createDirectory(atPath: second, withIntermediateDirectories: false)
                    _ = FileManager.default.createFile(atPath: "\(second)/somebody's", contents: Data([1]))
                }
            }
            let first = try [Self.raft("\(folder)/one", 1), Self.raft(second, 2)]
            let error = #expect(throws: MigrationFailure.self) { try Self.run(source, first, folder) }
            #expect(error?.message.contains("two: file exists") == true, "\(error?.message ?? "")")
            source.atEnd.withLock { $0 = nil }
            let database = try Scratch.bytes("\(folder)/one/vault.db")
            let inode = try FileManager.default.attributesOfItem(atPath: "\(folder)/one/vault.db")[.systemFileNumber]
            // What stands in the way is not touched, and named again.
            let stuck = try [Self.raft("\(folder)/one", 1), Self.raft(second, 2)]
            let same = #expect(throws: MigrationFailure.self) { try Self.run(source, stuck, folder) }
            #expect(same?.message.contains("somebody's") == true, "\(same?.message ?? "")")
            #expect(Scratch.names(in: second) == ["somebody's"])
            try FileManager.default.removeItem(atPath: second)
            let again = try [Self.raft("\(folder)/one", 1), Self.raft(second, 2)]
            let summary = try #require(try Self.run(source, again, folder))
            #expect(summary.isProven && summary.isContinuation && summary.destinations.count == 2)
            #expect(summary.totals.entries == Self.entries.count)
            #expect(summary.destinations.allSatisfy { $0.comparison.same == Self.entries.count })
            #expect(try Scratch.bytes("\(folder)/one/vault.db") == database)
            let after = try FileManager.default.attributesOfItem(atPath: "\(folder)/one/vault.db")[.systemFileNumber]
            #expect(after as? Int == inode as? Int)
            let store = try RaftDirectoryBackend(path: second)
            defer { store.close() }
            #expect(try manifest(of: store) == manifest(of: source))
            #expect(try Set(FileManager.default.contentsOfDirectory(atPath: folder)) == ["one", "two", "state"])
            #expect(!Scratch.names(in: "\(folder)/state").contains("proven"))
        }
    }

    /// None is put in place unless all are proven, and the report says which one is not.
    @Test func oneThatDiffersKeepsAllBack() throws {
        let source = try CountedSource(Self.entries)
        try Scratch.withFolder { folder in
            let lossy = LossyStore()
            let targets = [
                try Self.raft("\(folder)/one", 1), MigrationPhases.Target(store: lossy) { InMemoryBackend() },
            ]
            let error = #expect(throws: MigrationFailure.self) { try Self.run(source, targets, folder) }
            #expect(error?.exitCode == 3)
            #expect(error?.message.contains("the destination (lossy a failing disk) does not hold") == true)
            #expect(error?.message.contains("1 missing") == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["state"])
            let report = String(decoding: try Scratch.bytes("\(folder)/state/report.json"), as: UTF8.self)
            #expect(report.contains("\"missing\": 1") && report.contains("\"result\": \"failed\""), "\(report)")
        }
    }

    @Test func destinationsThatAreOneStoreAreRefused() throws {
        let source = try CountedSource(Self.entries)
        try Scratch.withFolder { folder in
            for (one, other) in [("a", "a"), ("a", "a/b"), ("a/b", "a")] {
                let targets = try [Self.raft("\(folder)/\(one)", 1), Self.raft("\(folder)/\(other)", 2)]
                let error = #expect(throws: MigrationFailure.self) { try Self.run(source, targets, folder) }
                #expect(error?.message.contains("are one store, or lie within one another") == true)
            }
            #expect(Scratch.names(in: folder).isEmpty)
        }
    }

    /// A copy is one only as long as it holds the same bytes.
    @Test func aCopyThatDiffersIsNoCopy() throws {
        try Scratch.withFolder { folder in
            let members = (1...2).map {
                RaftDirectoryDestination.Member(id: "node\($0)", address: "10.0.0.1\($0):8201")
            }
            let group = NodeGroup()
            let stores = try members.enumerated().map { number, member in
                try RaftDirectoryDestination(
                    path: "\(folder)/\(member.id)",
                    node: .init(
                        configuredID: member.id, address: ClusterAddress(parsing: "https://\(member.address)"),
                        isPractice: false, members: members), group: group)
            }
            defer { for store in stores { store.close() } }
            let loaders = try stores.map { try filled($0, Self.entries.sorted { $0.key < $1.key }) }
            defer { for loader in loaders { loader.abandon() } }
            #expect(try loaders[1].isCopy(of: loaders[0]))
            #expect(try !loaders[0].isCopy(of: loaders[1]))
            let path = "\(folder)/node2.sealift-building/node/vault.db"
            var bytes = try Data(contentsOf: URL(filePath: path))
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: URL(filePath: path))
            #expect(try !loaders[1].isCopy(of: loaders[0]))
            bytes.removeLast(4096)
            try bytes.write(to: URL(filePath: path))
            #expect(try !loaders[1].isCopy(of: loaders[0]))
        }
    }
}
