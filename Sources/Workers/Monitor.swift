import Glibc

/// A value behind a mutex with condition variables: what `Synchronization.Mutex` lacks for queues.
///
/// Threads wait on one of several numbered conditions, so that a change can wake just those it concerns: waking every
/// thread for every batch costs more than the batch's own work.
// Unchecked: the state is only touched while the mutex is held.
package final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let conditions: UnsafeMutablePointer<pthread_cond_t>
    private let conditionCount: Int
    private var state: State

    /// - Parameter conditions: How many conditions there are; they are numbered from 0.
    package init(_ state: State, conditions count: Int = 1) {
        self.state = state
        mutex = .allocate(capacity: 1)
        conditions = .allocate(capacity: count)
        conditionCount = count
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Deadlines do not move when somebody sets the clock.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        for index in 0..<count { pthread_cond_init(conditions + index, &attributes) }
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        for index in 0..<conditionCount { pthread_cond_destroy(conditions + index) }
        pthread_mutex_destroy(mutex)
        conditions.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` alone with the state, and wakes everyone who waits for anything.
    package func change<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer {
            wakeAll()
            pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Runs `body` alone with the state, waking nobody.
    package func read<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Runs `body` alone with the state and wakes one thread that waits on the condition it names, if it names one.
    package func changeWaking<Result>(_ body: (inout State) -> (Result, wakes: Int?)) -> Result {
        pthread_mutex_lock(mutex)
        let (result, condition) = body(&state)
        if let condition { pthread_cond_signal(conditions + condition) }
        pthread_mutex_unlock(mutex)
        return result
    }

    /// Waits on a condition until `body` returns a result, asking it again whenever the condition is signalled; then
    /// wakes one thread that waits on the condition named beside the result, if one is named.
    package func wait<Result>(on condition: Int = 0, for body: (inout State) -> (Result, wakes: Int?)?) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let (result, woken) = body(&state) {
                if let woken { pthread_cond_signal(conditions + woken) }
                return result
            }
            pthread_cond_wait(conditions + condition, mutex)
        }
    }

    /// Waits as ``wait(on:for:)`` does, but not beyond a deadline.
    ///
    /// - Returns: `nil` if `body` has returned nothing by then.
    package func wait<Result>(
        on condition: Int = 0, until deadline: ContinuousClock.Instant, for body: (inout State) -> Result?
    ) -> Result? {
        var limit = timespec()
        clock_gettime(CLOCK_MONOTONIC, &limit)
        let left = max(deadline - .now, .zero).components
        limit.tv_sec += Int(left.seconds)
        limit.tv_nsec += Int(left.attoseconds / 1_000_000_000)
        if limit.tv_nsec >= 1_000_000_000 {
            limit.tv_sec += 1
            limit.tv_nsec -= 1_000_000_000
        }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            if pthread_cond_timedwait(conditions + condition, mutex, &limit) == ETIMEDOUT { return body(&state) }
        }
    }

    private func wakeAll() {
        for index in 0..<conditionCount { pthread_cond_broadcast(conditions + index) }
    }
}
