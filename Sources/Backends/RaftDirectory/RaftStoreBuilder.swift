import Bolt
import RaftFormat
import Storage

/// Builds what is the same on every voter of a new cluster: `vault.db` with all entries, the configuration with all nodes,
/// and the position behind which the log begins. Exactly the state a node has after it installed a snapshot; why each value
/// is what it is stands in the page of `RaftFormat`.
///
/// `latest_indexes` stands at the number of entries + 2 in term 1 and the log is empty, so that a joining node is sent
/// the snapshot; with any index of 1, or a log that runs on from entry 1, it would silently get no data.
// Unchecked: one thread at a time calls a loader, as the protocol says.
final class RaftStoreBuilder: @unchecked Sendable {
    private static let term: UInt64 = 1
    /// Of the first configuration.
    private static let configurationIndex: UInt64 = 1

    private let servers: [ClusterServer]
    private let local: LocalNodeConfiguration
    private let builder: BoltBuilder
    private var entries: UInt64 = 0

    /// - Parameters:
    ///   - path: Where `vault.db` is made; nothing may stand there.
    ///   - servers: All nodes of the cluster, this one among them.
    ///   - local: What this node is to be.
    init(path: String, servers: [ClusterServer], local: LocalNodeConfiguration) throws(StorageError) {
        self.servers = servers
        self.local = local
        builder = try Self.translating { () throws(BoltError) in
            let builder = try BoltBuilder(path: path)
            try builder.beginBucket(StateMachineNames.data)
            return builder
        }
    }

    /// Adds entries, in ascending order of their keys.
    func add(_ batch: EntryBatch) throws(StorageError) {
        do throws(BoltError) {
            for index in 0..<batch.count {
                try builder.add(key: batch.key(index), value: batch.value(index))
            }
        } catch {
            throw StorageError(error)
        }
        entries += UInt64(batch.count)
    }

    /// Completes the file: it can be read, though it is perhaps not yet durable.
    func finish() throws(StorageError) {
        try Self.translating { () throws(BoltError) in
            try builder.endBucket()
            try writeConfiguration()
            try builder.complete()
        }
    }

    /// Makes the file durable.
    func sync() throws(StorageError) {
        try Self.translating { () throws(BoltError) in try builder.sync() }
    }

    /// Makes the empty log, `raft/raft.db`, in a node's directory.
    static func createLog(in node: String) throws(StorageError) {
        try translating { () throws(BoltError) in
            try RaftLogFile.create(path: "\(node)/raft/raft.db", term: term)
        }
    }

    /// Gives the file up.
    func discard() { builder.discard() }

    private func writeConfiguration() throws(BoltError) {
        let records = [
            (
                StateMachineNames.latestConfiguration,
                ClusterConfiguration(index: Self.configurationIndex, servers: servers).encoded
            ),
            (StateMachineNames.latestIndexes, LogPosition(term: Self.term, index: entries + 2).encoded),
            (StateMachineNames.localNodeConfiguration, local.encoded),
        ]
        try builder.beginBucket(StateMachineNames.config)
        for (name, value) in records {
            try name.withBytes { name throws(BoltError) in
                try value.withBytes { value throws(BoltError) in try builder.add(key: name, value: value) }
            }
        }
        try builder.endBucket()
    }

    private static func translating<Result>(
        _ body: () throws(BoltError) -> Result
    ) throws(StorageError) -> Result {
        do throws(BoltError) { return try body() } catch { throw StorageError(error) }
    }
}
