import RaftCore

/// What one node has on disk; what is not synced is lost, in whole or in part, when it crashes.
struct SimulatedDisk {
    struct Record: Hashable {
        let term: UInt64
        let content: Content
    }

    /// What an entry holds.
    enum Content: Hashable {
        case value(Int)
        case nothing
        case membership(Membership)
    }

    var hard = HardState()
    /// The snapshot: how many entries, of which hash, and which membership.
    var base = EntryPosition()
    var baseMembership: Membership
    /// What a state machine made of everything up to the snapshot.
    var baseState: [Int] = []
    /// Entries behind the snapshot.
    var records: [Record] = []
    /// How many of the records are synced.
    var synced = 0

    init(membership: Membership) {
        baseMembership = membership
    }

    var lastIndex: UInt64 { base.index + UInt64(records.count) }

    func record(_ index: UInt64) -> Record? {
        guard index > base.index, index <= lastIndex else { return nil }
        return records[Int(index - base.index) - 1]
    }

    mutating func truncate(from index: UInt64) {
        guard index > base.index, index <= lastIndex else { return }
        records.removeLast(Int(lastIndex - index) + 1)
        synced = min(synced, records.count)
    }

    mutating func sync() { synced = records.count }

    /// Loses what was not synced, but for a part of it that happened to be written.
    mutating func crash(keeping part: Int) {
        let kept = min(records.count, synced + part)
        records.removeLast(records.count - kept)
        synced = records.count
    }

    /// The log as a node finds it when it starts.
    var outline: LogOutline {
        var outline = LogOutline(base: base, membership: baseMembership)
        for (place, record) in records.enumerated() {
            let kind: EntryHead.Kind =
                if case .membership(let membership) = record.content { .membership(membership) } else { .command }
            outline.append(EntryHead(index: base.index + UInt64(place) + 1, term: record.term, kind: kind))
        }
        return outline
    }
}
