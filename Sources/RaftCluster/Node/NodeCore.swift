import RaftCore
import RaftFormat
import Telemetry
import Workers

/// What the core's thread owns: steps the core and does what it says. Waits for nothing but the installation of a snapshot.
final class NodeCore {
    /// Ticks that are made up for after the thread was kept from running; a pause is no reason to lose patience.
    private static let mostTicks = 10

    private var node: RaftNode
    private let parts: NodeParts
    private let links: LinkContext
    private var peers: [NodeID: PeerLink] = [:]
    private var reads: [UInt64: Completion<UInt64>] = [:]
    private var readNumber: UInt64 = 0
    private var job = DiskWriter.Job()
    /// How often the log was cut at its end: what was written before is no news of what stands there now.
    private var cuts: UInt64 = 0
    private var isInstalling = false
    private var transfers: [(target: NodeID, completion: Completion<Void>)] = []
    private var lastTick = ContinuousClock.now
    private var wasLeader = false
    private var isOut = false

    init(_ node: RaftNode, _ parts: NodeParts, _ links: LinkContext) {
        self.node = node
        self.parts = parts
        self.links = links
    }

    /// Runs until told to stop.
    func run() {
        publish()
        while true {
            let deadline = lastTick + NodeOptions.tick
            let events: [NodeEvent]? = parts.events.wait(until: deadline) { events in
                guard !events.isEmpty else { return nil }
                defer { events = [] }
                return events
            }
            for event in events ?? [] {
                if case .stop = event { return end() }
                handle(event)
            }
            tick()
            flush()
            publish()
        }
    }

    private func tick() {
        let now = ContinuousClock.now
        let passed = Int((now - lastTick) / NodeOptions.tick)
        guard passed > 0 else { return }
        lastTick += NodeOptions.tick * passed
        guard !isOut, parts.quarantine.reason == nil else { return }
        for _ in 0..<min(passed, Self.mostTicks) { step(.tick) }
    }

    private func end() { abandon(ClusterError(.unavailable, "The node is being stopped.")) }

    /// Ends all connections to others, and tells everybody who waits.
    private func abandon(_ error: ClusterError) {
        for peer in peers.values { peer.stop() }
        parts.applier.abandonWaiting(error)
        for read in reads.values { read.complete(.failure(error)) }
        for transfer in transfers { transfer.completion.complete(.failure(error)) }
        (reads, transfers) = ([:], [])
    }

    private func handle(_ event: NodeEvent) {
        if isOut || parts.quarantine.reason != nil { return refuse(event) }
        switch event {
        case .message(let message, let entries, let slot): receive(message, entries, slot)
        case .timeoutNow(let from):
            step(.message(RaftMessage(from: from, to: node.id, term: node.hard.term, .timeoutNow)))
        case .propose(let command, let needsOutcome, let completion):
            propose([command], completion, needsOutcome, .propose(count: 1))
        case .change(let change, let completion): propose([], completion, true, .change(change))
        case .transfer(let target, let completion):
            var isRefused = false
            step(.transfer(to: target)) { if case .refused = $0 { isRefused = true } }
            if isRefused {
                completion.complete(.failure(notNow("The leadership cannot be handed over now.")))
            } else {
                transfers.append((target, completion))
            }
        case .read(let completion):
            readNumber += 1
            reads[readNumber] = completion
            step(.read(token: readNumber))
        case .persisted(let ending):
            guard ending.cuts == cuts else { return }
            parts.cache.setDurable(ending.position.index)
            parts.applier.setDurable(ending.position.index)
            step(.persisted(ending.position))
        case .unanswered(let peer, let sequence): step(.unanswered(peer, sequence: sequence))
        case .snapshotOpened(let peer, let sequence, let last):
            step(.snapshotOpened(peer, sequence: sequence, last: last))
        case .received(let message, let name, let slot): install(message, name, slot)
        case .applied(let index): compact(index)
        case .failed(let error): fail(error)
        case .stop: break
        }
    }

    /// A node that is out of it answers nobody.
    private func refuse(_ event: NodeEvent) {
        let error = ClusterError(
            .unavailable, parts.quarantine.reason ?? parts.view.value.problem ?? "This node takes no part any more.")
        switch event {
        case .message(_, _, let slot): slot?.give(.none)
        case .propose(_, _, let completion), .change(_, let completion): completion.complete(.failure(error))
        case .transfer(_, let completion): completion.complete(.failure(error))
        case .read(let completion): completion.complete(.failure(error))
        case .received(_, _, let slot): slot.give(.none)
        default: break
        }
        guard !isOut else { return }
        // Found out just now.
        isOut = true
        parts.view.setProblem(error.description)
        abandon(error)
    }

    private func fail(_ error: ClusterError) {
        parts.view.setProblem(error.description)
        isOut = true
        abandon(error)
        parts.failed(error)
    }

    private func notNow(_ what: String) -> ClusterError {
        node.isLeader
            ? ClusterError(.unavailable, "\(what) Try again in a moment.")
            : ClusterError(.notLeader(nil), "This node does not lead the cluster.")
    }

