/// A queue between two stages that holds a bounded number of elements: a slow consumer stops its producer.
package final class BoundedQueue<Element>: Sendable {
    private struct State {
        /// Taken elements are `nil` until the array is compacted, so that nothing keeps them alive.
        var elements: [Element?] = []
        var head = 0
        var isClosed = false

        var count: Int { elements.count - head }

        mutating func takeFirst() -> Element? {
            guard head < elements.count else { return nil }
            let element = elements[head]
            elements[head] = nil
            head += 1
            if head == elements.count {
                elements.removeAll(keepingCapacity: true)
                head = 0
            } else if head > 64 {
                elements.removeFirst(head)
                head = 0
            }
            return element
        }
    }

    private let monitor = Monitor(State(), conditions: 2)
    private let capacity: Int

    package init(capacity: Int) {
        self.capacity = max(capacity, 1)
    }

    /// Adds an element, waiting for room.
    ///
    /// - Returns: `false` if the queue was closed; the element is dropped.
    @discardableResult
    package func push(_ element: Element) -> Bool {
        monitor.wait(on: Waiting.forRoom) { state in
            if state.isClosed { return (false, wakes: nil) }
            guard state.count < capacity else { return nil }
            state.elements.append(element)
            return (true, wakes: Waiting.forElement)
        }
    }

    /// Takes the oldest element, waiting for one; `nil` once the queue is closed and drained.
    package func pop() -> Element? {
        monitor.wait(on: Waiting.forElement) { state -> (Element?, wakes: Int?)? in
            if let element = state.takeFirst() { return (element, wakes: Waiting.forRoom) }
            return state.isClosed ? (nil, wakes: nil) : nil
        }
    }

    /// No more elements will come: consumers drain what is there and then get `nil`.
    package func close() {
        monitor.change { $0.isClosed = true }
    }
}

/// Conditions of the monitor.
private enum Waiting {
    static let forElement = 0
    static let forRoom = 1
}
