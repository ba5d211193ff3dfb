internal import Synchronization

/// What a run is doing.
package enum ProgressPhase: UInt8, Sendable, CaseIterable, AtomicRepresentable {
    case preflight, reading, copying, syncing, comparing, finishing

    /// The word in progress lines and events.
    package var name: String {
        switch self {
        case .preflight: "preflight"
        case .reading: "reading"
        case .copying: "copying"
        case .syncing: "syncing"
        case .comparing: "comparing"
        case .finishing: "finishing"
        }
    }
}

/// How far a run has come, counted by its workers and read by a display. Counting takes no lock; count whole batches.
package final class ProgressCounters: Sendable {
    private let entries = Atomic<Int>(0)
    private let bytes = Atomic<Int>(0)
    private let skipped = Atomic<Int>(0)
    private let retries = Atomic<Int>(0)
    /// Negative while unknown.
    private let expectedEntries = Atomic<Int>(-1)
    private let expectedBytes = Atomic<Int>(-1)
    private let phase = Atomic<ProgressPhase>(.preflight)
    private let beginning = Mutex(Beginning())
    private let prefix = Mutex<[UInt8]>([])
    private let services = Mutex<(@Sendable () -> ServiceTrouble)?>(nil)
    /// How the run went so far.
    package let history = ProgressHistory()

    package init() {}

    /// What was counted already when the phase began, and when that was.
    private struct Beginning {
        var time = ContinuousClock.now
        var entries = 0
        var bytes = 0
    }

    /// What services made a run do again.
    package struct ServiceTrouble: Sendable, Equatable {
        /// Requests made again, throttled ones included.
        package var retries: Int
        package var throttles: Int

        package init(retries: Int, throttles: Int) {
            self.retries = retries
            self.throttles = throttles
        }
    }

    /// Asks `count` for the retries of services whenever somebody looks.
    package func follow(_ count: (@Sendable () -> ServiceTrouble)?) { services.withLock { $0 = count } }

    /// Counts entries that are done, and the bytes of their keys and values.
    package func add(entries count: Int, bytes byteCount: Int) {
        entries.wrappingAdd(count, ordering: .relaxed)
        bytes.wrappingAdd(byteCount, ordering: .relaxed)
    }

    /// Counts entries that are left out on purpose.
    package func addSkipped(_ count: Int = 1) { skipped.wrappingAdd(count, ordering: .relaxed) }

    /// Counts operations that are tried again.
    package func addRetries(_ count: Int = 1) { retries.wrappingAdd(count, ordering: .relaxed) }

    /// Says how much there is to do; `nil` where it is not known.
    package func expect(entries: Int?, bytes: Int? = nil) {
        expectedEntries.store(entries ?? -1, ordering: .relaxed)
        expectedBytes.store(bytes ?? -1, ordering: .relaxed)
    }

    /// Goes over to another phase; the counts go on.
    package func enter(_ phase: ProgressPhase) {
        end()
        begin(phase, entries: entries.load(ordering: .relaxed), bytes: bytes.load(ordering: .relaxed))
    }

    private func begin(_ phase: ProgressPhase, entries: Int, bytes: Int) {
        beginning.withLock { beginning in
            beginning = Beginning(entries: entries, bytes: bytes)
            self.phase.store(phase, ordering: .relaxed)
        }
        sample(isBoundary: true)
    }

    private func end() {
        let last = snapshot()
        history.record(last, isBoundary: true)
        history.end(last)
    }

    /// The samples so far, oldest first, and what each phase has done.
    package var course: (samples: [ProgressHistory.Sample], phases: [ProgressHistory.PhaseSum]) {
        (history.samples, history.sums(adding: snapshot()))
    }

    /// Adds the counts to the history, if it is time.
    func sample(isBoundary: Bool) { history.record(snapshot(), isBoundary: isBoundary) }

    /// Goes over to a phase that counts entries and bytes anew; skipped ones and retries go on.
    ///
    /// - Parameter done: Entries and bytes that an earlier run has done: they count, but not for the rate.
    package func restart(
        _ phase: ProgressPhase, expectedEntries: Int? = nil, expectedBytes: Int? = nil,
        done: (entries: Int, bytes: Int) = (0, 0)
    ) {
        end()
        entries.store(done.entries, ordering: .relaxed)
        bytes.store(done.bytes, ordering: .relaxed)
        begin(phase, entries: done.entries, bytes: done.bytes)
        expect(entries: expectedEntries, bytes: expectedBytes)
    }

    /// Names the place in the key space that is worked on. Takes a lock: once per batch.
    package func setPrefix(_ bytes: [UInt8]) { prefix.withLock { $0 = bytes } }

    /// The counts now; not one instant's, as workers go on counting meanwhile.
    package func snapshot() -> ProgressSnapshot {
        func known(_ count: Int) -> Int? { count < 0 ? nil : count }
        let trouble = services.withLock { $0 }?() ?? ServiceTrouble(retries: 0, throttles: 0)
        let (beginning, phase) = beginning.withLock { ($0, self.phase.load(ordering: .relaxed)) }
        return ProgressSnapshot(
            phase: phase, phaseTime: ContinuousClock.now - beginning.time,
            phaseEntries: entries.load(ordering: .relaxed) - beginning.entries,
            phaseBytes: bytes.load(ordering: .relaxed) - beginning.bytes,
            entries: entries.load(ordering: .relaxed), bytes: bytes.load(ordering: .relaxed),
            expectedEntries: known(expectedEntries.load(ordering: .relaxed)),
            expectedBytes: known(expectedBytes.load(ordering: .relaxed)),
            skipped: skipped.load(ordering: .relaxed), retries: retries.load(ordering: .relaxed) + trouble.retries,
            throttles: trouble.throttles,
            prefix: prefix.withLock { $0 })
    }
}

/// The counts at one time.
package struct ProgressSnapshot: Sendable, Equatable {
    package var phase: ProgressPhase
    /// Since the phase began.
    package var phaseTime: Duration
    /// Done since the phase began.
    package var phaseEntries: Int
    package var phaseBytes: Int
    package var entries: Int
    package var bytes: Int
    /// `nil` while unknown.
    package var expectedEntries: Int?
    /// `nil` while unknown.
    package var expectedBytes: Int?
    package var skipped: Int
    package var retries: Int
    /// Retries because a service refused the rate.
    package var throttles: Int
    /// Raw bytes of a key prefix.
    package var prefix: [UInt8]

    package init(
        phase: ProgressPhase, phaseTime: Duration = .zero, phaseEntries: Int = 0, phaseBytes: Int = 0,
        entries: Int = 0, bytes: Int = 0, expectedEntries: Int? = nil, expectedBytes: Int? = nil,
        skipped: Int = 0, retries: Int = 0, throttles: Int = 0, prefix: [UInt8] = []
    ) {
        self.phase = phase
        self.phaseTime = phaseTime
        self.phaseEntries = phaseEntries
        self.phaseBytes = phaseBytes
        self.entries = entries
        self.bytes = bytes
        self.expectedEntries = expectedEntries
        self.expectedBytes = expectedBytes
        self.skipped = skipped
        self.retries = retries
        self.throttles = throttles
        self.prefix = prefix
    }
}
