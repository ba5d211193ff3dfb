import RaftCore
import RaftFormat
import Sockets
import Telemetry
import Workers

/// Sends snapshots to one node, one at a time, each on a connection of its own.
final class SnapshotLane: Sendable {
    private struct State {
        var isBusy = false
        var isStopped = false
        var connection: Connection?
    }

    private let peer: NodeID
    private let dialler: Dialler
    private let context: LinkContext
    private let state = Monitor(State())

    init(_ peer: NodeID, _ dialler: Dialler, _ context: LinkContext) {
        self.peer = peer
        self.dialler = dialler
        self.context = context
    }

    func stop() {
        state.change { state in
            state.isStopped = true
            state.connection?.shutDown()
        }
    }

    func send(_ message: RaftMessage) {
        guard case .snapshot(_, _, let sequence) = message.body else { return }
        let isFree = state.change { state in
            defer { state.isBusy = true }
            return !state.isBusy && !state.isStopped
        }
        // The core asks anew after a while; meanwhile the one under way goes on.
        guard isFree else { return }
        let thread = try? WorkerThread { [self] in
            run(message.term, sequence)
            state.change { state in
                state.isBusy = false
                state.connection = nil
            }
        }
        if thread == nil {
            state.change { $0.isBusy = false }
            context.post(.unanswered(peer, sequence: sequence))
        }
    }

    private func run(_ term: UInt64, _ sequence: UInt64) {
        do {
            let connection = try dialler.connect()
            let isStopped = state.change { state in
                state.connection = connection
                return state.isStopped
            }
            guard !isStopped else { return }
            try stream(connection, term, sequence)
        } catch {
            context.post(.unanswered(peer, sequence: sequence))
            context.logger.warn(
                "a snapshot was not sent", ["peer": .string("\(peer)"), "error": .string("\(error)")])
        }
    }

    private func stream(_ connection: Connection, _ term: UInt64, _ sequence: UInt64) throws {
        let begin = ContinuousClock.now
        var size = 0
        try context.state().stream(
            begin: { head in
                size = head.size
                context.post(.snapshotOpened(peer, sequence: sequence, last: head.position.index))
                let configuration = ClusterConfiguration(head.membership, index: head.membershipIndex)
                let request = WireRequest.snapshot(
                    context.header, term: term, lastIndex: head.position.index, lastTerm: head.position.term,
                    configuration: configuration.packedServers, configurationIndex: head.membershipIndex,
                    size: Int64(head.size))
                try connection.write(request.encoded, timeout: Dialler.callTimeout)
            },
            write: { try connection.write($0, timeout: Dialler.callTimeout * 6) })
        let reader = FrameReader(connection, context.budget)
        // The other side may have to bring everything to the disk first.
        let patience = Dialler.callTimeout * max(1, size / 262_144)
        let answer = try reader.nextResponse(to: .snapshot, timeout: patience)
        guard case .snapshot(let term, let isSuccess) = answer else {
            throw RaftFormatError("a snapshot was answered with an error")
        }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        context.logger.info(
            "a snapshot was sent",
            [
                "peer": .string("\(peer)"), "bytes": .integer(size), "seconds": .double(seconds),
                "taken": .boolean(isSuccess),
            ])
        context.post(
            .message(
                RaftMessage(
                    from: peer, to: context.id, term: term, .snapshotTaken(isTaken: isSuccess, sequence: sequence)), [],
                nil))
    }
}
