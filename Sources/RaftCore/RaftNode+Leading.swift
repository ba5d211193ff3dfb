extension RaftNode {
    /// Runs a change on the leadership; does nothing in any other role.
    mutating func withLeadership(_ body: (inout RaftNode, inout Leadership) -> Void) {
        guard case .leader(var leadership) = role else { return }
        let term = hard.term
        body(&self, &leadership)
        // The change may have ended it.
        guard isLeader, hard.term == term else { return }
        role = .leader(leadership)
    }

    mutating func becomeLeader() {
        role = .leader(Leadership(first: log.lastIndex + 1))
        leader = id
        append([.noop])
        withLeadership { node, leadership in
            node.sendToAll(&leadership)
        }
    }

    /// Appends entries of its own term.
    mutating func append(_ kinds: [EntryHead.Kind]) {
        let heads = kinds.enumerated().map { place, kind in
            EntryHead(index: log.lastIndex + 1 + UInt64(place), term: hard.term, kind: kind)
        }
        for head in heads { log.append(head) }
        outputs.append(.append(heads))
        if broken.contains(.countsDurableOnly) { persistedIndex = log.lastIndex }
        withLeadership { node, leadership in node.trackMembers(&leadership) }
    }

    /// Knows exactly the members of the membership in force.
    private func trackMembers(_ leadership: inout Leadership) {
        let wanted = log.membership.members.map(\.id).filter { $0 != id }
        for peer in leadership.peers.keys where !wanted.contains(peer) { leadership.peers[peer] = nil }
        for peer in wanted where leadership.peers[peer] == nil {
            leadership.peers[peer] = Leadership.Progress(next: log.lastIndex, answeredAt: now, heartbeatAt: now)
        }
    }

    /// A tick of a leader.
    mutating func lead() {
        withLeadership { node, leadership in
            guard node.holdsLease(leadership) else { return node.become(followerIn: node.hard.term) }
            for peer in leadership.peers.keys.sorted() {
                guard var progress = leadership.peers[peer] else { continue }
                node.forgetLost(&progress)
                if node.now >= progress.heartbeatAt { node.sendHeartbeat(peer, &progress) }
                node.sendEntries(peer, &progress)
                leadership.peers[peer] = progress
            }
            if let transfer = leadership.transfer, node.now >= transfer.deadline { leadership.transfer = nil }
            node.askTarget(&leadership)
        }
    }

    private func holdsLease(_ leadership: Leadership) -> Bool {
        let voters = log.membership.voters
        guard !voters.isEmpty else { return true }
        let heard = voters.filter { voter in
            voter == id || (leadership.peers[voter].map { now - $0.answeredAt <= timing.leaseTimeout } ?? false)
        }
        return heard.count >= log.membership.majority
    }

    /// What was not answered for long is sent anew, one at a time until the logs are known to meet.
    private func forgetLost(_ progress: inout Leadership.Progress) {
        if let oldest = progress.inFlight.first, now - oldest.sentAt >= timing.retryTimeout {
            progress.inFlight = []
            progress.isProbing = true
            // Whoever answers nothing for so long may have lost anything that was not heard to be held.
            progress.next = max(progress.match, log.base.index) + 1
        }
        if let snapshot = progress.snapshot, now - snapshot.sentAt >= 10 * timing.retryTimeout {
            progress.snapshot = nil
        }
    }

    /// What did not arrive is sent anew after a while, with the next heartbeat at the latest.
    mutating func giveUp(_ peer: NodeID, _ sequence: UInt64) {
        withLeadership { node, leadership in
            guard var progress = leadership.peers[peer] else { return }
            if progress.snapshot?.sequence == sequence {
                progress.snapshot = nil
            } else {
                guard let oldest = progress.inFlight.first,
                    progress.inFlight.contains(where: { $0.sequence == sequence })
                else { return }
                progress.inFlight = []
                progress.isProbing = true
                // What was not heard says nothing about where the logs meet.
                progress.next = oldest.first
            }
            progress.pausedUntil = node.now + node.timing.heartbeatInterval
            leadership.peers[peer] = progress
        }
    }

    mutating func openSnapshot(_ peer: NodeID, _ sequence: UInt64, _ last: UInt64) {
        withLeadership { node, leadership in
            guard var progress = leadership.peers[peer], progress.snapshot?.sequence == sequence,
                last <= node.commitIndex
            else { return }
            progress.snapshot?.last = last
            leadership.peers[peer] = progress
        }
    }

    private mutating func sendHeartbeat(_ peer: NodeID, _ progress: inout Leadership.Progress) {
        progress.heartbeatAt = now + timing.heartbeatInterval
        send(peer, .heartbeat(sequence: nextSequence()))
        // Nothing but an append tells how far the log is committed.
        if progress.inFlight.isEmpty, progress.snapshot == nil, now >= progress.pausedUntil {
            sendAppend(peer, &progress)
        }
    }

    mutating func sendToAll(_ leadership: inout Leadership) {
        for peer in leadership.peers.keys.sorted() {
            guard var progress = leadership.peers[peer] else { continue }
            sendEntries(peer, &progress)
            leadership.peers[peer] = progress
        }
    }

    /// Sends what the follower lacks, as far as more may be on its way.
    private mutating func sendEntries(_ peer: NodeID, _ progress: inout Leadership.Progress) {
        guard now >= progress.pausedUntil else { return }
        let most = progress.isProbing ? 1 : timing.mostInFlight
        while progress.snapshot == nil, progress.inFlight.count < most, progress.next <= log.lastIndex {
            sendAppend(peer, &progress)
        }
    }

    private mutating func sendAppend(_ peer: NodeID, _ progress: inout Leadership.Progress) {
        let previous = progress.next - 1
        guard let term = log.term(at: previous), previous >= log.base.index else {
            return sendSnapshot(peer, &progress)
        }
        let end = min(log.lastIndex, previous + UInt64(timing.mostEntries))
        let entries = previous < end ? (previous + 1...end).compactMap(head(at:)) : []
        let number = nextSequence()
        send(
            peer,
            .append(
                previous: EntryPosition(index: previous, term: term), entries: entries,
                commit: broken.contains(.capsCommit) ? commitIndex : min(commitIndex, end), sequence: number))
        progress.inFlight.append(
            Leadership.Progress.Request(sequence: number, first: previous + 1, last: end, sentAt: now))
        if !progress.isProbing { progress.next = end + 1 }
    }

    /// What the log says of an entry; the kinds without a membership look alike from here, and the driver knows them.
    private func head(at index: UInt64) -> EntryHead? {
        guard let term = log.term(at: index) else { return nil }
        if let membership = log.membership(exactlyAt: index) {
            return EntryHead(index: index, term: term, kind: .membership(membership))
        }
        return EntryHead(index: index, term: term, kind: .command)
    }

    private mutating func sendSnapshot(_ peer: NodeID, _ progress: inout Leadership.Progress) {
        let number = nextSequence()
        send(
            peer,
            .snapshot(at: log.base, membership: log.membership(at: log.base.index), sequence: number))
        progress.snapshot = Leadership.Progress.Request(
            sequence: number, first: 1, last: log.base.index, sentAt: now)
        progress.inFlight = []
    }

    // MARK: Proposals

    mutating func propose(_ count: Int) {
        guard count > 0, case .leader(let leadership) = role, leadership.transfer == nil else {
            return outputs.append(.refused(leader: isLeader ? nil : leader))
        }
        let first = log.lastIndex + 1
        append([EntryHead.Kind](repeating: .command, count: count))
        outputs.append(.accepted(first...log.lastIndex, term: hard.term))
        withLeadership { node, leadership in node.sendToAll(&leadership) }
    }

    mutating func propose(_ change: Membership.Change) {
        // A change counts on the one before being settled, and on the leader's own term having begun.
        guard case .leader(let leadership) = role, leadership.transfer == nil,
            broken.contains(.changesOneAtATime)
                || (commitIndex >= leadership.first && log.membershipIndex <= commitIndex),
            let changed = log.membership.applying(change)
        else { return outputs.append(.refused(leader: isLeader ? nil : leader)) }
        append([.membership(changed)])
        outputs.append(.accepted(log.lastIndex...log.lastIndex, term: hard.term))
        withLeadership { node, leadership in node.sendToAll(&leadership) }
    }

    /// Hands the leadership to a voter, once it has everything; until then nothing more is proposed.
    mutating func transfer(to target: NodeID) {
        guard case .leader(let leadership) = role, leadership.transfer == nil, target != id,
            log.membership.isVoter(target)
        else { return outputs.append(.refused(leader: isLeader ? nil : leader)) }
        withLeadership { node, leadership in
            leadership.transfer = Leadership.Transfer(target: target, deadline: node.now + node.timing.electionTimeout)
            node.askTarget(&leadership)
        }
    }

    mutating func askTarget(_ leadership: inout Leadership) {
        guard var transfer = leadership.transfer, !transfer.isAsked,
            let progress = leadership.peers[transfer.target], progress.match == log.lastIndex
        else { return }
        transfer.isAsked = true
        leadership.transfer = transfer
        send(transfer.target, .timeoutNow)
    }

    // MARK: Reads

    mutating func read(_ token: UInt64) {
        // Before something of its own term is committed a leader does not know what is.
        guard case .leader(let leadership) = role, commitIndex >= leadership.first else {
            return outputs.append(.readRefused(token: token))
        }
        withLeadership { node, leadership in
            leadership.reads.append(
                Leadership.Read(token: token, index: node.commitIndex, after: node.sequence))
            for peer in leadership.peers.keys.sorted() {
                guard var progress = leadership.peers[peer] else { continue }
                node.sendHeartbeat(peer, &progress)
                leadership.peers[peer] = progress
            }
            node.answerReads(&leadership)
        }
    }

    mutating func answerReads(_ leadership: inout Leadership) {
        let voters = log.membership.voters
        while let read = leadership.reads.first {
            let confirmed = voters.filter { voter in
                voter == id || (leadership.peers[voter]?.answered ?? 0) > read.after
            }
            guard confirmed.count >= log.membership.majority || broken.contains(.confirmsReads) else { return }
            leadership.reads.removeFirst()
            outputs.append(.readSafe(token: read.token, index: read.index))
        }
    }
}
