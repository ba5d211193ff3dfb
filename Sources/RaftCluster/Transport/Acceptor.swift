import RaftCore
import RaftFormat
import Sockets
import Synchronization
import Telemetry
import Workers

/// Answers the calls of other nodes, each connection on two threads of its own. What comes is not trusted: a connection on which
/// anything comes that is no call is closed and counted, and nothing else happens.
final class Acceptor: Sendable {
    /// Connections at once; further ones are closed.
    private static let mostConnections = 256
    /// Calls of one connection that wait for their answers.
    private static let mostPending = 64
    /// For the rest of a call once it has begun, and for the answer of the core.
    private static let patience = Duration.seconds(30)

    /// What a node does with calls.
    struct Service: Sendable {
        let header: WireHeader
        let id: NodeID
        let tls: @Sendable () -> TLSSettings?
        let budget: ByteBudget
        let logger: Logger
        let post: @Sendable (NodeEvent) -> Void
        /// The id of the member at an address, for nodes that do not say theirs.
        let member: @Sendable (_ address: [UInt8]) -> NodeID?
        let describe: @Sendable (_ asking: NodeID, _ quarantine: UInt64) -> NodeDescription
        /// Makes a file for a snapshot that comes in.
        let newReceiver: @Sendable () throws(ClusterError) -> (SnapshotReceiver, name: String)
    }

    private struct State {
        var connections: [Int: Connection] = [:]
        var count = 0
        var number = 0
        var isStopped = false
    }

    private let listener: Listener
    private let service: Service
    private let state = Monitor(State())
    private let badConnections = Atomic<Int>(0)

    init(_ address: HostAddress, _ service: Service) throws(SocketError) {
        listener = try Listener(address)
        self.service = service
    }

    var port: UInt16 { listener.port }

    /// Connections that were closed for what came on them.
    var rejected: Int { badConnections.load(ordering: .relaxed) }

    /// Accepts until ``stop()``.
    func run() {
        while let pending = listener.accept() {
            let number: Int? = state.change { state in
                guard !state.isStopped, state.count < Self.mostConnections else { return nil }
                state.number += 1
                state.count += 1
                return state.number
            }
            guard let number else { continue }
            let thread = try? WorkerThread { [self] in
                serve(pending, number)
                state.change { state in
                    state.count -= 1
                    state.connections[number] = nil
                }
            }
            if thread == nil { state.change { $0.count -= 1 } }
        }
    }

    /// Ends all connections and waits for their threads.
    func stop() {
        listener.stop()
        state.change { state in
            state.isStopped = true
            for connection in state.connections.values { connection.shutDown() }
        }
        _ = state.wait(until: .now + .seconds(5)) { $0.count == 0 ? () : nil }
    }

    private func serve(_ pending: PendingConnection, _ number: Int) {
        do {
            let connection = try pending.begin(tls: service.tls(), timeout: Self.patience)
            let isStopped = state.change { state in
                state.connections[number] = connection
                return state.isStopped
            }
            guard !isStopped else { return }
            try answerCalls(on: connection)
        } catch let error as SocketError where [.closed, .timedOut].contains(error.code) {
            service.logger.trace("a connection has ended", ["error": .string("\(error)")])
        } catch {
            badConnections.add(1, ordering: .relaxed)
            service.logger.debug("a connection was closed", ["error": .string("\(error)")])
        }
    }

    // MARK: One connection

    private enum Awaited: Sendable {
        case slot(ReplySlot, WireResponse.Kind)
        case ready(WireResponse)
    }

    /// Reads calls while another thread writes their answers in order.
    private func answerCalls(on connection: Connection) throws {
        let awaited = BoundedQueue<Awaited>(capacity: Self.mostPending)
        let writer = try WorkerThread { [self] in
            while let next = awaited.pop() {
                guard let response = response(to: next),
                    (try? connection.write(response.encoded, timeout: Self.patience)) != nil
                else {
                    connection.shutDown()
                    break
                }
            }
            awaited.close()
        }
        defer {
            awaited.close()
            writer.join()
            connection.shutDown()
        }
        let reader = FrameReader(connection, service.budget)
        while let request = try reader.nextRequest(timeout: Self.patience) {
            guard awaited.push(try handle(request, reader)) else { return }
        }
    }

    private func response(to awaited: Awaited) -> WireResponse? {
        switch awaited {
        case .ready(let response): return response
        case .slot(let slot, let kind):
            guard case .response(let reply)? = answer(in: slot) else { return nil }
            let header = service.header
            switch kind {
            case .append:
                return .append(
                    header, term: reply.term, last: reply.last, isSuccess: reply.isPositive,
                    skipsBackoff: !reply.isPositive)
            case .vote: return .vote(header, term: reply.term, isGranted: reply.isPositive)
            case .preVote: return .preVote(header, term: reply.term, isGranted: reply.isPositive)
            case .snapshot: return .snapshot(term: reply.term, isSuccess: reply.isPositive)
            case .timeoutNow, .describe: return nil
            }
        }
    }

