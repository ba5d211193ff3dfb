import RaftFormat
import Synchronization
import Workers

/// Applies what is committed and durable on a thread of its own, and answers those who wait for it.
final class Applier: Sendable {
    /// Entries and bytes of one transaction.
    private static let batchEntries: UInt64 = 512
    private static let batchBytes = 4 << 20

    private struct State {
        var committed: UInt64 = 0
        var durable: UInt64 = 0
        var isPaused = false
        var isWorking = false
        var isStopped = false
        var applied: UInt64 = 0
        /// Up to here somebody waits for it.
        var urgent: UInt64 = 0
        var lastAt = ContinuousClock.now
    }

    /// How long entries are gathered that nobody waits for.
    private static let gathering = Duration.milliseconds(10)

    /// A proposal that was taken.
    struct Waiting: Sendable {
        let term: UInt64
        /// Whether the answer depends on what comes of the command; else it is given once the entry is committed.
        let needsOutcome: Bool
        let completion: Completion<ProposalResult>
    }

    private let state: Monitor<State>
    private let waiting = Mutex<[UInt64: Waiting]>([:])
    private let store: Mutex<StateStore>
    private let read: @Sendable (ClosedRange<UInt64>, Int) throws(ClusterError) -> [WireEntry]
    private let applied: @Sendable (UInt64) -> Void
    private let prove: @Sendable (StateStore) -> Void
    private let failed: @Sendable (ClusterError) -> Void

    /// - Parameters:
    ///   - read: Gives entries of the log.
    ///   - applied: Told how far it is, after each transaction.
    ///   - prove: Called when every node is to compute its digest; returns once what it looks at is fixed.
    init(
        _ store: StateStore, read: @escaping @Sendable (ClosedRange<UInt64>, Int) throws(ClusterError) -> [WireEntry],
        applied: @escaping @Sendable (UInt64) -> Void, prove: @escaping @Sendable (StateStore) -> Void,
        failed: @escaping @Sendable (ClusterError) -> Void
    ) {
        self.store = Mutex(store)
        self.read = read
        self.applied = applied
        self.prove = prove
        self.failed = failed
        var state = State()
        state.applied = store.applied.index
        self.state = Monitor(state)
    }

    /// What the entries amount to now; changes with the installation of a snapshot.
    var current: StateStore { store.withLock { $0 } }

    func setCommitted(_ index: UInt64) { state.change { $0.committed = max($0.committed, index) } }

    func setDurable(_ index: UInt64) { state.change { $0.durable = max($0.durable, index) } }

    /// The log ends before an index now.
    func truncate(from index: UInt64) {
        state.change { $0.durable = min($0.durable, index - 1) }
        let lost = waiting.withLock { waiting in
            let lost = waiting.filter { $0.key >= index }
            for key in lost.keys { waiting[key] = nil }
            return lost
        }
        for entry in lost.values { entry.completion.complete(.failure(Self.lost)) }
    }

    private static let lost = ClusterError(
        .unavailable, "The leadership was lost before the entry was committed; it was not.")

    /// Answers once the entry at an index is committed or applied.
    func expect(_ index: UInt64, _ entry: Waiting) {
        waiting.withLock { $0[index] = entry }
        if entry.needsOutcome { state.change { $0.urgent = max($0.urgent, index) } }
    }

    /// Answers those whose answer is known with the commitment.
    ///
    /// - Parameter term: That of the entry at an index; one of another term is another entry.
    func acknowledge(upTo index: UInt64, term: (UInt64) -> UInt64?) {
        let known = waiting.withLock { waiting in
            let known = waiting.filter { $0.key <= index && !$0.value.needsOutcome }
            for key in known.keys { waiting[key] = nil }
            return known
        }
        for (place, entry) in known {
            entry.completion.complete(
                term(place) == entry.term
                    ? .success(ProposalResult(index: place, outcome: .applied)) : .failure(Self.lost))
        }
    }

    /// Whoever waits is told that it is not known what becomes of the entry.
    func abandonWaiting(_ error: ClusterError) {
        let all = waiting.withLock { waiting in
            defer { waiting = [:] }
            return waiting
        }
        for entry in all.values { entry.completion.complete(.failure(error)) }
    }

