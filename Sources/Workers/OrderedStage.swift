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

    private let monitor = Monitor(State(), conditions: 3)
    private let window: Int
    private let threads: Monitor<[WorkerThread]>

    /// - Parameters:
    ///   - workers: Threads that transform, if the system gives so many.
    ///   - window: Elements under way at most; at least `workers`.
    ///   - transform: Called on the workers' threads; its error comes out of ``next()`` in its turn.
    /// - Throws: If the system gives not even one thread.
    package init(
        workers: Int, window: Int, _ transform: @escaping @Sendable (Input) throws -> Output
    ) throws(ThreadFailure) {
        self.window = max(window, workers, 1)
        self.threads = Monitor([])
        let monitor = monitor
        let started = try startThreads(workers) {
            while let (number, input) = Self.take(from: monitor) {
                let result = Result { try transform(input) }
                monitor.changeWaking { state in
                    state.done[number] = result
                    // The consumer waits for one number only; any other result can stay where it is.
                    return ((), wakes: number == state.delivered ? Waiting.forResult : nil)
                }
            }
        }
        threads.change { $0 = started }
    }

    private static func take(from monitor: Monitor<State>) -> (Int, Input)? {
        monitor.wait(on: Waiting.forWork) { state -> ((Int, Input)?, wakes: Int?)? in
            if state.isStopped { return (nil, wakes: nil) }
            if !state.waiting.isEmpty { return (state.waiting.removeFirst(), wakes: nil) }
            return state.isFinished ? (nil, wakes: nil) : nil
        }
    }

    /// Adds an element, waiting while `window` elements are under way.
    ///
    /// - Returns: `false` if the stage was stopped.
    package func submit(_ input: Input) -> Bool {
        monitor.wait(on: Waiting.forRoom) { state in
            if state.isStopped { return (false, wakes: nil) }
            guard state.submitted - state.delivered < window else { return nil }
            state.waiting.append((state.submitted, input))
            state.submitted += 1
            return (true, wakes: Waiting.forWork)
        }
    }

    /// No more elements will come.
    package func finish() {
        monitor.change { $0.isFinished = true }
    }

    /// The next result in order of submission, waiting for it; `nil` at the end or after ``stop()``.
    package func next() throws -> Output? {
        let result = monitor.wait(on: Waiting.forResult) { state -> (Result<Output, any Error>?, wakes: Int?)? in
            if state.isStopped { return (nil, wakes: nil) }
            if let result = state.done.removeValue(forKey: state.delivered) {
                state.delivered += 1
                return (result, wakes: Waiting.forRoom)
            }
            return state.isFinished && state.delivered == state.submitted ? (nil, wakes: nil) : nil
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

/// Conditions of the monitor.
private enum Waiting {
    static let forWork = 0
    static let forResult = 1
    static let forRoom = 2
}
