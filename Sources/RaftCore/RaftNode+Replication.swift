extension RaftNode {
    /// A follower's part of an append.
    mutating func takeEntries(
        _ message: RaftMessage, _ previous: EntryPosition, _ entries: [EntryHead], _ commit: UInt64, _ sequence: UInt64
    ) {
        let before = log.lastIndex
        func answer(_ node: inout RaftNode, _ isMatch: Bool) {
            node.send(message.from, .appended(isMatch: isMatch, last: before, sequence: sequence))
        }
        guard follow(message) else { return answer(&self, false) }
        guard isContiguous(entries, behind: previous.index) else { return }
        // What lies at or before the base is committed, so that it is the same everywhere.
        let isKnown = previous.index < log.base.index || log.term(at: previous.index) == previous.term
        guard isKnown || broken.contains(.checksPrevious), previous.index <= log.lastIndex else {
            return answer(&self, false)
        }
        guard store(entries) else { return answer(&self, false) }
        let covered = previous.index + UInt64(entries.count)
        // A stock follower goes as far as its own log: the leader's cap is what protects it.
        let reach = broken.contains(.capsCommit) ? log.lastIndex : covered
        self.commit(upTo: min(commit, reach, log.lastIndex))
        answer(&self, true)
    }

    private func isContiguous(_ entries: [EntryHead], behind index: UInt64) -> Bool {
        entries.enumerated().allSatisfy { place, entry in entry.index == index + 1 + UInt64(place) }
    }

    /// Takes over the entries that are new, removing what contradicts them.
    ///
    /// - Returns: `false` if that would remove what is committed: no right leader asks for it.
    private mutating func store(_ entries: [EntryHead]) -> Bool {
        var rest = entries[...]
        while let entry = rest.first, entry.index <= log.lastIndex {
            if entry.index <= log.base.index || log.term(at: entry.index) == entry.term
                || broken.contains(.removesConflicts)
            {
                rest = rest.dropFirst()
                continue
            }
            guard entry.index > commitIndex else { return false }
            log.truncate(from: entry.index)
            persistedIndex = min(persistedIndex, log.lastIndex)
            outputs.append(.truncate(from: entry.index))
            break
        }
        guard !rest.isEmpty else { return true }
        for entry in rest { log.append(entry) }
        outputs.append(.append(Array(rest)))
        return true
    }

    mutating func commit(upTo index: UInt64) {
        guard index > commitIndex else { return }
        commitIndex = index
        outputs.append(.commit(index))
    }

    /// A follower's part of a snapshot: one that says nothing new is held already.
    mutating func takeSnapshot(_ message: RaftMessage, _ position: EntryPosition, _ sequence: UInt64) {
        guard follow(message) else {
            return send(message.from, .snapshotTaken(isTaken: false, sequence: sequence))
        }
        guard position.index > commitIndex else {
            return send(message.from, .snapshotTaken(isTaken: true, sequence: sequence))
        }
        outputs.append(.install(message))
    }

    /// The snapshot that a message announced has taken the place of the log.
    mutating func installed(_ message: RaftMessage) {
        guard case .snapshot(let position, let membership, let sequence) = message.body else { return }
        if position.index > commitIndex {
            log = LogOutline(base: position, membership: membership)
            persistedIndex = position.index
            commitIndex = position.index
        }
        guard message.term == hard.term, leader == message.from else { return }
        deadline = now + draw.spread(timing.heartbeatTimeout)
        send(message.from, .snapshotTaken(isTaken: true, sequence: sequence))
    }

    mutating func persisted(_ position: EntryPosition) {
        // What was truncated and written anew since may be of another term.
        guard log.term(at: position.index) == position.term else { return }
        persistedIndex = max(persistedIndex, position.index)
        advanceCommit()
    }

    // MARK: Answers to a leader

    /// Notes that a follower is there.
    ///
    /// - Returns: `false` if the answer is none to this leader.
    private mutating func hear(_ message: RaftMessage, _ sequence: UInt64) -> Bool {
        guard message.term <= hard.term else {
            become(followerIn: message.term)
            return false
        }
        guard isLeader, message.term == hard.term else { return false }
        withLeadership { node, leadership in
            guard var progress = leadership.peers[message.from] else { return }
            progress.answeredAt = node.now
            progress.answered = max(progress.answered, sequence)
            leadership.peers[message.from] = progress
            node.answerReads(&leadership)
        }
        return true
    }

    mutating func countAnswer(_ message: RaftMessage, _ sequence: UInt64) {
        _ = hear(message, sequence)
    }

    mutating func countAppend(_ message: RaftMessage, _ isMatch: Bool, _ last: UInt64, _ sequence: UInt64) {
        guard hear(message, sequence) else { return }
        withLeadership { node, leadership in
            guard var progress = leadership.peers[message.from],
                let place = progress.inFlight.firstIndex(where: { $0.sequence == sequence })
            else { return }
            let request = progress.inFlight[place]
            progress.inFlight.removeFirst(place + 1)
            if isMatch {
                // The last index in the answer is from before the request: what was sent is what is held.
                progress.match = max(progress.match, request.last)
                progress.next = max(progress.next, progress.match + 1)
                progress.isProbing = false
            } else {
                progress.inFlight = []
                progress.isProbing = true
                let lower = min(progress.next - 1, last + 1, request.last)
                progress.next = max(progress.match + 1, max(lower, 1))
            }
            leadership.peers[message.from] = progress
        }
        advanceCommit()
        withLeadership { node, leadership in
            node.askTarget(&leadership)
            node.sendToAll(&leadership)
        }
    }

    mutating func countSnapshot(_ message: RaftMessage, _ isTaken: Bool, _ sequence: UInt64) {
        guard hear(message, sequence) else { return }
        withLeadership { _, leadership in
            guard var progress = leadership.peers[message.from], let snapshot = progress.snapshot,
                snapshot.sequence == sequence
            else { return }
            progress.snapshot = nil
            if isTaken {
                progress.match = max(progress.match, snapshot.last)
                progress.next = progress.match + 1
            }
            leadership.peers[message.from] = progress
        }
        withLeadership { node, leadership in node.sendToAll(&leadership) }
    }

    /// Commits what a majority of the voters holds durably.
    mutating func advanceCommit() {
        guard case .leader(let leadership) = role else { return }
        let voters = log.membership.voters
        guard !voters.isEmpty else { return }
        let held = voters.map { $0 == id ? persistedIndex : leadership.peers[$0]?.match ?? 0 }.sorted(by: >)
        let index = held[broken.contains(.waitsForMajority) ? 0 : log.membership.majority - 1]
        guard index > commitIndex, index >= leadership.first || broken.contains(.commitsOwnTermOnly) else { return }
        commit(upTo: index)
        // A leader that has removed itself has led long enough.
        if !log.membership.isVoter(id), log.membershipIndex <= commitIndex { return become(followerIn: hard.term) }
        withLeadership { node, leadership in node.answerReads(&leadership) }
    }
}
