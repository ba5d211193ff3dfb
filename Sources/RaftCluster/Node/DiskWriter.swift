import RaftCore
import RaftFormat
import Workers

/// Writes the log on a thread of its own: what comes while the disk is waited for goes into the next transaction together.
final class DiskWriter: Sendable {
    /// Something to be written, and what may be done once it is durable.
    struct Job: Sendable {
        var writes: [LogStore.Write] = []
        /// The log up to its new base is to go.
        var compaction: LogOutline?
        /// Where the log ends with it, if it has entries.
        var last: Ending?
        var isHard: Bool { writes.contains { $0.hard != nil } }
        var isEmpty: Bool { writes.isEmpty && compaction == nil }
        var then: [@Sendable () -> Void] = []
    }

    /// Where the log ends.
    struct Ending: Sendable {
        let position: EntryPosition
        /// How often it had been cut at its end by then.
        let cuts: UInt64
    }

    private struct State {
        var jobs: [Job] = []
        var isWorking = false
        var isStopped = false
        /// Jobs with a term or a vote that are not durable yet.
        var hardJobs = 0
    }

    private let state = Monitor(State(), conditions: 2)
    private let log: LogStore
    private let syncState: @Sendable () throws(ClusterError) -> Void
    private let finished: @Sendable (Ending) -> Void
    private let failed: @Sendable (ClusterError) -> Void

    /// - Parameter syncState: Brings the state machine to the disk, before the log is cut.
    init(
        _ log: LogStore, syncState: @escaping @Sendable () throws(ClusterError) -> Void,
        finished: @escaping @Sendable (Ending) -> Void,
        failed: @escaping @Sendable (ClusterError) -> Void
    ) {
        self.log = log
        self.syncState = syncState
        self.finished = finished
        self.failed = failed
    }

    /// Whether everything handed in is durable.
    var isIdle: Bool { state.read { $0.jobs.isEmpty && !$0.isWorking } }

    /// Whether a term or a vote is not durable yet.
    var awaitsHardState: Bool { state.read { $0.hardJobs > 0 } }

    func add(_ job: Job) {
        state.change { state in
            state.jobs.append(job)
            if job.isHard { state.hardJobs += 1 }
        }
    }

    /// Waits until everything handed in is durable.
    func drain() {
        state.wait(on: 1) { $0.isStopped || $0.jobs.isEmpty && !$0.isWorking ? ((), wakes: nil) : nil }
    }

    func stop() {
        state.change { $0.isStopped = true }
    }

    /// Runs until ``stop()``, or until the disk refuses.
    func run() {
        while true {
            let jobs: [Job]? = state.wait { state in
                if state.isStopped { return (nil, wakes: nil) }
                guard !state.jobs.isEmpty else { return nil }
                defer { state.jobs = [] }
                state.isWorking = true
                return (state.jobs, wakes: nil)
            }
            guard let jobs else { return }
            do throws(ClusterError) {
                let writes = jobs.flatMap(\.writes)
                if !writes.isEmpty { try log.write(writes) }
                for job in jobs {
                    guard let outline = job.compaction else { continue }
                    // What the log gives up must not be undone by a crash of the machine.
                    try syncState()
                    try log.compact(to: outline)
                }
            } catch {
                stop()
                return failed(error)
            }
            if let last = jobs.last(where: { $0.last != nil })?.last { finished(last) }
            for job in jobs { for action in job.then { action() } }
            state.change { state in
                state.isWorking = false
                state.hardJobs -= jobs.count(where: \.isHard)
            }
        }
    }
}