    // MARK: Steps

    private func step(_ input: RaftInput, _ extra: (RaftOutput) -> Void = { _ in }) {
        for output in node.step(input) {
            extra(output)
            perform(output, entries: [], answers: nil)
        }
    }

    /// A call is answered by what is sent back to where it came from.
    private func receive(_ message: RaftMessage, _ entries: [WireEntry], _ slot: ReplySlot?) {
        if case .snapshot = message.body, isInstalling {
            slot?.give(.none)
            return
        }
        var isAnswered = slot == nil
        for output in node.step(.message(message)) {
            if let slot, case .send(let answer) = output, answer.to == message.from, let reply = Self.reply(answer) {
                isAnswered = true
                give(.response(reply), to: slot, after: answer.body)
                continue
            }
            if let slot, case .install = output {
                isAnswered = true
                isInstalling = true
                slot.give(.install)
                continue
            }
            perform(output, entries: entries, answers: slot)
        }
        if !isAnswered { slot?.give(.none) }
    }

    /// What an answer says; `nil` for what is a call.
    private static func reply(_ message: RaftMessage) -> ReplySlot.Reply? {
        switch message.body {
        case .appended(let isMatch, let last, _): .init(term: message.term, isPositive: isMatch, last: last)
        case .heartbeatSeen: .init(term: message.term, isPositive: true, last: 0)
        case .preVoted(let isGranted), .voted(let isGranted):
            .init(term: message.term, isPositive: isGranted, last: 0)
        case .snapshotTaken(let isTaken, _): .init(term: message.term, isPositive: isTaken, last: 0)
        default: nil
        }
    }

    /// Answers once everything before is durable. That a leader was heard depends on the term alone.
    private func give(_ answer: ReplySlot.Answer, to slot: ReplySlot, after body: RaftMessage.Body) {
        let waits: Bool
        if case .heartbeatSeen = body {
            waits = job.isHard || parts.disk.awaitsHardState
        } else {
            waits = !job.isEmpty || !parts.disk.isIdle
        }
        if waits {
            job.then.append { slot.give(answer) }
        } else {
            slot.give(answer)
        }
    }

    private func propose(
        _ commands: [[UInt8]], _ completion: Completion<ProposalResult>, _ needsOutcome: Bool, _ input: RaftInput
    ) {
        for output in node.step(input) {
            switch output {
            case .accepted(let range, let term):
                parts.applier.expect(
                    range.upperBound,
                    Applier.Waiting(term: term, needsOutcome: needsOutcome, completion: completion))
            case .refused:
                completion.complete(
                    .failure(
                        node.isLeader && !commands.isEmpty
                            ? notNow("The leadership is being handed over.")
                            : notNow("A change of membership is under way, or this one changes nothing.")))
            case .append(let heads):
                append(zip(heads, commands.map(Optional.some) + [nil]).map { WireEntry($0, data: $1) })
            default: perform(output, entries: [], answers: nil)
            }
        }
    }

    private func append(_ entries: [WireEntry]) {
        guard let last = entries.last else { return }
        parts.cache.append(entries)
        if job.writes.isEmpty { job.writes.append(LogStore.Write()) }
        job.writes[job.writes.count - 1].entries += entries
        job.last = DiskWriter.Ending(position: EntryPosition(index: last.index, term: last.term), cuts: cuts)
    }

    private func perform(_ output: RaftOutput, entries: [WireEntry], answers slot: ReplySlot?) {
        switch output {
        case .persist(let hard):
            var write = LogStore.Write()
            write.hard = hard
            job.writes.append(write)
        case .truncate(let index):
            parts.cache.truncate(from: index)
            parts.applier.truncate(from: index)
            cuts += 1
            job.last = nil
            var write = LogStore.Write()
            write.truncateFrom = index
            job.writes.append(write)
        case .append(let heads):
            append(
                heads.map { head in
                    // A follower keeps what came byte for byte, times included.
                    entries.first { $0.index == head.index } ?? WireEntry(head, data: nil)
                })
        case .send(let message): send(message)
        case .commit(let index):
            parts.applier.acknowledge(upTo: index) { node.log.term(at: $0) }
            parts.applier.setCommitted(index)
        case .readSafe(let token, let index): reads.removeValue(forKey: token)?.complete(.success(index))
        case .readRefused(let token):
            reads.removeValue(forKey: token)?.complete(.failure(notNow("The leadership is not confirmed.")))
        case .accepted, .refused, .install: break
        }
    }

    private func send(_ message: RaftMessage) {
        guard let link = link(to: message.to) else { return }
        let mayLeave: Bool
        switch message.body {
        case .append, .heartbeat, .preVote, .snapshot: mayLeave = !job.isHard && !parts.disk.awaitsHardState
        default: mayLeave = job.isEmpty && parts.disk.isIdle
        }
        if mayLeave {
            link.send(message)
        } else {
            job.then.append { link.send(message) }
        }
    }

