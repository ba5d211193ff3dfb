import Foundation
import InMemoryBackend
import Storage
import Synchronization

@testable import RaftSnapshotBackend

/// An archive that can be written to entry by entry, for promises that need it: changes are kept aside, and the next
/// read writes the archive anew with the real loader and reads it with the real reader.
final class RebuiltArchive: KeyValueStore, StorageDestination {
    private struct State {
        var entries = InMemoryBackend()
        var archive: SnapshotSource?
        var isClosed = false
    }

    let location: String
    private let limit: SortedEntries.Limit
    private let destination: SnapshotDestination
    private let state = Mutex(State())

    /// Opens the archive at `path`, or begins an empty one.
    init(path: String, limit: SortedEntries.Limit) throws {
        location = path
        self.limit = limit
        destination = SnapshotDestination(path: path, needsKeyRing: false)
        guard FileManager.default.fileExists(atPath: path) else { return }
        let archive = try SnapshotSource(path: path, limit: limit)
        let entries = InMemoryBackend()
        try archive.scanAll { batch throws(StorageError) in
            for index in 0..<batch.count {
                try entries.put(StorageKey(copying: batch.key(index)), Array(batch.value(index)))
            }
            return true
        }
        state.withLock { $0 = State(entries: entries, archive: archive) }
    }

    let kind = "raft_snapshot"
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
        // What was put last is to be in the archive that is opened again.
        _ = try? current()
        state.withLock { state in
            state.isClosed = true
            state.archive?.close()
        }
    }

    private func change(_ body: (InMemoryBackend) throws(StorageError) -> Void) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            guard !state.isClosed else { throw StorageError(.io, "the store was closed") }
            try body(state.entries)
            state.archive = nil
        }
    }

    /// The archive as it is now, written anew if anything changed. Readers of an older one keep it.
    private func current() throws(StorageError) -> SnapshotSource {
        try state.withLock { state throws(StorageError) in
            guard !state.isClosed else { throw StorageError(.io, "the store was closed") }
            if let archive = state.archive { return archive }
            try? FileManager.default.removeItem(atPath: location)
            let loader = try destination.bulkLoader(LoadPlan())
            try state.entries.scanAll { batch throws(StorageError) in
                try loader.load(batch)
                return true
            }
            try loader.finish()
            try loader.publish()
            let archive = try SnapshotSource(path: location, limit: limit)
            state.archive = archive
            return archive
        }
    }
}

/// Takes batches in any order, as the promises give them.
private final class RebuiltLoader: BulkLoader {
    private let store: RebuiltArchive
    private let plan: LoadPlan
    private let isOver = Mutex(false)

    init(store: RebuiltArchive, plan: LoadPlan) {
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
