import RaftCore
import RaftFormat

/// What the core's thread is told.
enum NodeEvent: Sendable {
    /// A call with its entries and the place for the answer, or an answer to a call.
    case message(RaftMessage, [WireEntry], ReplySlot?)
    /// The leader hands over.
    case timeoutNow(NodeID)
    /// A command, and whether the answer depends on what comes of it.
    case propose([UInt8], needsOutcome: Bool, Completion<ProposalResult>)
    case change(Membership.Change, Completion<ProposalResult>)
    case transfer(NodeID, Completion<Void>)
    /// Answered with an index: what is applied up to it may be read.
    case read(Completion<UInt64>)
    case persisted(DiskWriter.Ending)
    case unanswered(NodeID, sequence: UInt64)
    case snapshotOpened(NodeID, sequence: UInt64, last: UInt64)
    /// A snapshot is in a file of the node's folder; without a name it did not come to that.
    case received(RaftMessage, name: String?, ReplySlot)
    /// The state machine has come so far.
    case applied(UInt64)
    /// The node cannot go on.
    case failed(ClusterError)
    case stop
}
