/// What happens to a node.
package enum RaftInput: Hashable, Sendable {
    /// One unit of time has passed.
    case tick
    case message(RaftMessage)
    /// Commands, as many as said, are to be appended; only a leader takes them.
    case propose(count: Int)
    case change(Membership.Change)
    case transfer(to: NodeID)
    /// Somebody wants to read what is committed now.
    case read(token: UInt64)
    /// The log is durable up to an entry.
    case persisted(EntryPosition)
    /// What was sent to a member under this number will not be answered: the connection broke, or there was none.
    case unanswered(NodeID, sequence: UInt64)
    /// The snapshot that this message announced is in place, durably, and the log is empty behind it.
    case snapshotInstalled(RaftMessage)
    /// The snapshot that was to be sent under this number stands for entries up to `last`, which may be more than the log's
    /// base says.
    case snapshotOpened(NodeID, sequence: UInt64, last: UInt64)
    /// A snapshot of this node's own stands for everything up to an index, which is gone from the log.
    case compacted(to: UInt64)
}

/// What a node wants done, in this order. Everything before a ``send(_:)`` must be durable before the message leaves, but for
/// the entries that a leader sends along; ``RaftInput/persisted(_:)`` tells when those are.
package enum RaftOutput: Hashable, Sendable {
    /// Term and vote are to be durable.
    case persist(HardState)
    /// The log is to end before an index.
    case truncate(from: UInt64)
    /// Entries are to be appended; content comes from the proposal or the message that is being handled, in order.
    case append([EntryHead])
    case send(RaftMessage)
    /// Entries up to an index are committed, and may be applied.
    case commit(UInt64)
    /// The proposal was taken at these indexes, and is acknowledged once they are committed in this term.
    case accepted(ClosedRange<UInt64>, term: UInt64)
    /// Not taken: not the leader, or not now. Who leads, if known.
    case refused(leader: NodeID?)
    /// What is committed up to an index may be read on behalf of a token.
    case readSafe(token: UInt64, index: UInt64)
    case readRefused(token: UInt64)
    /// A snapshot is to be taken over from a leader; then comes ``RaftInput/snapshotInstalled(_:)``.
    case install(RaftMessage)
}

/// What must be durable before anything that depends on it is said.
package struct HardState: Hashable, Sendable {
    package var term: UInt64
    package var vote: NodeID?

    package init(term: UInt64 = 0, vote: NodeID? = nil) {
        self.term = term
        self.vote = vote
    }
}
