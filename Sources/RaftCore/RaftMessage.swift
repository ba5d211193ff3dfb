/// What nodes say to one another. The fields are those of hashicorp/raft's protocol 3 (`AppendEntries`, `RequestVote`,
/// `RequestPreVote`, `InstallSnapshot`, `TimeoutNow`); a sequence number stands for the place in a connection, by which a
/// transport matches answers to requests.
package struct RaftMessage: Hashable, Sendable {
    package let from: NodeID
    package let to: NodeID
    /// The sender's term; of a pre-vote's request the one that it would use.
    package let term: UInt64
    package let body: Body

    package init(from: NodeID, to: NodeID, term: UInt64, _ body: Body) {
        self.from = from
        self.to = to
        self.term = term
        self.body = body
    }

    package enum Body: Hashable, Sendable {
        /// Entries behind `previous`, and how far the log is committed: never beyond the last entry of this very message, since
        /// a follower of the stock kind commits up to its own last entry.
        case append(previous: EntryPosition, entries: [EntryHead], commit: UInt64, sequence: UInt64)
        /// `last` is a hint where the follower's log ended.
        case appended(isMatch: Bool, last: UInt64, sequence: UInt64)
        /// Says that the leader is there, and proves nothing about the log.
        case heartbeat(sequence: UInt64)
        case heartbeatSeen(sequence: UInt64)
        case preVote(last: EntryPosition)
        case preVoted(isGranted: Bool)
        case vote(last: EntryPosition, isTransfer: Bool)
        case voted(isGranted: Bool)
        /// A snapshot's content follows by other means; the receiver's driver says when it stands.
        case snapshot(at: EntryPosition, membership: Membership, sequence: UInt64)
        case snapshotTaken(isTaken: Bool, sequence: UInt64)
        /// The leader hands over: stand for election now.
        case timeoutNow
    }
}

extension RaftMessage {
    /// No cluster comes to such terms and indexes; who says so lies, and counting on from there would end the process.
    private static let greatest: UInt64 = 1 << 62

    /// Whether all numbers are such as a cluster can have.
    var isWithinLimits: Bool {
        var numbers = [term]
        func note(_ position: EntryPosition) { numbers += [position.index, position.term] }
        switch body {
        case .append(let previous, let entries, let commit, _):
            note(previous)
            numbers += [commit] + entries.flatMap { [$0.index, $0.term] }
        case .appended(_, let last, _): numbers.append(last)
        case .preVote(let last), .vote(let last, _): note(last)
        case .snapshot(let position, _, _): note(position)
        case .heartbeat, .heartbeatSeen, .preVoted, .voted, .snapshotTaken, .timeoutNow: break
        }
        return numbers.allSatisfy { $0 < Self.greatest }
    }
}
