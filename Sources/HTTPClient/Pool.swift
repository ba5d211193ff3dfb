import Glibc

/// Things that are costly to make, kept while nobody uses them. The last one put back is the first one taken.
// Unchecked: the array is only touched while the mutex is held.
final class Pool<Element: Sendable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let capacity: Int
    private var elements: [Element] = []

    /// - Parameter capacity: How many are kept at most.
    init(capacity: Int) {
        self.capacity = capacity
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func take() -> Element? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return elements.popLast()
    }

    func put(_ element: Element) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if elements.count < capacity { elements.append(element) }
    }
}
