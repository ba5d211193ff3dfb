import Foundation
import InMemoryBackend
import RaftDirectoryBackend
import Storage
import Synchronization

/// A Raft directory that can be written to entry by entry, for promises that need it: changes are kept aside, and the
/// next read builds the directory anew with the real loader and reads it with the real reader.
final class RebuiltStore: KeyValueStore, StorageDestination {
    private struct State {
        var entries = InMemoryBackend()
        var directory: RaftDirectoryBackend?
        var isChanged = true
        var isClosed = false
    }

    let path: String
    /// Whether about half of the changes stand in the log only, and the data has old values and entries that are
    /// deleted.
    private let usesLog: Bool
    private let destination: RaftDirectoryDestination
    private let state = Mutex(State())

    /// Opens the directory at `path`, or begins an empty one.
    init(path: String, usesLog: Bool = false) throws {
        self.path = path
        self.usesLog = usesLog
        destination = try RaftDirectoryDestination(
            path: path,
            node: .init(
                configuredID: "node1", address: ClusterAddress(parsing: "https://10.0.0.1:8201"), isPractice: false))
        guard FileManager.default.fileExists(atPath: "\(path)/vault.db") else { return }
        let directory = try RaftDirectoryBackend(path: path, applyLog: usesLog ? .all : nil)
        let entries = InMemoryBackend()
        try directory.scanAll { batch throws(StorageError) in
            for index in 0..<batch.count {
                try entries.put(StorageKey(copying: batch.key(index)), Array(batch.value(index)))
            }
            return true
        }
        state.withLock { $0 = State(entries: entries, directory: directory, isChanged: false) }
    }

    let kind = "raft"
    var location: String { path }
    var identity: StoreIdentity { destination.identity }
    var rules: EntryRules { destination.rules }
    let traits = SourceTraits(isAscending: true)
    var serverUse: ServerUse? { destination.serverUse }

    func get(_ key: StorageKey) throws(StorageError) -> [UInt8]? { try current().get(key) }

    func list(_ prefix: StorageKey) throws(StorageError) -> [StorageKey] { try current().list(prefix) }

    func partitions(_ count: Int) throws(StorageError) -> [StoragePartition] { try current().partitions(count) }

    func scan(
        _ request: ScanRequest, _ deliver: (EntryBatch) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try current().scan(request, deliver)
    }

    func put(_ key: StorageKey, _ value: [UInt8]) throws(StorageError) {
        let objection = key.bytes.withUnsafeBytes { rules.objection(to: $0, valueCount: value.count) }
        if let objection { throw StorageError(.limit, objection, key: key) }
        try change { entries throws(StorageError) in try entries.put(key, value) }
    }

    func delete(_ key: StorageKey) throws(StorageError) {
        try change { entries throws(StorageError) in try entries.delete(key) }
    }

    func bulkLoader(_ plan: LoadPlan) throws(StorageError) -> any BulkLoader {
        try change { _ throws(StorageError) in }
        return RebuiltLoader(store: self, plan: plan)
    }

    func close() {
        // What was put last is to be in the directory that is opened again.
        _ = try? current()
        state.withLock { state in
            state.isClosed = true
            state.directory?.close()
        }
    }

    private func change(_ body: (InMemoryBackend) throws(StorageError) -> Void) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            guard !state.isClosed else { throw StorageError(.io, "the store was closed") }
            try body(state.entries)
            state.isChanged = true
        }
    }

    /// The directory as it is now, built anew if anything changed. Readers of an older one keep it.
    private func current() throws(StorageError) -> RaftDirectoryBackend {
        try state.withLock { state throws(StorageError) in
            guard !state.isClosed else { throw StorageError(.io, "the store was closed") }
            if !state.isChanged, let directory = state.directory { return directory }
            try? FileManager.default.removeItem(atPath: path)
            let loader = try destination.bulkLoader(LoadPlan())
            var log = TestLog(from: 0)
            var count = 0
            var deleted = StorageKey("sys/deleted")
            while try state.entries.get(deleted) != nil { deleted = StorageKey(deleted.bytes + [0x2f, 0x78]) }
            var isGone = !usesLog
            func load(_ batch: EntryBatch) throws(StorageError) {
                let kept = EntryBatch()
                func keep(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
                    kept.append(key: key, value: value)
                    count += 1
                }
                for index in 0..<batch.count {
                    let key = StorageKey(copying: batch.key(index))
                    if !isGone, deleted < key {
                        deleted.bytes.withUnsafeBytes { keep($0, $0) }
                        isGone = true
                    }
                    let sum = key.bytes.reduce(0) { $0 + Int($1) }
                    guard usesLog, sum % 2 == 0 else {
                        keep(batch.key(index), batch.value(index))
                        continue
                    }
                    log.put(key, Array(batch.value(index)))
                    if sum % 4 == 0 { keep(batch.key(index), batch.key(index)) }
                }
                if kept.count > 0 { try loader.load(kept) }
            }
            try state.entries.scanAll { batch throws(StorageError) in
                if usesLog { try load(batch) } else { try loader.load(batch) }
                return true
            }
            if !isGone {
                let last = EntryBatch()
                last.append(key: deleted, value: [1])
                count += 1
                try loader.load(last)
            }
            try loader.finish()
            try loader.sync()
            try loader.publish()
            if usesLog {
                log.delete(deleted)
                do {
                    // The data stands at as many entries as it has, and two.
                    try log.moved(to: UInt64(count) + 3).write(to: "\(path)/raft/raft.db")
                } catch {
                    throw StorageError(.io, "\(error)")
                }
            }
            let directory = try RaftDirectoryBackend(path: path, applyLog: usesLog ? .all : nil)
            state.directory = directory
            state.isChanged = false
            return directory
        }
    }
}

/// Takes batches in any order, as the promises give them.
private final class RebuiltLoader: BulkLoader {
    private let store: RebuiltStore
    private let plan: LoadPlan
    private let isOver = Mutex(false)

    init(store: RebuiltStore, plan: LoadPlan) {
        self.store = store
        self.plan = plan
    }

    let needsAscendingKeys = false

    func load(_ batch: EntryBatch) throws(StorageError) {
        guard !isOver.withLock({ $0 }) else { throw StorageError(.io, "the load has ended") }
        for index in 0..<batch.count {
            try store.put(StorageKey(copying: batch.key(index)), Array(batch.value(index)))
        }
        plan.pool.recycle(batch)
    }

    func finish() throws(StorageError) { isOver.withLock { $0 = true } }
    func sync() throws(StorageError) {}
    func written() throws(StorageError) -> any StorageSource { store }
    func publish() throws(StorageError) {}
    func abandon() { isOver.withLock { $0 = true } }
}