    private func flush() {
        guard !job.isEmpty || !job.then.isEmpty else { return }
        parts.disk.add(job)
        job = DiskWriter.Job()
    }

    // MARK: Members

    private func link(to id: NodeID) -> PeerLink? {
        guard let member = node.log.membership.member(id) else { return nil }
        let address = String(decoding: member.address, as: UTF8.self)
        if let link = peers[id] {
            if link.address == address { return link }
            link.stop()
        }
        let link = try? PeerLink(id, address: address, links)
        peers[id] = link
        return link
    }

    private func publish() {
        var view = parts.view.value
        view.term = node.hard.term
        view.isLeader = node.isLeader
        view.isCandidate = node.isCandidate
        view.leader = node.leader
        view.membership = node.log.membership
        view.membershipIndex = node.log.membershipIndex
        view.lastIndex = node.log.lastIndex
        view.baseIndex = node.log.base.index
        view.commitIndex = node.commitIndex
        parts.view.set(view)
        if node.isLeader != wasLeader {
            wasLeader = node.isLeader
            // Whether the next leader commits what was proposed here is nothing to wait for.
            if !wasLeader { parts.applier.abandonWaiting(Self.ledNoMore) }
            parts.logger.info(
                node.isLeader ? "leads the cluster" : "leads no more",
                [
                    "term": .integer(Int(clamping: node.hard.term)),
                    "last_index": .integer(Int(clamping: view.lastIndex)),
                ])
        }
        let members = Set(view.membership.members.map(\.id))
        for id in peers.keys where !members.contains(id) { peers.removeValue(forKey: id)?.stop() }
        settleTransfers()
    }

    private static let ledNoMore = ClusterError(
        .unavailable, "The leadership was lost before the entry was known to be committed; it may still take effect.")

    private func settleTransfers() {
        guard !transfers.isEmpty, !node.isLeader || !node.isTransferring else { return }
        for transfer in transfers {
            if !node.isLeader {
                transfer.completion.complete(.success(()))
            } else {
                transfer.completion.complete(
                    .failure(ClusterError(.unavailable, "Node \(transfer.target) did not take over in time.")))
            }
        }
        transfers = []
    }

    // MARK: Snapshots

    /// The log is cut behind what the state machine holds durably, but for as many entries as followers may still need.
    private func compact(_ applied: UInt64) {
        let base = node.log.base.index
        let options = parts.options
        let isLarge = parts.log.byteCount > options.mostLogBytes
        guard applied > base, isLarge || node.log.lastIndex - base > options.trailingLogs + options.snapshotThreshold
        else { return }
        var kept = options.trailingLogs
        if isLarge {
            let average = max(1, parts.log.byteCount / Int(max(1, node.log.lastIndex - base)))
            kept = min(kept, UInt64(options.mostLogBytes / 4 * 3 / average))
        }
        let last = node.log.lastIndex
        let target = min(applied, last > kept ? last - kept : 0)
        guard target > base else { return }
        step(.compacted(to: target))
        guard node.log.base.index > base else { return }
        flush()
        job.compaction = node.log
        flush()
    }

    /// Puts a snapshot that came in the place of log and state machine.
    private func install(_ message: RaftMessage, _ name: String?, _ slot: ReplySlot) {
        isInstalling = false
        guard let name, case .snapshot(let position, let membership, _) = message.body else { return slot.give(.none) }
        guard position.index > node.commitIndex else {
            parts.folder.discard(name)
            return answerInstalled(message, slot)
        }
        flush()
        parts.disk.drain()
        cuts += 1
        parts.applier.pause()
        do throws(ClusterError) {
            let store = try parts.folder.adopt(name, LogOutline(base: position, membership: membership))
            parts.cache.removeAll(durable: position.index)
            parts.proofs.forget()
            parts.applier.resume(with: store)
            parts.logger.info(
                "a snapshot was installed",
                [
                    "index": .integer(Int(clamping: position.index)),
                    "entries": .integer(Int(clamping: store.applied.entries)),
                ])
        } catch {
            slot.give(.none)
            return fail(error)
        }
        answerInstalled(message, slot)
    }

    private func answerInstalled(_ message: RaftMessage, _ slot: ReplySlot) {
        var isAnswered = false
        for output in node.step(.snapshotInstalled(message)) {
            if case .send(let answer) = output, let reply = Self.reply(answer) {
                slot.give(.response(reply))
                isAnswered = true
            } else {
                perform(output, entries: [], answers: nil)
            }
        }
        if !isAnswered { slot.give(.none) }
    }
}

/// What the core's thread shares with the others.
struct NodeParts: Sendable {
    let options: NodeOptions
    let logger: Logger
    let events: Monitor<[NodeEvent]>
    let view: SharedView
    let cache: EntryCache
    let disk: DiskWriter
    let applier: Applier
    let proofs: ProofKeeper
    let quarantine: Quarantine
    let folder: NodeFolder
    let failed: @Sendable (ClusterError) -> Void

    var log: LogStore { folder.log }
}
