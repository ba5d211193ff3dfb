/// One node of a Raft cluster as a value: what happens goes in, what is to be done comes out. It has no clock, socket, disk or
/// chance of its own, so that the same inputs always give the same outputs.
///
/// The rules are hashicorp/raft's, protocol 3: pre-vote, leader lease, one change of membership at a time, no vote for anybody
/// while a leader is known. Where that library lets an independent peer lose data, the stricter rule is taken: a leader says
/// no commit index beyond what the same message covers.
package struct RaftNode: Sendable {
    package let id: NodeID
    package let timing: RaftTiming
    package internal(set) var hard: HardState
    package internal(set) var log: LogOutline
    package internal(set) var commitIndex: UInt64
    /// The leader of this term, as far as known.
    package internal(set) var leader: NodeID?
    var role = Role.follower
    /// Ticks since the beginning.
    var now: UInt64 = 0
    /// When a follower or candidate loses patience.
    var deadline: UInt64 = 0
    /// The log is durable up to here.
    var persistedIndex: UInt64
    /// Numbers requests, so that answers find theirs.
    var sequence: UInt64 = 0
    var draw: Draw
    var outputs: [RaftOutput] = []
    /// Rules that are left out, for tests that must notice.
    var broken: Set<RaftRule> = []

    enum Role: Hashable, Sendable {
        case follower
        /// Asks whether it would be elected, changing nothing.
        case preCandidate(granted: Set<NodeID>)
        case candidate(granted: Set<NodeID>, isTransfer: Bool)
        case leader(Leadership)
    }

    /// A node as its disk says it was.
    ///
    /// - Parameters:
    ///   - log: What is durable of the log.
    ///   - seed: All time-outs follow from it.
    package init(
        id: NodeID, hard: HardState = HardState(), log: LogOutline, timing: RaftTiming = RaftTiming(), seed: UInt64
    ) {
        self.id = id
        self.hard = hard
        self.log = log
        self.timing = timing
        commitIndex = log.base.index
        persistedIndex = log.lastIndex
        draw = Draw(seed: seed)
        // Whoever votes alone waits for nobody.
        let isAlone = log.membership.isVoter(id) && log.membership.majority == 1
        deadline = isAlone ? 1 : draw.spread(timing.heartbeatTimeout)
    }

    package var isCandidate: Bool {
        switch role {
        case .preCandidate, .candidate: true
        case .follower, .leader: false
        }
    }

    /// Whether the leadership is being handed over.
    package var isTransferring: Bool {
        if case .leader(let leadership) = role { leadership.transfer != nil } else { false }
    }

    package var isLeader: Bool { if case .leader = role { true } else { false } }

    /// Lets something happen.
    ///
    /// - Returns: What is to be done, in order.
    package mutating func step(_ input: RaftInput) -> [RaftOutput] {
        outputs.removeAll(keepingCapacity: true)
        switch input {
        case .tick: tick()
        case .message(let message): receive(message)
        case .propose(let count): propose(count)
        case .change(let change): propose(change)
        case .transfer(let target): transfer(to: target)
        case .read(let token): read(token)
        case .persisted(let position): persisted(position)
        case .unanswered(let peer, let sequence): giveUp(peer, sequence)
        case .snapshotInstalled(let message): installed(message)
        case .snapshotOpened(let peer, let sequence, let last): openSnapshot(peer, sequence, last)
        case .compacted(let index): log.compact(to: min(index, commitIndex))
        }
        return outputs
    }

    private mutating func tick() {
        now += 1
        switch role {
        case .follower:
            guard now >= deadline else { return }
            leader = nil
            campaign()
        case .preCandidate, .candidate: if now >= deadline { campaign() }
        case .leader: lead()
        }
    }

    private mutating func receive(_ message: RaftMessage) {
        guard message.to == id, message.from != id, message.isWithinLimits else { return }
        switch message.body {
        case .preVote(let last): answerPreVote(message, last)
        case .preVoted(let isGranted): countPreVote(message, isGranted)
        case .vote(let last, let isTransfer): answerVote(message, last, isTransfer)
        case .voted(let isGranted): countVote(message, isGranted)
        case .append(let previous, let entries, let commit, let sequence):
            takeEntries(message, previous, entries, commit, sequence)
        case .heartbeat(let sequence):
            // A leader of an older term learns of the new one from the answer.
            _ = follow(message)
            send(message.from, .heartbeatSeen(sequence: sequence))
        case .snapshot(let position, _, let sequence): takeSnapshot(message, position, sequence)
        case .appended(let isMatch, let last, let sequence): countAppend(message, isMatch, last, sequence)
        case .heartbeatSeen(let sequence): countAnswer(message, sequence)
        case .snapshotTaken(let isTaken, let sequence): countSnapshot(message, isTaken, sequence)
        case .timeoutNow:
            // Only the leader hands over.
            guard message.term == hard.term, log.membership.isVoter(id), !isLeader,
                leader == nil || leader == message.from
            else { return }
            stand(isTransfer: true)
        }
    }

    // MARK: Terms

    /// Follows the leader that a message is from, adopting its term.
    ///
    /// - Returns: `false` for a leader of an older term.
    mutating func follow(_ message: RaftMessage) -> Bool {
        guard message.term >= hard.term else { return false }
        if message.term > hard.term || !isFollower { become(followerIn: message.term) }
        leader = message.from
        deadline = now + draw.spread(timing.heartbeatTimeout)
        return true
    }

    private var isFollower: Bool { if case .follower = role { true } else { false } }

    /// Gives up whatever it was; a new term has no vote yet.
    mutating func become(followerIn term: UInt64) {
        if case .leader(let leadership) = role {
            for read in leadership.reads { outputs.append(.readRefused(token: read.token)) }
        }
        role = .follower
        leader = nil
        deadline = now + draw.spread(timing.heartbeatTimeout)
        guard term > hard.term else { return }
        hard = HardState(term: term)
        outputs.append(.persist(hard))
    }

    mutating func send(_ to: NodeID, _ body: RaftMessage.Body) {
        outputs.append(.send(RaftMessage(from: id, to: to, term: hard.term, body)))
    }

    mutating func nextSequence() -> UInt64 {
        sequence += 1
        return sequence
    }
}

/// Rules that a test can leave out, to see that it notices.
enum RaftRule: String, CaseIterable, Sendable {
    /// One vote in a term.
    case votesOnce
    /// No vote for a candidate whose log is older.
    case votesForNewLogsOnly
    /// Only entries of the leader's own term are committed by counting.
    case commitsOwnTermOnly
    /// An append needs the entry before it.
    case checksPrevious
    /// What contradicts the leader's log goes.
    case removesConflicts
    /// What a majority holds is committed, nothing less.
    case waitsForMajority
    /// A read waits until a majority still follows.
    case confirmsReads
    /// An entry counts as the leader's own once it is durable.
    case countsDurableOnly
    /// One change of membership at a time.
    case changesOneAtATime
    /// The commit index said covers only what the message covers.
    case capsCommit
}