    /// Waits for the core's answer. A node that ends may owe answers that depend on what its disk has refused.
    private func answer(in slot: ReplySlot) -> ReplySlot.Answer? {
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline, !state.read({ $0.isStopped }) {
            if let answer = slot.wait(.milliseconds(200)) { return answer }
        }
        return nil
    }

    private func handle(_ request: WireRequest, _ reader: FrameReader) throws -> Awaited {
        let header = request.header
        // Nobody else has this node's name or address.
        guard header.id != service.header.id, header.address != service.header.address else {
            throw RaftFormatError("a call from another node under this node's own name or address")
        }
        guard (2...3).contains(header.version) || request.isHeartbeat else {
            if case .snapshot(_, _, _, _, _, _, let size) = request { try skip(size, reader) }
            return .ready(.failure("operation not supported with current protocol version"))
        }
        let from =
            header.id.isEmpty ? service.member(header.address) ?? NodeID(header.address) : NodeID(header.id)
        let slot = ReplySlot()
        func post(_ term: UInt64, _ body: RaftMessage.Body, _ entries: [WireEntry] = []) {
            service.post(
                .message(RaftMessage(from: from, to: service.id, term: term, body), entries, slot))
        }
        switch request {
        case .append(_, let term, let previousIndex, let previousTerm, let entries, let commit):
            if request.isHeartbeat {
                post(term, .heartbeat(sequence: 0))
            } else {
                var heads: [EntryHead] = []
                for entry in entries { heads.append(try entry.head()) }
                post(
                    term,
                    .append(
                        previous: EntryPosition(index: previousIndex, term: previousTerm), entries: heads,
                        commit: commit,
                        sequence: 0), entries)
            }
            return .slot(slot, .append)
        case .vote(_, let term, let lastIndex, let lastTerm, let isTransfer):
            post(term, .vote(last: EntryPosition(index: lastIndex, term: lastTerm), isTransfer: isTransfer))
            return .slot(slot, .vote)
        case .preVote(_, let term, let lastIndex, let lastTerm):
            post(term, .preVote(last: EntryPosition(index: lastIndex, term: lastTerm)))
            return .slot(slot, .preVote)
        case .timeoutNow:
            // The call has no term; it comes from the leader that is known.
            service.post(.timeoutNow(from))
            return .ready(.timeoutNow)
        case .describe(_, let quarantine): return .ready(.description(service.describe(from, quarantine)))
        case .snapshot(_, let term, let lastIndex, let lastTerm, let configuration, let configurationIndex, let size):
            let servers = try ClusterConfiguration(packedServers: configuration, index: configurationIndex)
            let head = SnapshotHead(
                position: EntryPosition(index: lastIndex, term: lastTerm), membership: Membership(servers),
                membershipIndex: configurationIndex, size: Int(size))
            guard size >= 0 else { throw RaftFormatError("a snapshot of \(size) bytes") }
            let message = RaftMessage(
                from: from, to: service.id, term: term,
                .snapshot(at: head.position, membership: head.membership, sequence: 0))
            service.post(.message(message, [], slot))
            try receive(head, message, slot, reader)
            return .slot(slot, .snapshot)
        }
    }

    private func skip(_ size: Int64, _ reader: FrameReader) throws {
        guard let count = Int(exactly: size), count >= 0 else { throw RaftFormatError("a snapshot of \(size) bytes") }
        try reader.readRaw(count, timeout: Self.patience) { _ in }
    }

    /// Brings a snapshot's bytes to the disk if the core wants them; they are read in any case.
    private func receive(
        _ head: SnapshotHead, _ message: RaftMessage, _ slot: ReplySlot, _ reader: FrameReader
    ) throws {
        let answer = answer(in: slot)
        guard case .install? = answer else {
            try skip(Int64(head.size), reader)
            slot.give(answer ?? .none)
            return
        }
        do {
            let (receiver, name) = try service.newReceiver()
            do {
                try reader.readRaw(head.size, timeout: Self.patience) { try receiver.append($0) }
                try receiver.finish(head)
            } catch {
                receiver.close()
                throw error
            }
            service.post(.received(message, name: name, slot))
        } catch {
            service.post(.received(message, name: nil, slot))
            // It would be sent again and again, and never fit.
            if let error = error as? ClusterError, error.code == .noSpace { service.post(.failed(error)) }
            service.logger.warn("a snapshot was not received", ["error": .string("\(error)")])
            throw error
        }
    }
}
