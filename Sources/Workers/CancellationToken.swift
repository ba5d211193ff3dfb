import Synchronization

/// Tells every stage of a run to stop: asked in loops, and able to wake those that wait.
package final class CancellationToken: Sendable {
    private let flag = Atomic<Bool>(false)
    private let wakers = Mutex<[@Sendable () -> Void]>([])

    package init() {}

    /// Whether the run is to stop. Costs one load.
    package var isCancelled: Bool { flag.load(ordering: .acquiring) }

    /// Stops the run. Repeated calls do nothing.
    package func cancel() {
        guard !flag.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let waiting = wakers.withLock { wakers in
            defer { wakers = [] }
            return wakers
        }
        for wake in waiting { wake() }
    }

    /// Calls `wake` once when the run is stopped, at once if it is already.
    package func onCancel(_ wake: @escaping @Sendable () -> Void) {
        wakers.withLock { $0.append(wake) }
        guard isCancelled else { return }
        let waiting = wakers.withLock { wakers in
            defer { wakers = [] }
            return wakers
        }
        for wake in waiting { wake() }
    }
}