    /// Waits until everything up to an index is applied.
    ///
    /// - Returns: Whether it came to that in time.
    func wait(for index: UInt64, _ timeout: Duration) -> Bool {
        state.change { $0.urgent = max($0.urgent, index) }
        return state.wait(until: .now + timeout) { $0.applied >= index || $0.isStopped ? $0.applied >= index : nil }
            ?? false
    }

    /// Lets the transaction under way end, and begins no further one until ``resume(with:)``.
    func pause() {
        state.change { $0.isPaused = true }
        state.wait { $0.isWorking ? nil : ((), wakes: nil) }
    }

    /// Goes on, with another state machine if one is given.
    func resume(with store: StateStore?) {
        if let store {
            let old = self.store.withLock { held in
                defer { held = store }
                return held
            }
            // Closing waits for whoever still reads it.
            _ = try? WorkerThread { old.close() }
        }
        let index = current.applied.index
        state.change { state in
            state.isPaused = false
            state.applied = index
            state.committed = max(state.committed, index)
            state.durable = max(state.durable, index)
        }
    }

    func stop() { state.change { $0.isStopped = true } }

    /// Runs until ``stop()``, or until something cannot be applied.
    func run() {
        while true {
            guard let range = nextRange() else { return }
            do throws(ClusterError) {
                try apply(range)
            } catch {
                state.change { state in
                    state.isWorking = false
                    state.isStopped = true
                }
                return failed(error)
            }
        }
    }

    /// - Returns: What is to be applied next; `nil` once stopped.
    private func nextRange() -> ClosedRange<UInt64>? {
        while true {
            // Nothing may be applied, or only what nobody waits for: then a little more of it may come.
            var deadline: ContinuousClock.Instant?
            let range: ClosedRange<UInt64>?? = state.read { state in
                if state.isStopped { return .some(nil) }
                let end = min(state.committed, state.durable)
                guard !state.isPaused, end > state.applied else { return nil }
                let due = state.lastAt + Self.gathering
                guard state.urgent > state.applied || ContinuousClock.now >= due else {
                    deadline = due
                    return nil
                }
                state.isWorking = true
                return .some(state.applied + 1...min(end, state.applied + Self.batchEntries))
            }
            if let range { return range }
            let before = state.read { ($0.committed, $0.durable, $0.isPaused, $0.urgent) }
            if let deadline {
                _ = state.wait(until: deadline) { state in
                    state.isStopped || state.isPaused || state.urgent != before.3 ? true : nil
                }
            } else {
                state.wait { state in
                    state.isStopped || (state.committed, state.durable, state.isPaused, state.urgent) != before
                        || (!state.isPaused && min(state.committed, state.durable) > state.applied)
                        ? ((), wakes: nil) : nil
                }
            }
        }
    }

    private func apply(_ range: ClosedRange<UInt64>) throws(ClusterError) {
        var entries = try read(range, Self.batchBytes)
        guard entries.first?.index == range.lowerBound else {
            throw ClusterError(
                .damaged, "Entry \(range.lowerBound) is committed and not in the log of this node.")
        }
        let store = current
        // Every node looks at its entries behind the very same command.
        let cut = entries.firstIndex(where: Self.asksForProof)
        if let cut { entries.removeLast(entries.count - cut - 1) }
        let outcomes = try store.apply(entries)
        let last = entries.last?.index ?? range.lowerBound
        if cut != nil { prove(store) }
        let answers = waiting.withLock { waiting in
            zip(entries, outcomes).compactMap { entry, outcome in
                waiting.removeValue(forKey: entry.index).map { ($0, entry, outcome) }
            }
        }
        state.change { state in
            state.isWorking = false
            state.applied = last
            state.lastAt = .now
        }
        for (waiting, entry, outcome) in answers {
            waiting.completion.complete(
                waiting.term == entry.term
                    ? .success(ProposalResult(index: entry.index, outcome: outcome)) : .failure(Self.lost))
        }
        applied(last)
    }

    private static func asksForProof(_ entry: WireEntry) -> Bool {
        guard entry.type == EntryType.command, let data = entry.data, data.count <= 64 else { return false }
        var isAsked = false
        data.withUnsafeBytes { data in
            _ = try? LogCommand.read(data, damage: { $0 }) { operation throws(RaftFormatError) in
                if case .prove = operation { isAsked = true }
            }
        }
        return isAsked
    }
}

/// What became of a proposal.
package struct ProposalResult: Sendable {
    /// Its place in the log.
    package let index: UInt64
    package let outcome: CommandOutcome
}
