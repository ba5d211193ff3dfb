/// Works on elements in parallel and hands the results on in the order the elements came.
///
/// One thread feeds it with ``submit(_:)``, one takes from it with ``next()``; `workers` threads transform between them.
/// At most `window` elements are under way, so memory is bounded and a slow consumer stops the feeder.
package final class OrderedStage<Input, Output>: Sendable {
    private struct State {
        /// Submitted, not yet taken by a worker.
        var waiting: [(number: Int, input: Input)] = []
        /// Done, not yet taken by the consumer.
        var done: [Int: Result<Output, any Error>] = [:]
        var submitted = 0
        var delivered = 0
        var isFinished = false
        var isStopped = false
    }

    private let monitor = Monitor(State())
    private let window: Int
    private let threads: Monitor<[WorkerThread]>

    /// - Parameters:
    ///   - workers: Threads that transform.
    ///   - window: Elements under way at most; at least `workers`.
    ///   - transform: Called on the workers' threads; its error comes out of ``next()`` in its turn.
    package init(workers: Int, window: Int, _ transform: @escaping @Sendable (Input) throws -> Output) {
        self.window = max(window, workers)
        self.threads = Monitor([])
        let monitor = monitor
        let started = (0..<max(workers, 1)).map { _ in
            WorkerThread {
                while let (number, input) = Self.take(from: monitor) {
                    let result = Result { try transform(input) }
                    monitor.change { $0.done[number] = result }
                }
            }
        }
        threads.change { $0 = started }
    }

    private static func take(from monitor: Monitor<State>) -> (Int, Input)? {
        monitor.waitFor { state -> (Int, Input)?? in
            if state.isStopped { return .some(nil) }
            if !state.waiting.isEmpty { return .some(state.waiting.removeFirst()) }
            return state.isFinished ? .some(nil) : nil
        }
    }

    /// Adds an element, waiting while `window` elements are under way.
    ///
    /// - Returns: `false` if the stage was stopped.
    package func submit(_ input: Input) -> Bool {
        monitor.waitFor { state in
            if state.isStopped { return false }
            guard state.submitted - state.delivered < window else { return nil }
            state.waiting.append((state.submitted, input))
            state.submitted += 1
            return true
        }
    }

    /// No more elements will come.
    package func finish() {
        monitor.change { $0.isFinished = true }
    }

    /// The next result in order of submission, waiting for it; `nil` at the end or after ``stop()``.
    package func next() throws -> Output? {
        let result = monitor.waitFor { state -> Result<Output, any Error>?? in
            if state.isStopped { return .some(nil) }
            if let result = state.done.removeValue(forKey: state.delivered) {
                state.delivered += 1
                return .some(result)
            }
            return state.isFinished && state.delivered == state.submitted ? .some(nil) : nil
        }
        return try result?.get()
    }

    /// Drops everything that waits, wakes both sides and ends the workers. May be repeated, from any thread.
    package func stop() {
        monitor.change { state in
            state.isStopped = true
            state.waiting.removeAll()
            state.done.removeAll()
        }
    }

    /// Waits for the workers to end; after ``finish()`` and a drained stage, or after ``stop()``.
    package func join() {
        let running = threads.change { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
    }
}
