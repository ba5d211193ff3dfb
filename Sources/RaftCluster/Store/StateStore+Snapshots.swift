import CSystem
import Digest
import LMDB
import RaftCore
import RaftFormat
import Synchronization
import Workers

/// What a snapshot stands for.
struct SnapshotHead: Sendable {
    var position: EntryPosition
    var membership: Membership
    var membershipIndex: UInt64
    /// Bytes that follow.
    var size: Int
    var entries: UInt64 = 0
}

extension StateStore {
    /// Bytes handed on at once.
    private static let pieceBytes = 1 << 20

    /// Streams everything that is held at one moment, while writing goes on: the entries as frames in ascending order of their
    /// keys, then a record for each client.
    ///
    /// - Parameters:
    ///   - withClients: Whether the records of clients follow the entries.
    ///   - begin: Called first, with what follows.
    ///   - write: Called with piece after piece.
    /// - Throws: What `begin` and `write` throw.
    func stream(
        withClients: Bool = true,
        begin: (SnapshotHead) throws -> Void, write: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var failure: (any Error)?
        try lmdb { () throws(LMDBError) in
            try environment.read { [data, clients, meta] snapshot throws(LMDBError) in
                guard let applied = try AppliedState(snapshot, meta) else { return }
                let record = try snapshot.value(of: Array("membership".utf8), in: meta)
                var trailer: [UInt8] = []
                try snapshot.forEach(in: clients) { key, value in
                    if withClients { EntryFrame.append(record: Array(key) + Array(value), to: &trailer) }
                    return withClients
                }
                var piece: [UInt8] = []
                piece.reserveCapacity(Self.pieceBytes * 2)
                var sent = 0
                func flush() -> Bool {
                    do {
                        try piece.withUnsafeBytes { try write($0) }
                    } catch {
                        failure = error
                    }
                    sent += piece.count
                    piece.removeAll(keepingCapacity: true)
                    return failure == nil
                }
                do {
                    let servers =
                        record.map(CheckedRecord.open) ?? ClusterConfiguration(index: 0, servers: []).packedServers
                    guard let servers else { throw ClusterError.damaged(path, "its record of the members is damaged") }
                    let membership = try ClusterConfiguration(packedServers: servers, index: applied.membershipIndex)
                    try begin(
                        SnapshotHead(
                            position: EntryPosition(index: applied.index, term: applied.term),
                            membership: Membership(membership), membershipIndex: applied.membershipIndex,
                            size: Int(applied.frameBytes) + trailer.count, entries: applied.entries))
                } catch {
                    failure = error
                    return
                }
                var window = 0
                try Self.walk(snapshot, data, from: nil) { key, value in
                    EntryFrame.append(key, value, to: &piece)
                    window += key.count + value.count
                    if window > Self.readWindow {
                        environment.letPagesGo()
                        window = 0
                    }
                    return piece.count < Self.pieceBytes || flush()
                }
                guard failure == nil else { return }
                piece += trailer
                guard flush() else { return }
                if sent != Int(applied.frameBytes) + trailer.count {
                    failure = ClusterError.damaged(path, "it holds \(sent) bytes and counts \(applied.frameBytes)")
                }
            }
        }
        environment.letPagesGo()
        if let failure { throw failure }
    }
}

/// Builds a state machine's file from the bytes of a snapshot, on the disk and never in memory: what came is written on a thread of
/// its own while more comes.
// Unchecked: one thread calls, and what the other one touches is its own until it has ended.
final class SnapshotReceiver: @unchecked Sendable {
    /// Bytes of one frame: key, value and what is around them.
    static let mostFrameBytes = (64 << 20) + (64 << 10)
    private static let batchBytes = 8 << 20
    /// Bytes after which the system is told to begin writing.
    private static let flushBytes = 64 << 20

    private let store: StateStore
    private let pieces = BoundedQueue<[UInt8]>(capacity: 2)
    private var incoming: [UInt8] = []
    private var writer: WorkerThread?
    private let failure = Mutex<ClusterError?>(nil)

    // The writing thread's own.
    private var held: [UInt8] = []
    private var applied = AppliedState()
    private var unflushed = 0

