import Synchronization

/// Things that are costly to make, kept while nobody uses them. The last one put back is the first one taken.
final class Pool<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    private let capacity: Int

    /// - Parameter capacity: How many are kept at most.
    init(capacity: Int) {
        self.capacity = capacity
    }

    func take() -> Element? {
        elements.withLock { $0.popLast() }
    }

    func removeAll() {
        let idle = elements.withLock { elements in
            defer { elements = [] }
            return elements
        }
        // Freed outside the lock.
        withExtendedLifetime(idle) {}
    }

    func put(_ element: Element) {
        elements.withLock { if $0.count < capacity { $0.append(element) } }
    }
}
