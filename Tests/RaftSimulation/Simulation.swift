import TestSupport

@testable import RaftCore

/// A rule of Raft was broken.
package struct BrokenRule: Error, CustomStringConvertible {
    package let description: String
}

/// A cluster in one thread, with a network and disks that fail as a seed wants it: messages are lost, doubled, delayed and
/// overtake one another, links fail in one direction, nodes crash with what was not synced, stand still, and run at different
/// speeds. Everything that Raft promises is checked after every step.
package struct Simulation {
    package struct Setup: Sendable {
        package var nodes = 3
        package var ticks = 3_000
        /// Ticks at the end without any fault, in which the cluster has to come to itself.
        package var calmTicks = 2_000
        /// The last of them, in which nobody wants anything any more.
        package var quietTicks = 500
        /// Of a thousand messages.
        package var lost = 30
        package var doubled = 20
        /// Ticks that a message takes at most.
        package var delay = 12
        /// One tick in so many brings a crash, a cut link, a pause, a change of membership, a transfer.
        package var crashEvery = 700
        package var cutEvery = 300
        package var pauseEvery = 900
        package var changeEvery = 500
        package var transferEvery = 900
        package var snapshotEvery = 200
        /// Entries in one message.
        package var mostEntries = 64
        var broken: Set<RaftRule> = []

        package init() {}
    }

    private struct Server {
        var node: RaftNode
        var disk: SimulatedDisk
        var applied: UInt64 = 0
        var state: [Int] = []
        /// Ticks until it runs again.
        var pause = 0
        var isDown = false
        var snapshots: [UInt64: (state: [Int], RaftMessage)] = [:]
        /// One tick in so many is skipped.
        var drift: Int
    }

    private struct Flight {
        let due: Int
        let message: RaftMessage
        /// What the entries of an append hold, as the sender's disk had it.
        let records: [SimulatedDisk.Record]
        /// The state that a snapshot stands for.
        let state: [Int]
    }

    private let setup: Setup
    private var random: SeededRandom
    private var servers: [NodeID: Server] = [:]
    private var order: [NodeID] = []
    private var network: [Flight] = []
    private var cuts: [[NodeID]: Int] = [:]
    private var time = 0
    private var nextValue = 0
    /// The one history: what is committed at each index, as first seen.
    private var committed: [UInt64: SimulatedDisk.Record] = [:]
    private var committedUpTo: UInt64 = 0
    /// Who leads each term.
    private var leaders: [UInt64: NodeID] = [:]
    /// Proposals that wait: index and term, and the value.
    private var waiting: [UInt64: (term: UInt64, value: Int)] = [:]
    /// The greatest index that was acknowledged to a client.
    private var acknowledged: UInt64 = 0
    private var reads: [UInt64: UInt64] = [:]
    private var nextToken: UInt64 = 0
    /// What came about, so that a test can see that the simulation is one.
    package private(set) var counts: [String: Int] = [:]

    package init(seed: Int, _ setup: Setup = Setup()) {
        self.setup = setup
        random = SeededRandom(seed)
        order = (1...setup.nodes).map { NodeID(Array("n\($0)".utf8)) }
        let membership = Membership(order.map { Membership.Member($0) })
        for id in order {
            let disk = SimulatedDisk(membership: membership)
            servers[id] = Server(node: start(id, disk), disk: disk, drift: 5 + random.below(40))
        }
    }

    private mutating func start(_ id: NodeID, _ disk: SimulatedDisk) -> RaftNode {
        var node = RaftNode(
            id: id, hard: disk.hard, log: disk.outline, timing: RaftTiming(mostEntries: setup.mostEntries),
            seed: UInt64(random.below(1 << 40)))
        node.broken = setup.broken
        return node
    }

    /// Runs to the end.
    ///
    /// - Throws: ``BrokenRule``.
    package mutating func run() throws {
        while time < setup.ticks + setup.calmTicks {
            time += 1
            if time == setup.ticks { calm() }
            if time < setup.ticks { makeTrouble() }
            for id in order.shuffled(using: &random) { try tick(id) }
            try deliver()
            if time % 7 == 0, time < setup.ticks + setup.calmTicks - setup.quietTicks { try ask() }
        }
        try checkRecovery()
    }

    private mutating func count(_ what: String) { counts[what, default: 0] += 1 }

    // MARK: Faults

    private mutating func happens(every ticks: Int) -> Bool { ticks > 0 && random.below(ticks) == 0 }

    private mutating func anybody() -> NodeID { order[random.below(order.count)] }

    private mutating func makeTrouble() {
        if happens(every: setup.crashEvery) { crash(anybody()) }
        for id in order where servers[id]?.isDown == true && random.below(120) == 0 { restart(id) }
        if happens(every: setup.pauseEvery) { servers[anybody()]?.pause = 20 + random.below(400) }
        if happens(every: setup.cutEvery) { cut() }
        cuts = cuts.filter { $0.value > time }
    }

    /// Cuts one direction, one node off, or the cluster in two.
    private mutating func cut() {
        let end = time + 20 + random.below(500)
        let one = anybody()
        switch random.below(3) {
        case 0: cuts[[one, anybody()]] = end
        case 1:
            for other in order { (cuts[[one, other]], cuts[[other, one]]) = (end, end) }
        default:
            let half = Set(order.filter { _ in random.below(2) == 0 })
            for left in order {
                for right in order where half.contains(left) != half.contains(right) { cuts[[left, right]] = end }
            }
        }
        count("cuts")
    }

    private mutating func crash(_ id: NodeID) {
        guard var server = servers[id], !server.isDown else { return }
        let part = random.below(4)
        server.disk.crash(keeping: part)
        server.isDown = true
        servers[id] = server
        count("crashes")
    }

    private mutating func restart(_ id: NodeID) {
        guard var server = servers[id] else { return }
        server.node = start(id, server.disk)
        server.isDown = false
        server.pause = 0
        server.applied = server.disk.base.index
        server.state = server.disk.baseState
        server.snapshots = [:]
        servers[id] = server
    }

    private mutating func calm() {
        cuts = [:]
        for id in order {
            servers[id]?.pause = 0
            if servers[id]?.isDown == true { restart(id) }
        }
    }

    // MARK: What clients do

    /// Clients speak to whoever leads, as far as it knows.
    private mutating func ask() throws {
        for id in order where servers[id]?.isDown == false && servers[id]?.pause == 0 {
            guard servers[id]?.node.isLeader == true else { continue }
            if let node = servers[id]?.node, node.log.lastIndex < node.commitIndex + 30 {
                try step(id, .propose(count: 1 + random.below(3)))
            }
            nextToken += 1
            reads[nextToken] = acknowledged
            try step(id, .read(token: nextToken))
            guard time < setup.ticks else { continue }
            if happens(every: max(setup.changeEvery / 7, 1)) { try step(id, .change(change(on: id))) }
            if happens(every: max(setup.transferEvery / 7, 1)) { try step(id, .transfer(to: anybody())) }
        }
    }

    private mutating func change(on leader: NodeID) -> Membership.Change {
        let target = anybody()
        let voters = servers[leader]?.node.log.membership.voters.count ?? 0
        switch random.below(4) {
        case 0 where voters > 2: return .remove(target)
        case 1 where voters > 2: return .demote(target)
        case 2: return .addNonVoter(target, address: [])
        default: return .addVoter(target, address: [])
        }
    }

    // MARK: Steps

    private mutating func tick(_ id: NodeID) throws {
        guard var server = servers[id], !server.isDown else { return }
        guard server.pause == 0 else {
            server.pause -= 1
            servers[id] = server
            return
        }
        if time % server.drift == 0 { return }
        try step(id, .tick)
        if let disk = servers[id]?.disk, disk.synced < disk.records.count, random.below(30) == 0 { try sync(id) }
        if happens(every: setup.snapshotEvery) { try takeSnapshot(id) }
    }

    private mutating func takeSnapshot(_ id: NodeID) throws {
        guard var server = servers[id], server.applied > server.disk.base.index else { return }
        let index = server.applied - UInt64(random.below(Int(min(3, server.applied - server.disk.base.index))))
        guard let term = server.node.log.term(at: index) else { return }
        let state = states(upTo: index)
        let membership = server.node.log.membership(at: index)
        let count = Int(index - server.disk.base.index)
        server.disk.records.removeFirst(count)
        server.disk.synced = max(server.disk.synced - count, 0)
        server.disk.base = EntryPosition(index: index, term: term)
        server.disk.baseMembership = membership
        server.disk.baseState = state
        servers[id] = server
        self.count("snapshots")
        try step(id, .compacted(to: index))
    }

    /// What a state machine holds when everything up to an index is applied.
    private func states(upTo index: UInt64) -> [Int] {
        guard index > 0 else { return [] }
        return (1...index).compactMap { place in
            if case .value(let value) = committed[place]?.content { value } else { nil }
        }
    }

    private mutating func step(
        _ id: NodeID, _ input: RaftInput, _ records: [SimulatedDisk.Record] = [], state: [Int] = []
    )
        throws
    {
        guard let before = servers[id], !before.isDown else { return }
        var node = before.node
        let outputs = node.step(input)
        servers[id]?.node = node
        var isProposal = false
        if case .propose = input { isProposal = true }
        if node.isLeader { try checkLeader(node) }
        try carryOut(outputs, id, records, state, isProposal)
    }

    private mutating func carryOut(
        _ outputs: [RaftOutput], _ id: NodeID, _ records: [SimulatedDisk.Record], _ state: [Int], _ isProposal: Bool
    ) throws {
        var hasAppended = false
        var mustSync = false
        for output in outputs {
            switch output {
            case .persist(let hard): servers[id]?.disk.hard = hard
            case .truncate(let index): servers[id]?.disk.truncate(from: index)
            case .append(let heads):
                append(heads, id, records, isProposal)
                hasAppended = true
                // A follower answers for what it holds; a leader's own entries may be synced later.
                if servers[id]?.node.isLeader == false { mustSync = true }
            case .send(let message):
                if mustSync { servers[id]?.disk.sync() }
                post(message, id)
            case .commit(let index): try apply(id, upTo: index)
            case .accepted(let range, let term):
                guard isProposal else { continue }
                for index in range {
                    if case .value(let value) = servers[id]?.disk.record(index)?.content {
                        waiting[index] = (term, value)
                    }
                }
            case .readSafe(let token, let index):
                guard let wanted = reads.removeValue(forKey: token) else { continue }
                guard index >= wanted else {
                    throw BrokenRule(description: "a read saw \(index), \(wanted) was acknowledged before it began")
                }
                count("reads")
            case .readRefused(let token): reads[token] = nil
            case .install(let message): try install(message, id, state)
            case .refused: break
            }
        }
        guard hasAppended else { return }
        // Some syncs are late; what is lost in a crash before them was not counted.
        if mustSync || random.below(3) > 0 { try sync(id) }
    }

    private mutating func sync(_ id: NodeID) throws {
        servers[id]?.disk.sync()
        guard let last = servers[id]?.node.log.last else { return }
        try step(id, .persisted(last))
    }

    private mutating func append(
        _ heads: [EntryHead], _ id: NodeID, _ records: [SimulatedDisk.Record], _ isProposal: Bool
    ) {
        // Of a message's entries the last ones are new.
        let given = records.suffix(heads.count)
        for (place, head) in heads.enumerated() {
            let record: SimulatedDisk.Record
            if given.count == heads.count {
                record = given[given.startIndex + place]
            } else if case .membership(let membership) = head.kind {
                record = SimulatedDisk.Record(term: head.term, content: .membership(membership))
            } else if isProposal {
                nextValue += 1
                record = SimulatedDisk.Record(term: head.term, content: .value(nextValue))
            } else {
                record = SimulatedDisk.Record(term: head.term, content: .nothing)
            }
            servers[id]?.disk.records.append(record)
        }
    }

    private mutating func install(_ message: RaftMessage, _ id: NodeID, _ state: [Int]) throws {
        guard case .snapshot(let position, let membership, _) = message.body, var server = servers[id] else { return }
        server.disk.base = position
        server.disk.baseMembership = membership
        server.disk.baseState = state
        server.disk.records = []
        server.disk.synced = 0
        server.applied = position.index
        server.state = state
        servers[id] = server
        count("installs")
        guard state == states(upTo: position.index) else {
            throw BrokenRule(description: "a snapshot at \(position.index) holds something else than was committed")
        }
        try step(id, .snapshotInstalled(message))
    }

    // MARK: The network

    private mutating func post(_ message: RaftMessage, _ id: NodeID) {
        guard let disk = servers[id]?.disk, servers[message.to] != nil else { return }
        var records: [SimulatedDisk.Record] = []
        var state: [Int] = []
        if case .append(_, let entries, _, _) = message.body { records = entries.compactMap { disk.record($0.index) } }
        if case .snapshot = message.body { state = disk.baseState }
        let copies = time < setup.ticks && random.below(1000) < setup.doubled ? 2 : 1
        for _ in 0..<copies {
            if time < setup.ticks, random.below(1000) < setup.lost { continue }
            let due = time + 1 + random.below(setup.delay)
            network.append(Flight(due: due, message: message, records: records, state: state))
        }
    }

    private mutating func deliver() throws {
        let due = network.filter { $0.due <= time }
        network.removeAll { $0.due <= time }
        for flight in due.shuffled(using: &random) {
            let message = flight.message
            guard cuts[[message.from, message.to]] == nil, let server = servers[message.to], !server.isDown,
                server.pause == 0
            else { continue }
            try step(message.to, .message(message), flight.records, state: flight.state)
        }
    }

    // MARK: What must hold

    /// Election safety, and leader completeness: there is one leader in a term, and it holds everything that is committed.
    private mutating func checkLeader(_ node: RaftNode) throws {
        if let other = leaders[node.hard.term], other != node.id {
            throw BrokenRule(description: "\(other) and \(node.id) lead term \(node.hard.term)")
        }
        guard leaders[node.hard.term] == nil else { return }
        leaders[node.hard.term] = node.id
        count("leaders")
        guard let disk = servers[node.id]?.disk, committedUpTo > disk.base.index else { return }
        for index in (disk.base.index + 1)...committedUpTo where disk.record(index) != committed[index] {
            throw BrokenRule(
                description: "\(node.id) leads term \(node.hard.term) without what is committed at \(index)")
        }
    }

    /// State-machine safety, and with it log matching of everything committed: all apply the same at each index.
    private mutating func apply(_ id: NodeID, upTo index: UInt64) throws {
        guard var server = servers[id], index > server.applied else { return }
        for place in (server.applied + 1)...index {
            guard let record = server.disk.record(place) else {
                throw BrokenRule(description: "\(id) is told to apply \(place), which it does not hold")
            }
            if let earlier = committed[place], earlier != record {
                throw BrokenRule(description: "\(id) applies something else at \(place) than was committed")
            }
            committed[place] = record
            if case .value(let value) = record.content { server.state.append(value) }
            committedUpTo = max(committedUpTo, place)
            // The client of the leader that took the proposal hears of it.
            if let proposal = waiting[place], proposal.term == record.term, server.node.isLeader {
                guard record.content == .value(proposal.value) else {
                    throw BrokenRule(description: "another value is acknowledged at \(place) than was proposed")
                }
                acknowledged = max(acknowledged, place)
                waiting[place] = nil
                count("acknowledged")
            }
        }
        server.applied = index
        servers[id] = server
    }

    /// Liveness: once faults stop there is a leader, and all its members come to hold and apply everything that it holds.
    private mutating func checkRecovery() throws {
        let leading = order.compactMap { servers[$0] }.filter(\.node.isLeader).max {
            $0.node.hard.term < $1.node.hard.term
        }
        guard let leader = leading else { throw BrokenRule(description: "nobody leads after the faults have ended") }
        guard leader.node.commitIndex == leader.node.log.lastIndex else {
            throw BrokenRule(description: "what is proposed is not committed after the faults have ended")
        }
        for member in leader.node.log.membership.members {
            guard let server = servers[member.id], server.applied == leader.applied else {
                throw BrokenRule(description: "\(member.id) does not catch up after the faults have ended")
            }
            guard server.state == states(upTo: server.applied) else {
                throw BrokenRule(description: "\(member.id) holds another state than was committed")
            }
        }
    }
}
