package import RaftCore
package import RaftFormat
import Synchronization
package import Telemetry
package import Workers

extension ClusterNode {
    /// Asks members how they are, all at once.
    package func describeAll(_ members: [Membership.Member]) -> [Result<NodeDescription, ClusterError>] {
        let answers = Mutex<[Int: Result<NodeDescription, ClusterError>]>([:])
        try? withWorkers(members.count) { [self] place in
            let answer: Result<NodeDescription, ClusterError>
            do throws(ClusterError) {
                answer = .success(try describe(members[place]))
            } catch {
                answer = .failure(error)
            }
            answers.withLock { $0[place] = answer }
        }
        let missing = ClusterError(.unavailable, "The node was not asked.")
        return answers.withLock { answers in members.indices.map { answers[$0] ?? .failure(missing) } }
    }

    /// The one of several members that holds most of the log.
    func mostCurrent(of ids: [NodeID]) -> NodeID? {
        let members = membership.0.members.filter { ids.contains($0.id) }
        let answers = zip(members, describeAll(members))
        return answers.max { left, right in
            ((try? left.1.get())?.lastIndex ?? 0) < ((try? right.1.get())?.lastIndex ?? 0)
        }?.0.id
    }
}

/// What a leader does for its cluster besides replicating: gives votes to newcomers that have caught up and want one, and takes
/// out nodes whose entries differ from those of the majority.
package final class ClusterSteward: Sendable {
    private static let interval = Duration.milliseconds(500)

    private struct State {
        var isStopped = false
        /// Since when newcomers have been up to date.
        var steady: [NodeID: ContinuousClock.Instant] = [:]
        /// The proof that is compared, since when, and whether all have been.
        var proofIndex: UInt64 = 0
        var comparedSince = ContinuousClock.now
        var isCompared = false
    }

    /// How long digests of slow nodes are waited for.
    private static let proofPatience = Duration.seconds(600)

    private let node: ClusterNode
    private let logger: Logger
    private let state = Monitor(State())
    private let thread = Mutex<WorkerThread?>(nil)

    /// How long a newcomer must have been up to date before it gets its vote.
    private let steadyTime: Duration

    package init(_ node: ClusterNode, logger: Logger, steadyTime: Duration = .seconds(2)) throws(ThreadFailure) {
        self.node = node
        self.logger = logger
        self.steadyTime = steadyTime
        let started = try WorkerThread { [self] in run() }
        thread.withLock { $0 = started }
    }

    package func stop() {
        state.change { $0.isStopped = true }
        thread.withLock { $0 }?.join()
    }

    private func run() {
        while state.wait(until: .now + Self.interval, for: { $0.isStopped ? true : nil }) == nil {
            guard node.isLeader else {
                state.change { $0.steady = [:] }
                continue
            }
            promote()
            compareProofs()
        }
    }

    private func promote() {
        let newcomers = node.membership.0.members.filter { $0.suffrage == .nonVoter }
        guard !newcomers.isEmpty else { return }
        let commit = node.description.commitIndex
        for (member, answer) in zip(newcomers, node.describeAll(newcomers)) {
            guard let answer = try? answer.get(), answer.wantsVote, answer.problem.isEmpty,
                answer.appliedIndex + 64 >= commit
            else {
                state.change { $0.steady[member.id] = nil }
                continue
            }
            let since = state.change { state in
                let since = state.steady[member.id] ?? .now
                state.steady[member.id] = since
                return since
            }
            guard ContinuousClock.now - since >= steadyTime else { continue }
            do throws(ClusterError) {
                _ = try node.change(.addVoter(member.id, address: member.address), timeout: .seconds(10))
                logger.info("a node has caught up and votes", ["node": .string("\(member.id)")])
            } catch {
                logger.debug("a node was not given its vote", ["error": .string("\(error)")])
            }
            // One change at a time.
            return
        }
    }

    /// Digests behind the same command must be the same; where most voters agree, the others are wrong.
    private func compareProofs() {
        guard let own = node.parts.proofs.proof else { return }
        let isDone = state.change { state in
            if state.proofIndex != own.index {
                (state.proofIndex, state.comparedSince, state.isCompared) = (own.index, .now, false)
            }
            return state.isCompared || ContinuousClock.now - state.comparedSince > Self.proofPatience
        }
        guard !isDone else { return }
        let members = node.membership.0.members
        let proofs = zip(members, node.describeAll(members)).compactMap { member, answer in
            (try? answer.get()).flatMap { answer in
                answer.proofIndex == own.index
                    ? (member, digest: answer.proofDigest + [0] + Array("\(answer.proofEntries)".utf8), answer) : nil
            }
        }
        let voters = proofs.filter { $0.0.suffrage == .voter }
        let counts = Dictionary(grouping: voters, by: \.digest).mapValues(\.count)
        guard let (right, count) = counts.max(by: { $0.value < $1.value }),
            count >= node.membership.0.majority
        else {
            if proofs.count == members.count { state.change { $0.isCompared = true } }
            return
        }
        var isDelivered = proofs.count == members.count
        for (member, digest, answer) in proofs where digest != right && answer.problem.isEmpty {
            logger.error(
                "the entries of a node differ from those of the majority",
                ["node": .string("\(member.id)"), "index": .integer(Int(clamping: own.index))])
            if member.id == node.id {
                node.parts.quarantine.impose(own.index)
            } else {
                let told = try? node.describe(member, quarantine: own.index)
                if told?.problem.isEmpty ?? true { isDelivered = false }
            }
        }
        if isDelivered { state.change { $0.isCompared = true } }
    }
}
