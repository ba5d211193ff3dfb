import RaftCore
import RaftFormat
import Sockets
import Synchronization
import Telemetry
import Workers

/// What links need of their node.
struct LinkContext: Sendable {
    let header: WireHeader
    let id: NodeID
    let tls: @Sendable () -> TLSSettings?
    let serverName: String?
    let budget: ByteBudget
    let logger: Logger
    /// Hands the core what came or did not come.
    let post: @Sendable (NodeEvent) -> Void
    /// Entries of the log, as they are now.
    let entries: @Sendable (ClosedRange<UInt64>) -> [WireEntry]?
    /// What the entries amount to now.
    let state: @Sendable () -> StateStore
}

/// Everything that goes to one other node: appends on one connection, one behind the other without waiting; heartbeats, votes
/// and snapshots each on one of their own, so that none delays another.
final class PeerLink: Sendable {
    let id: NodeID
    let address: String
    private let appends: AppendLane
    private let heartbeats: CallLane
    private let votes: CallLane
    private let snapshots: SnapshotLane

    init(_ id: NodeID, address: String, _ context: LinkContext) throws(ThreadFailure) {
        self.id = id
        self.address = address
        let dialler = Dialler(
            address: address, tls: context.tls, serverName: context.serverName, budget: context.budget)
        appends = try AppendLane(id, dialler, context)
        heartbeats = try CallLane(id, dialler, context)
        votes = try CallLane(id, dialler, context)
        snapshots = SnapshotLane(id, dialler, context)
    }

    func send(_ message: RaftMessage) {
        switch message.body {
        case .append: appends.send(message)
        case .heartbeat: heartbeats.send(message)
        case .preVote, .vote, .timeoutNow: votes.send(message)
        case .snapshot: snapshots.send(message)
        default: break
        }
    }

    /// Ends all connections. Threads end by themselves.
    func stop() {
        appends.stop()
        heartbeats.stop()
        votes.stop()
        snapshots.stop()
    }
}

/// Calls one after the other; of those that wait only the newest is made.
final class CallLane: Sendable {
    private struct State {
        var next: RaftMessage?
        var isStopped = false
        var connection: Connection?
    }

    private let peer: NodeID
    private let dialler: Dialler
    private let context: LinkContext
    private let state = Monitor(State())

    init(_ peer: NodeID, _ dialler: Dialler, _ context: LinkContext) throws(ThreadFailure) {
        self.peer = peer
        self.dialler = dialler
        self.context = context
        _ = try WorkerThread { [self] in run() }
    }

    func send(_ message: RaftMessage) { state.change { $0.next = message } }

    func stop() {
        state.change { state in
            state.isStopped = true
            state.connection?.shutDown()
        }
    }

    private func run() {
        var backoff = Backoff()
        var reader: FrameReader?
        while let message = next() {
            guard !backoff.isWaiting else { continue }
            var isConnected = false
            do {
                let kept = state.read { $0.connection }
                let connection = try kept ?? dialler.connect()
                isConnected = true
                let isStopped = state.read { state in
                    state.connection = connection
                    return state.isStopped
                }
                guard !isStopped else { return connection.shutDown() }
                if kept == nil { reader = FrameReader(connection, context.budget) }
                guard let reader else { continue }
                try call(message, connection, reader)
                backoff.note(success: true)
            } catch {
                state.read { state in
                    state.connection?.shutDown()
                    state.connection = nil
                }
                reader = nil
                // Nodes before hashicorp/raft 1.7 close the connection on a pre-vote: that stands for yes, since they vote all the
                // same, and is no reason to wait.
                if case .preVote = message.body, isConnected, (error as? SocketError)?.code == .closed {
                    answered(message.term, .preVoted(isGranted: true))
                } else {
                    backoff.note(success: false)
                }
                context.logger.debug(
                    "a call has failed", ["peer": .string("\(peer)"), "error": .string("\(error)")])
            }
        }
    }

    private func next() -> RaftMessage? {
        state.wait { state in
            if state.isStopped { return (nil, wakes: nil) }
            guard let message = state.next else { return nil }
            state.next = nil
            return (message, wakes: nil)
        }
    }

    private func call(_ message: RaftMessage, _ connection: Connection, _ reader: FrameReader) throws {
        let header = context.header
        switch message.body {
        case .heartbeat(let sequence):
            let request = WireRequest.append(
                header, term: message.term, previousIndex: 0, previousTerm: 0, entries: [], commit: 0)
            let answer = try dialler.call(request, as: .append, on: connection, reader)
            if case .append(_, let term, _, _, _) = answer {
                answered(term, .heartbeatSeen(sequence: sequence))
            }
        case .preVote(let last):
            let request = WireRequest.preVote(header, term: message.term, lastIndex: last.index, lastTerm: last.term)
            switch try dialler.call(request, as: .preVote, on: connection, reader) {
            case .preVote(_, let term, let isGranted): answered(term, .preVoted(isGranted: isGranted))
            // What a node says that knows no such call.
            case .failure(let text) where text.contains("unexpected command"):
                answered(message.term, .preVoted(isGranted: true))
            default: break
            }
        case .vote(let last, let isTransfer):
            let request = WireRequest.vote(
                header, term: message.term, lastIndex: last.index, lastTerm: last.term, isTransfer: isTransfer)
            if case .vote(_, let term, let isGranted) = try dialler.call(request, as: .vote, on: connection, reader) {
                answered(term, .voted(isGranted: isGranted))
            }
        case .timeoutNow: _ = try dialler.call(.timeoutNow(header), as: .timeoutNow, on: connection, reader)
        default: break
        }
    }

    private func answered(_ term: UInt64, _ body: RaftMessage.Body) {
        context.post(.message(RaftMessage(from: peer, to: context.id, term: term, body), [], nil))
    }
}
