/// What the core knows of an entry of the log: everything but its content, which it never sees.
package struct EntryHead: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case command
        /// Appended by a new leader, so that something of its own term commits.
        case noop
        /// Ordered like a command and given to nobody.
        case barrier
        case membership(Membership)
    }

    package let index: UInt64
    package let term: UInt64
    package let kind: Kind

    package init(index: UInt64, term: UInt64, kind: Kind) {
        self.index = index
        self.term = term
        self.kind = kind
    }
}

/// A position in the log.
package struct EntryPosition: Hashable, Sendable {
    package var index: UInt64
    package var term: UInt64

    package init(index: UInt64 = 0, term: UInt64 = 0) {
        self.index = index
        self.term = term
    }

    /// Whether a log that ends here is at least as new as one that ends there: the rule by which votes are given.
    package func isAtLeastAsNew(as other: EntryPosition) -> Bool {
        term == other.term ? index >= other.index : term > other.term
    }
}

/// Where the entries of the log lie by term, and which memberships it holds. Its size grows with elections and changes of
/// membership, not with entries.
package struct LogOutline: Hashable, Sendable {
    private struct Run: Hashable {
        let first: UInt64
        let term: UInt64
    }

    private struct Placed: Hashable {
        let index: UInt64
        let membership: Membership
    }

    /// The last entry that a snapshot stands for; everything up to it is gone from the log.
    package private(set) var base: EntryPosition
    private var runs: [Run] = []
    package private(set) var lastIndex: UInt64
    /// Ascending by index; the first is the one in force at `base`.
    private var memberships: [Placed]

    /// An empty log behind a snapshot, or behind nothing.
    package init(base: EntryPosition = EntryPosition(), membership: Membership = Membership()) {
        self.base = base
        lastIndex = base.index
        memberships = [Placed(index: base.index, membership: membership)]
    }

    /// What the log is after a majority was lost and somebody has said who belongs to the cluster now: everything that is held is
    /// taken for committed, and stands behind the new membership.
    package func recovered(_ membership: Membership) -> LogOutline { LogOutline(base: last, membership: membership) }

    package var last: EntryPosition { EntryPosition(index: lastIndex, term: runs.last?.term ?? base.term) }

    /// The membership in force: that of the newest entry, committed or not.
    package var membership: Membership { memberships[memberships.count - 1].membership }

    /// Where the membership in force stands.
    package var membershipIndex: UInt64 { memberships[memberships.count - 1].index }

    /// The membership that the entry at an index is; `nil` for an entry of another kind.
    func membership(exactlyAt index: UInt64) -> Membership? {
        index == base.index ? nil : memberships.last { $0.index == index }?.membership
    }

    /// The membership in force at an index.
    package func membership(at index: UInt64) -> Membership {
        (memberships.last { $0.index <= index } ?? memberships[0]).membership
    }

    /// The term of the entry at an index; `nil` for one before the base or behind the end. That of index 0 is 0.
    package func term(at index: UInt64) -> UInt64? {
        if index == base.index { return base.term }
        guard index > base.index, index <= lastIndex else { return nil }
        return runs.last { $0.first <= index }?.term
    }

    package mutating func append(_ head: EntryHead) {
        precondition(head.index == lastIndex + 1, "entries follow one another")
        lastIndex = head.index
        if runs.last?.term != head.term { runs.append(Run(first: head.index, term: head.term)) }
        if case .membership(let membership) = head.kind {
            memberships.append(Placed(index: head.index, membership: membership))
        }
    }

    /// Removes the entries from an index on.
    package mutating func truncate(from index: UInt64) {
        guard index <= lastIndex, index > base.index else { return }
        lastIndex = index - 1
        runs.removeAll { $0.first >= index }
        // The first stands for the base and stays.
        while memberships.count > 1, memberships[memberships.count - 1].index >= index { memberships.removeLast() }
    }

    /// Forgets the entries up to an index, for which a snapshot stands.
    package mutating func compact(to index: UInt64) {
        guard index > base.index, index <= lastIndex, let term = term(at: index) else { return }
        let kept = membership(at: index)
        runs = runs.indices.compactMap { place in
            let end = place + 1 < runs.count ? runs[place + 1].first - 1 : lastIndex
            return end > index ? Run(first: max(runs[place].first, index + 1), term: runs[place].term) : nil
        }
        memberships.removeAll { $0.index <= index }
        memberships.insert(Placed(index: index, membership: kept), at: 0)
        base = EntryPosition(index: index, term: term)
    }
}
