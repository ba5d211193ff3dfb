extension RaftNode {
    /// Asks all voters whether they would elect this node; only a voter does that.
    mutating func campaign() {
        deadline = now + draw.spread(timing.electionTimeout)
        guard log.membership.isVoter(id) else { return role = .follower }
        role = .preCandidate(granted: [id])
        leader = nil
        for voter in log.membership.voters where voter != id {
            outputs.append(
                .send(RaftMessage(from: id, to: voter, term: hard.term + 1, .preVote(last: log.last))))
        }
        if log.membership.majority == 1 { stand(isTransfer: false) }
    }

    /// Stands for election in a new term, voting for itself.
    mutating func stand(isTransfer: Bool) {
        hard = HardState(term: hard.term + 1, vote: id)
        outputs.append(.persist(hard))
        leader = nil
        deadline = now + draw.spread(timing.electionTimeout)
        role = .candidate(granted: [id], isTransfer: isTransfer)
        for voter in log.membership.voters where voter != id {
            send(voter, .vote(last: log.last, isTransfer: isTransfer))
        }
        if log.membership.majority == 1 { becomeLeader() }
    }

    /// Says whether this node would elect another one, changing nothing.
    ///
    /// Whether the candidate is a member does not matter, as it does to hashicorp/raft: the candidate counts by its own
    /// membership, and a node that is behind may be the one whose vote is needed by somebody of whom it has not heard yet.
    /// A server that was removed disturbs nobody, since it is not heard while a leader is known.
    mutating func answerPreVote(_ message: RaftMessage, _ last: EntryPosition) {
        let knowsOther = leader != nil && leader != message.from
        let isGranted =
            !knowsOther && !isLeader && message.term >= hard.term
            && (last.isAtLeastAsNew(as: log.last) || broken.contains(.votesForNewLogsOnly))
        outputs.append(
            .send(
                RaftMessage(
                    from: id, to: message.from, term: max(hard.term, message.term), .preVoted(isGranted: isGranted))))
    }

    mutating func countPreVote(_ message: RaftMessage, _ isGranted: Bool) {
        guard case .preCandidate(var granted) = role else { return }
        // An answer in the very term that was asked about is no news of a higher one.
        guard message.term <= hard.term + 1 else { return become(followerIn: message.term) }
        guard isGranted, message.term == hard.term + 1, log.membership.isVoter(message.from) else { return }
        granted.insert(message.from)
        role = .preCandidate(granted: granted)
        if granted.count >= log.membership.majority { stand(isTransfer: false) }
    }

    mutating func answerVote(_ message: RaftMessage, _ last: EntryPosition, _ isTransfer: Bool) {
        // While a leader is known nobody else is elected, and a higher term does not disturb it.
        guard isTransfer || (leader == nil && !isLeader) || leader == message.from,
            message.term >= hard.term
        else { return send(message.from, .voted(isGranted: false)) }
        if message.term > hard.term { become(followerIn: message.term) }
        let isFree = hard.vote == nil || hard.vote == message.from || broken.contains(.votesOnce)
        let isNew = last.isAtLeastAsNew(as: log.last) || broken.contains(.votesForNewLogsOnly)
        guard isFree, isNew, !isLeader else { return send(message.from, .voted(isGranted: false)) }
        if hard.vote != message.from {
            hard.vote = message.from
            outputs.append(.persist(hard))
        }
        role = .follower
        deadline = now + draw.spread(timing.heartbeatTimeout)
        send(message.from, .voted(isGranted: true))
    }

    mutating func countVote(_ message: RaftMessage, _ isGranted: Bool) {
        guard message.term <= hard.term else { return become(followerIn: message.term) }
        guard case .candidate(var granted, let isTransfer) = role, message.term == hard.term, isGranted,
            log.membership.isVoter(message.from)
        else { return }
        granted.insert(message.from)
        role = .candidate(granted: granted, isTransfer: isTransfer)
        if granted.count >= log.membership.majority { becomeLeader() }
    }
}