    /// - Parameter path: A file that is not there yet.
    init(path: String) throws(ClusterError) {
        store = try StateStore(path: path, isChecked: false, isDurable: false)
        incoming.reserveCapacity(Self.batchBytes + (1 << 20))
    }

    /// Takes the bytes that came.
    func append(_ bytes: UnsafeRawBufferPointer) throws(ClusterError) {
        incoming.append(contentsOf: bytes)
        if incoming.count >= Self.batchBytes { try handOn() }
    }

    private func handOn() throws(ClusterError) {
        if let error = failure.withLock({ $0 }) { throw error }
        if writer == nil {
            do throws(ThreadFailure) {
                writer = try WorkerThread { [self] in write() }
            } catch {
                throw ClusterError(.io, "\(error)")
            }
        }
        let piece = incoming
        incoming = []
        incoming.reserveCapacity(Self.batchBytes + (1 << 20))
        pieces.push(piece)
    }

    private func write() {
        while let piece = pieces.pop() {
            guard failure.withLock({ $0 == nil }) else { continue }
            if held.isEmpty { held = piece } else { held += piece }
            do throws(ClusterError) {
                try load()
            } catch {
                failure.withLock { $0 = error }
            }
        }
    }

    /// Waits until everything that came is written.
    private func drain() throws(ClusterError) {
        if !incoming.isEmpty { try handOn() }
        pieces.close()
        writer?.join()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    private func load() throws(ClusterError) {
        var problem: ClusterError?
        var used = 0
        try lmdb { () throws(LMDBError) in
            try store.environment.write { transaction throws(LMDBError) in
                try held.withUnsafeBufferPointer { held throws(LMDBError) in
                    let bytes = UnsafeRawBufferPointer(held)
                    while problem == nil {
                        let found: (EntryFrame.Content, count: Int)?
                        do throws(RaftFormatError) {
                            found = try EntryFrame.next(
                                in: UnsafeRawBufferPointer(rebasing: bytes[used...]), most: Self.mostFrameBytes)
                        } catch {
                            return problem = ClusterError(.refused, "The snapshot is damaged: \(error).")
                        }
                        guard let (content, count) = found else { return }
                        problem = try store.take(content, transaction, &applied)
                        used += count
                    }
                }
            }
        }
        unflushed += used
        if used == held.count { held.removeAll(keepingCapacity: false) } else { held.removeFirst(used) }
        if let problem { throw problem }
        guard unflushed > Self.flushBytes else { return }
        // The disk works meanwhile, instead of all at the end.
        unflushed = 0
        _ = cs_sync_file_range(store.environment.descriptor, 0, 0)
    }

    /// Ends the file; durable on return.
    func finish(_ head: SnapshotHead) throws(ClusterError) {
        try drain()
        guard held.isEmpty else { throw ClusterError(.refused, "The snapshot ends within an entry.") }
        applied.index = head.position.index
        applied.term = head.position.term
        applied.membershipIndex = head.membershipIndex
        let servers = ClusterConfiguration(head.membership, index: head.membershipIndex).packedServers
        try lmdb { () throws(LMDBError) in
            try store.environment.write { transaction throws(LMDBError) in
                try transaction.put(Array("membership".utf8), CheckedRecord.seal(servers), in: store.meta)
                try applied.write(transaction, store.meta)
            }
            try store.environment.sync()
        }
        store.close()
    }

    func close() {
        pieces.close()
        writer?.join()
        store.close()
    }
}

extension StateStore {
    /// Takes over a frame of a snapshot.
    ///
    /// - Returns: What is wrong with it.
    fileprivate func take(
        _ content: EntryFrame.Content, _ transaction: LMDBTransaction, _ applied: inout AppliedState
    ) throws(LMDBError) -> ClusterError? {
        switch content {
        case .record(let bytes):
            guard let record = ClientRecord(record: bytes) else { return nil }
            try transaction.put(record.client, record.value, in: clients)
            return nil
        case .entry(let key, let value):
            guard !key.isEmpty, key.count <= StateKey.longest else {
                return ClusterError(.refused, "The snapshot has a key of \(key.count) bytes, which no entry can have.")
            }
            return try load(key, value, transaction, &applied)
        }
    }
}
