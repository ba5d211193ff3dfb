import Digest
import Glibc
package import RaftCore
package import RaftFormat
import Sockets
import Synchronization
package import Telemetry
import Workers

/// A node of the Raft log store: the core with a disk, a network and a clock.
///
/// One thread steps the core and never waits for the network; the log, the state machine and every connection have threads of
/// their own. All calls block and may be made from any thread.
package final class ClusterNode: Sendable {
    package let id: NodeID
    package let options: NodeOptions
    let parts: NodeParts
    let links: LinkContext
    let acceptor: Acceptor
    private let threads = Mutex<[WorkerThread]>([])

    /// Opens a node's folder, or makes one, and listens; ``start()`` lets it take part.
    ///
    /// - Parameter failed: Called if the node cannot go on, such as on a full disk; it takes no part from then on.
    /// - Throws: ``ClusterError``.
    package init(
        _ options: NodeOptions, logger: Logger, failed: @escaping @Sendable (ClusterError) -> Void
    ) throws(ClusterError) {
        self.options = options
        let folder = try NodeFolder(
            path: options.path, id: options.id, address: "\(options.address)", bootstraps: options.bootstraps)
        id = folder.id
        let events = Monitor<[NodeEvent]>([])
        let post: @Sendable (NodeEvent) -> Void = { event in events.change { $0.append(event) } }
        let parts = Self.parts(options, folder, events, post, logger, failed)
        self.parts = parts
        let header = WireHeader(id: folder.id.bytes, address: Array("\(options.address)".utf8))
        let budget = ByteBudget(192 << 20)
        let (cache, log, applier) = (parts.cache, parts.log, parts.applier)
        links = LinkContext(
            header: header, id: folder.id, tls: options.tls, serverName: options.serverName, budget: budget,
            logger: logger, post: post,
            entries: { range in
                if let held = cache.entries(range, bytes: .max) { return held }
                return try? log.entries(from: range.lowerBound, to: range.upperBound, bytes: .max)
            }, state: { applier.current })
        do throws(SocketError) {
            acceptor = try Acceptor(
                options.listenAddress,
                Acceptor.Service(
                    header: header, id: folder.id, tls: options.tls, budget: budget, logger: logger, post: post,
                    member: { address in
                        parts.view.value.membership.members.first { $0.address == address }?.id
                    },
                    describe: { asking, index in
                        // The leader compares what a node has told it; nobody else has a say.
                        if index > 0, parts.proofs.proof?.index == index, parts.view.value.leader == asking {
                            parts.quarantine.impose(index)
                        }
                        return parts.description(header)
                    }, newReceiver: { () throws(ClusterError) in try folder.newReceiver() }))
        } catch {
            folder.close()
            throw ClusterError(.configuration, "\(error). Correct the cluster address, or stop what uses it.")
        }
    }

    private static func parts(
        _ options: NodeOptions, _ folder: NodeFolder, _ events: Monitor<[NodeEvent]>,
        _ post: @escaping @Sendable (NodeEvent) -> Void, _ logger: Logger,
        _ failed: @escaping @Sendable (ClusterError) -> Void
    ) -> NodeParts {
        let (cache, log, proofs) = (EntryCache(), folder.log, ProofKeeper { post(.failed($0)) })
        let applier = Applier(
            folder.state,
            read: { (range, bytes) throws(ClusterError) in
                if let held = cache.entries(range, bytes: bytes) { return held }
                return try log.entries(from: range.lowerBound, to: range.upperBound, bytes: bytes)
            }, applied: { post(.applied($0)) }, prove: { proofs.begin($0) }, failed: { post(.failed($0)) })
        applier.setDurable(folder.found.outline.lastIndex)
        cache.setDurable(folder.found.outline.lastIndex)
        var view = SharedView.View()
        view.membership = folder.found.outline.membership
        view.term = folder.found.hard.term
        return NodeParts(
            options: options, logger: logger, events: events, view: SharedView(view), cache: cache,
            disk: DiskWriter(
                log, syncState: { () throws(ClusterError) in try applier.current.sync() },
                finished: { post(.persisted($0)) }, failed: { post(.failed($0)) }), applier: applier,
            proofs: proofs, quarantine: Quarantine(folder.path, logger), folder: folder, failed: failed)
    }

    /// Lets the node take part.
    package func start() throws(ClusterError) {
        let (parts, links, acceptor, options) = (parts, links, acceptor, options)
        let id = id
        do {
            let seed = try randomBytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            var bodies: [@Sendable () -> Void] = [{ parts.disk.run() }, { parts.applier.run() }]
            bodies.append {
                let node = RaftNode(
                    id: id, hard: parts.folder.found.hard, log: parts.folder.found.outline, timing: options.timing,
                    seed: seed)
                NodeCore(node, parts, links).run()
            }
            bodies.append { acceptor.run() }
            for body in bodies {
                let thread = try WorkerThread(body)
                threads.withLock { $0.append(thread) }
            }
        } catch {
            throw ClusterError(.io, "\(error)")
        }
    }

    /// Takes the node out in good order: what was acknowledged is durable anyway.
    package func stop() {
        parts.events.change { $0.append(.stop) }
        acceptor.stop()
        parts.disk.drain()
        parts.disk.stop()
        parts.applier.stop()
        parts.proofs.stop()
        for thread in threads.withLock({ $0 }) { thread.join() }
        let isWell = parts.view.value.problem == nil
        if isWell { try? parts.folder.log.setClean(true) }
        parts.applier.current.close()
        parts.folder.close()
    }

    private func post(_ event: NodeEvent) { parts.events.change { $0.append(event) } }

    // MARK: What a leader does

    /// Has a command committed; with a condition, also applied. Reads on the leader see it in any case.
    ///
    /// - Throws: `.notLeader`; `.unavailable` if it is not known what became of it.
    package func propose(_ command: [UInt8], timeout: Duration) throws(ClusterError) -> ProposalResult {
        let completion = Completion<ProposalResult>()
        let needsOutcome = try Self.check(command)
        post(.propose(command, needsOutcome: needsOutcome, completion))
        return try completion.wait(timeout)
    }

    /// Looks at a command before it goes into the log.
    ///
    /// - Returns: Whether the answer depends on what comes of it.
    /// - Throws: `.refused` for one that could take no effect.
    private static func check(_ command: [UInt8]) throws(ClusterError) -> Bool {
        var hasCondition = false
        let failure = command.withUnsafeBytes { bytes -> ClusterError? in
            do throws(ClusterError) {
                try LogCommand.read(bytes, damage: { ClusterError(.refused, "The command is damaged: \($0).") }) {
                    operation throws(ClusterError) in
                    switch operation {
                    case .put(let key, _), .delete(let key):
                        guard !key.isEmpty, key.count <= StateKey.longest else {
                            throw ClusterError(
                                .refused,
                                "A key of \(key.count) bytes cannot be kept (1 to \(StateKey.longest) can be).")
                        }
                    case .require: hasCondition = true
                    case .prove: break
                    }
                }
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        return hasCondition
    }

    /// Has commands committed in their order.
    ///
    /// - Throws: As ``propose(_:timeout:)``, for the first that is not known to be applied.
    package func propose(all commands: [[UInt8]], timeout: Duration) throws(ClusterError) -> [ProposalResult] {
        let completions = commands.map { _ in Completion<ProposalResult>() }
        var outcomes: [Bool] = []
        for command in commands { outcomes.append(try Self.check(command)) }
        parts.events.change { [outcomes] events in
            for ((command, needsOutcome), completion) in zip(zip(commands, outcomes), completions) {
                events.append(.propose(command, needsOutcome: needsOutcome, completion))
            }
        }
        var results: [ProposalResult] = []
        for completion in completions { results.append(try completion.wait(timeout)) }
        return results
    }

    /// Changes the membership by one server, and waits until that is committed.
    package func change(_ change: Membership.Change, timeout: Duration) throws(ClusterError) -> ProposalResult {
        let completion = Completion<ProposalResult>()
        post(.change(change, completion))
        return try completion.wait(timeout)
    }

    /// Hands the leadership to a voter.
    package func transfer(to target: NodeID, timeout: Duration) throws(ClusterError) {
        let completion = Completion<Void>()
        post(.transfer(target, completion))
        try completion.wait(timeout)
    }

    /// Makes sure that this node leads, and that everything acknowledged so far can be read here.
    package func confirm(timeout: Duration) throws(ClusterError) {
        let completion = Completion<UInt64>()
        post(.read(completion))
        let index = try completion.wait(timeout)
        guard parts.applier.wait(for: index, timeout) else {
            throw ClusterError(.unavailable, "The entries up to \(index) are not applied yet. Try again in a moment.")
        }
    }

    // MARK: How it stands

    /// What the node says of itself.
    package var description: NodeDescription { parts.description(links.header) }

    /// Members, and the entry that says so.
    package var membership: (Membership, index: UInt64) {
        let view = parts.view.value
        return (view.membership, view.membershipIndex)
    }

    /// The leader, as far as known.
    package var leader: NodeID? { parts.view.value.leader }

    package var isLeader: Bool { parts.view.value.isLeader && parts.view.value.problem == nil }

    /// Connections that were closed for what came on them.
    package var rejectedConnections: Int { acceptor.rejected }

    /// Asks another member how it is.
    ///
    /// - Parameter quarantine: Not 0 tells it that what it held at that entry differs from what the majority held.
    package func describe(_ member: Membership.Member, quarantine: UInt64 = 0) throws(ClusterError) -> NodeDescription {
        guard member.id != id else { return description }
        let dialler = Dialler(
            address: String(decoding: member.address, as: UTF8.self), tls: options.tls, serverName: options.serverName,
            budget: links.budget)
        do {
            let connection = try dialler.connect()
            let answer = try dialler.call(
                .describe(links.header, quarantine: quarantine), as: .describe, on: connection,
                FrameReader(connection, links.budget))
            if case .description(let description) = answer { return description }
            throw ClusterError(.io, "\(member.id) answers with something else.")
        } catch let error as ClusterError {
            throw error
        } catch {
            throw ClusterError(.unavailable, "node \(member.id): \(error)")
        }
    }
}

extension NodeParts {
    func description(_ header: WireHeader) -> NodeDescription {
        let view = view.value
        let applied = applier.current.applied
        var description = NodeDescription(
            id: header.id, address: header.address, apiAddress: Array(options.apiAddress.utf8))
        description.term = view.term
        description.state = Array(view.state.utf8)
        description.lastIndex = view.lastIndex
        description.commitIndex = view.commitIndex
        description.appliedIndex = applied.index
        description.entries = applied.entries
        description.wantsVote = options.wantsVote
        if let proof = proofs.proof {
            description.proofIndex = proof.index
            description.proofEntries = proof.entries
            description.proofDigest = Array(proof.digest.utf8)
        }
        description.problem = Array((quarantine.reason ?? view.problem ?? "").utf8)
        return description
    }
}
