import RaftCore
import RaftFormat
import Sockets
import Telemetry
import Workers

/// Appends to one node, pipelined: one thread writes calls, another one reads the answers in their order.
final class AppendLane: Sendable {
    private struct State {
        var calls: [RaftMessage] = []
        /// Sequence numbers of the calls that the connection owes answers to.
        var outstanding: [UInt64] = []
        var connection: Connection?
        /// Numbers connections.
        var number = 0
        var isStopped = false
        var backoff = Backoff()
    }

    private let peer: NodeID
    private let dialler: Dialler
    private let context: LinkContext
    private let state = Monitor(State())

    init(_ peer: NodeID, _ dialler: Dialler, _ context: LinkContext) throws(ThreadFailure) {
        self.peer = peer
        self.dialler = dialler
        self.context = context
        _ = try WorkerThread { [self] in write() }
    }

    func send(_ message: RaftMessage) { state.change { $0.calls.append(message) } }

    func stop() {
        state.change { state in
            state.isStopped = true
            state.connection?.shutDown()
        }
    }

    private func write() {
        while let message = next() {
            guard case .append(let previous, let heads, let commit, let sequence) = message.body else { continue }
            guard !state.read({ $0.backoff.isWaiting }) else {
                context.post(.unanswered(peer, sequence: sequence))
                continue
            }
            var entries: [WireEntry] = []
            if let first = heads.first, let last = heads.last {
                entries = context.entries(first.index...last.index) ?? []
                // Another leader may have replaced them since.
                guard entries.count == heads.count,
                    zip(entries, heads).allSatisfy({ $0.index == $1.index && $0.term == $1.term })
                else {
                    context.post(.unanswered(peer, sequence: sequence))
                    continue
                }
            }
            let request = WireRequest.append(
                context.header, term: message.term, previousIndex: previous.index, previousTerm: previous.term,
                entries: entries, commit: commit)
            deliver(request, sequence)
        }
    }

    private func next() -> RaftMessage? {
        state.wait { state in
            if state.isStopped { return (nil, wakes: nil) }
            guard !state.calls.isEmpty else { return nil }
            return (state.calls.removeFirst(), wakes: nil)
        }
    }

    private func deliver(_ request: WireRequest, _ sequence: UInt64) {
        do {
            let (connection, number) = try connected()
            // It may have failed meanwhile. An answer that nobody gives would stand before all others for ever.
            let isCurrent = state.change { state in
                guard state.number == number, state.connection != nil else { return false }
                state.outstanding.append(sequence)
                return true
            }
            guard isCurrent else { return context.post(.unanswered(peer, sequence: sequence)) }
            do {
                try connection.write(request.encoded, timeout: Dialler.callTimeout)
            } catch {
                fail(number, error)
            }
        } catch {
            state.change { $0.backoff.note(success: false) }
            context.post(.unanswered(peer, sequence: sequence))
            context.logger.debug(
                "a node cannot be reached", ["peer": .string("\(peer)"), "error": .string("\(error)")])
        }
    }

    private func connected() throws -> (Connection, Int) {
        if let (connection, number) = state.read({ state in state.connection.map { ($0, state.number) } }) {
            return (connection, number)
        }
        let connection = try dialler.connect()
        let number = state.change { state in
            state.number += 1
            state.connection = state.isStopped ? nil : connection
            return state.number
        }
        _ = try WorkerThread { [self] in read(connection, number) }
        return (connection, number)
    }

    private func read(_ connection: Connection, _ number: Int) {
        let reader = FrameReader(connection, context.budget)
        while true {
            let sequence: UInt64? = state.wait { state in
                if state.isStopped || state.number != number || state.connection == nil { return (nil, wakes: nil) }
                guard let first = state.outstanding.first else { return nil }
                return (first, wakes: nil)
            }
            guard let sequence else { return connection.shutDown() }
            do {
                let answer = try reader.nextResponse(to: .append, timeout: Dialler.callTimeout)
                state.change { state in
                    if state.outstanding.first == sequence { state.outstanding.removeFirst() }
                    state.backoff.note(success: true)
                }
                guard case .append(_, let term, let last, let isSuccess, _) = answer else {
                    throw RaftFormatError("an append was answered with an error")
                }
                context.post(
                    .message(
                        RaftMessage(
                            from: peer, to: context.id, term: term,
                            .appended(isMatch: isSuccess, last: last, sequence: sequence)), [], nil))
            } catch {
                return fail(number, error)
            }
        }
    }

    /// Gives up a connection and everything that is on its way.
    private func fail(_ number: Int, _ error: any Error) {
        let lost = state.change { state -> [UInt64] in
            guard state.number == number, let connection = state.connection else { return [] }
            connection.shutDown()
            state.connection = nil
            state.backoff.note(success: false)
            defer { state.outstanding = [] }
            return state.outstanding
        }
        for sequence in lost { context.post(.unanswered(peer, sequence: sequence)) }
        context.logger.debug("a connection has failed", ["peer": .string("\(peer)"), "error": .string("\(error)")])
    }
}
