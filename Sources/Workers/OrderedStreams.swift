/// Does numbered works side by side, each of which gives a sequence of elements, and hands all elements on in the order
/// of the works: the ranges of keys of a store, read by several threads.
///
/// At most `ahead` elements and a few of the work whose turn it is wait to be taken, so memory is bounded and a slow
/// consumer stops the works.
package final class OrderedStreams<Element>: Sendable {
    private struct State {
        /// Elements that wait, by work.
        var queues: [Int: [Element]] = [:]
        var waiting = 0
        /// How works ended whose elements are not all taken yet.
        var ends: [Int: (any Error)?] = [:]
        /// The next work to begin.
        var begun = 0
        /// The work whose elements are being taken.
        var turn = 0
        var isStopped = false
    }

    /// Elements of the work in turn that may wait even if others have filled the room.
    private static var aheadInTurn: Int { 2 }

    private let monitor = Monitor(State(), conditions: 2)
    private let works: Int
    private let ahead: Int
    private let threads: Monitor<[WorkerThread]>

    /// Starts the works.
    ///
    /// - Parameters:
    ///   - works: How many there are; they are numbered from 0.
    ///   - threads: How many are done at a time, if the system gives so many threads.
    ///   - ahead: Elements that may wait to be taken.
    ///   - work: Called on the works' threads with the work's number and a function that takes one element after the other;
    ///     once that returns `false` the work is to end. What it throws comes out of ``next()`` behind its elements.
    /// - Throws: If the system gives not even one thread.
    package init(
        works: Int, threads count: Int, ahead: Int, _ work: @escaping @Sendable (Int, (Element) -> Bool) throws -> Void
    ) throws(ThreadFailure) {
        self.works = works
        self.ahead = ahead
        threads = Monitor([])
        let (monitor, ahead) = (monitor, ahead)
        guard works > 0 else { return }
        let started = try startThreads(min(max(count, 1), works)) {
            while let number = Self.begin(monitor, works) {
                var failure: (any Error)?
                do {
                    try work(number) { Self.push($0, of: number, monitor, ahead) }
                } catch {
                    failure = error
                }
                monitor.changeWaking { state in
                    state.ends[number] = .some(failure)
                    return ((), wakes: number == state.turn ? Waiting.forElement : nil)
                }
            }
        }
        threads.change { $0 = started }
    }

    private static func begin(_ monitor: Monitor<State>, _ works: Int) -> Int? {
        monitor.read { state in
            guard !state.isStopped, state.begun < works else { return nil }
            state.begun += 1
            return state.begun - 1
        }
    }

    private static func push(_ element: Element, of number: Int, _ monitor: Monitor<State>, _ ahead: Int) -> Bool {
        monitor.wait(on: Waiting.forRoom) { state in
            if state.isStopped { return (false, wakes: nil) }
            let own = state.queues[number]?.count ?? 0
            // The work in turn always gets on, or all would wait for each other.
            guard state.waiting < ahead || number == state.turn && own < aheadInTurn else { return nil }
            state.queues[number, default: []].append(element)
            state.waiting += 1
            return (true, wakes: number == state.turn ? Waiting.forElement : nil)
        }
    }

    /// The next element in the order of the works, waiting for it; `nil` at the end or after ``stop()``.
    ///
    /// - Throws: What a work threw, in its turn; then nothing more comes.
    package func next() throws -> Element? {
        while true {
            let step = monitor.wait(on: Waiting.forElement) { [works] state in
                Self.step(&state, works).map { ($0, wakes: nil) }
            }
            // Whichever work may go on now, of several that wait for room or for their turn.
            monitor.change { _ in }
            switch step {
            case .element(let element): return element
            case .turn: continue
            case .end(let error):
                if let error { throw error }
                return nil
            }
        }
    }

    private enum Step {
        case element(Element)
        /// It is another work's turn.
        case turn
        case end((any Error)?)
    }

    /// What the consumer can do now; `nil` if it has to wait.
    private static func step(_ state: inout State, _ works: Int) -> Step? {
        guard !state.isStopped, state.turn < works else { return .end(nil) }
        if let element = state.queues[state.turn]?.first {
            state.queues[state.turn]?.removeFirst()
            state.waiting -= 1
            return .element(element)
        }
        guard let end = state.ends.removeValue(forKey: state.turn) else { return nil }
        state.queues[state.turn] = nil
        state.turn += 1
        guard let error = end else { return .turn }
        state.isStopped = true
        return .end(error)
    }

    /// Drops everything that waits, ends the works as soon as they give their next element, and waits for their threads.
    /// May be repeated.
    package func stop() {
        monitor.change { state in
            state.isStopped = true
            state.queues = [:]
        }
        let running = threads.change { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
    }
}

/// Conditions of the monitor.
private enum Waiting {
    static let forElement = 0
    static let forRoom = 1
}
