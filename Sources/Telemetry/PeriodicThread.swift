internal import Glibc
internal import Synchronization

/// A system thread that runs a body at an interval until it is stopped.
final class PeriodicThread: Sendable {
    private let alarm: StopAlarm
    private let handle: Mutex<pthread_t?>

    /// Starts the thread; the body runs first after one interval. If the system gives no further thread, nothing runs.
    init(every interval: Duration, _ body: @escaping @Sendable () -> Void) {
        let alarm = StopAlarm()
        self.alarm = alarm
        handle = Mutex(
            startThread {
                while !alarm.wait(for: interval) { body() }
            })
    }

    /// Ends the thread and waits for it: on return the body does not run and will not. Repeated calls do nothing.
    func stop() {
        alarm.stop()
        let running = handle.withLock { handle in
            defer { handle = nil }
            return handle
        }
        if let running { pthread_join(running, nil) }
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
    // The thread inherits the mask. Signals are for those who wait for them, not for a display.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, 1 << 20)
    let context = Unmanaged.passRetained(ThreadBody(body))
    let failure = pthread_create(
        &thread, &attributes,
        { context in
            guard let context else { return nil }
            Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
            return nil
        }, context.toOpaque())
    guard failure == 0 else {
        context.release()
        return nil
    }
    return thread
}

/// A sleep that can be cut short, once and for all.
// Unchecked: the flag is only touched while the mutex is held; both pointers are set before any other thread sees them.
private final class StopAlarm: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var isStopped = false

    init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // A changed wall clock must not stretch a sleep.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func stop() {
        pthread_mutex_lock(mutex)
        isStopped = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Sleeps; returns whether it was stopped.
    func wait(for interval: Duration) -> Bool {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        let (seconds, attoseconds) = interval.components
        let nanoseconds = deadline.tv_nsec + Int(attoseconds / 1_000_000_000)
        deadline.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
        deadline.tv_nsec = nanoseconds % 1_000_000_000
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !isStopped {
            // Any error but an early wake-up ends the sleep.
            if pthread_cond_timedwait(condition, mutex, &deadline) != 0 { break }
        }
        return isStopped
    }
}
