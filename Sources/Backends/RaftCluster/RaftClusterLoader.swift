import Glibc
import RaftFormat
import Storage
import Synchronization

/// Fills a cluster: entries go in commands as large as servers' logs have them, several of them in a request, one request after
/// the other, so that they arrive in the order of their keys.
final class RaftClusterLoader: BulkLoader {
    /// Bytes of a command; servers cut up larger ones (`raftchunking.ChunkSize`).
    static let commandBytes = 512 << 10
    /// Bytes of a request.
    private static let requestBytes = 8 << 20
    /// How long nodes are waited for that are behind.
    private static let patience = Duration.seconds(3600)
    /// How often those that have proven nothing are asked again.
    private static let askAgain = Duration.seconds(20)

    private struct State {
        var command = LogCommandWriter()
        var request: [UInt8] = []
        var session: CommandSessions.Session?
        var sender: RequestSender?
        /// Behind which every node's digest was asked for.
        var proofIndex: Int?
    }

    private let store: RaftClusterBackend
    private let pool: BatchPool
    private let state = Mutex(State())

    init(_ store: RaftClusterBackend, _ plan: LoadPlan) {
        self.store = store
        pool = plan.pool
    }

    let readBackOrigin = ReadBackOrigin.service

    let needsAscendingKeys = false

    func load(_ batch: EntryBatch) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            for index in 0..<batch.count {
                if let objection = store.rules.objection(to: batch.key(index), valueCount: batch.value(index).count) {
                    let key = StorageKey(copying: batch.key(index))
                    throw StorageError(
                        .limit, "\(store.location): the entry \(key) cannot be kept: \(objection).", key: key)
                }
                let size = batch.key(index).count + batch.value(index).count + 32
                if state.command.count > 0, state.command.bytes.count + size > Self.commandBytes { try close(&state) }
                state.command.put(batch.key(index), batch.value(index))
            }
            if state.request.count >= Self.requestBytes { try send(&state) }
        }
        pool.recycle(batch)
    }

    /// Ends a command.
    private func close(_ state: inout State) throws(StorageError) {
        guard state.command.count > 0 else { return }
        var session: CommandSessions.Session
        if let held = state.session { session = held } else { session = try store.sessions.take() }
        state.command.setOrigin(session.next())
        state.session = session
        // A great entry goes alone, or the request would be larger than a node takes.
        if state.request.count + state.command.bytes.count > Self.requestBytes { try send(&state) }
        let count = UInt32(state.command.bytes.count)
        withUnsafeBytes(of: count.bigEndian) { state.request += $0 }
        state.request += state.command.bytes
        state.command.removeAll()
        if state.request.count >= Self.requestBytes { try send(&state) }
    }

    private func send(_ state: inout State) throws(StorageError) {
        guard !state.request.isEmpty else { return }
        let sender: RequestSender
        if let held = state.sender { sender = held } else { sender = try RequestSender(store.client) }
        state.sender = sender
        let request = state.request
        state.request = []
        state.request.reserveCapacity(request.count + Self.commandBytes)
        try sender.send(request)
    }

    func finish() throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            try close(&state)
            try send(&state)
            try state.sender?.finish()
            state = State()
            // Nodes compute while what they hold is compared.
            state.proofIndex = try store.client.prove()
        }
    }

    /// What was acknowledged is durable on most nodes.
    func sync() throws(StorageError) {}

    func written() throws(StorageError) -> any StorageSource { store }

    func proveCopies(
        keyspaceDigest: String?, isCancelled: @escaping @Sendable () -> Bool
    ) throws(StorageError) -> [CopyProof] {
        let deadline = ContinuousClock.now + Self.patience
        let begun = state.withLock { $0.proofIndex }
        var index: Int
        if let begun { index = begun } else { index = try store.client.prove(isCancelled: isCancelled) }
        var asked = ContinuousClock.now
        while true {
            let nodes = try store.nodes(isCancelled: isCancelled)
            let wanted = max(store.replicas ?? nodes.count(where: \.isVoter), 1)
            let proven = nodes.filter { $0.proofIndex >= index && $0.problem.isEmpty }
            let digest = keyspaceDigest ?? proven.first { $0.isLeader }?.proofDigest
            if let digest {
                let wrong = nodes.filter { $0.proofIndex >= index && $0.proofDigest != digest }
                guard wrong.isEmpty else { throw differs(wrong, digest) }
                if proven.count >= wanted {
                    return proven.map { node in
                        CopyProof(
                            id: node.id, address: node.address, index: node.proofIndex, entries: node.proofEntries,
                            digest: node.proofDigest, isEqual: keyspaceDigest != nil)
                    }
                }
            }
            guard ContinuousClock.now < deadline else { throw missing(nodes, proven, wanted) }
            if isCancelled() { throw StorageError.cancelled }
            // A node that came by a snapshot has not seen the question.
            if ContinuousClock.now - asked > Self.askAgain {
                index = try store.client.prove(isCancelled: isCancelled)
                asked = .now
            }
            usleep(20_000)
        }
    }

    private func differs(_ nodes: [ClusterNodeState], _ digest: String) -> StorageError {
        let list = nodes.map { "\($0.id) at \($0.address) holds \($0.proofEntries) entries, sha256:\($0.proofDigest)" }
        return StorageError(
            .damagedStore,
            "\(list.joined(separator: "; ")), and the source gave sha256:\(digest). The cluster was not released: empty it, "
                + "or look for another writer, and run again.")
    }

    private func missing(_ nodes: [ClusterNodeState], _ proven: [ClusterNodeState], _ wanted: Int) -> StorageError {
        let names = nodes.filter { node in !proven.contains(node) }.map { node in
            "\(node.id) (\(node.isReachable ? "at index \(node.appliedIndex)" : "not reachable"))"
        }
        return StorageError(
            .io,
            "\(proven.count) of \(wanted) nodes have proven their copy, and these have not: "
                + "\(names.joined(separator: ", ")). Start them, or lower replicas, and run again.")
    }

    func publish() throws(StorageError) {}

    func abandon() {
        state.withLock { state in
            state.sender?.abandon()
            state = State()
        }
    }
}
