import Glibc
import Synchronization

/// Turns SIGINT and SIGTERM into calls on a thread of its own.
///
/// Must be made before other threads start: it blocks both signals in the calling thread, and threads inherit that.
package final class SignalWatch: Sendable {
    /// Starts watching.
    ///
    /// - Parameter handle: Called with the signal's number and how many came so far, this one included.
    package init(_ handle: @escaping @Sendable (_ signal: Int32, _ count: Int) -> Void) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let watched = Mutex(signals)
        // A shell starts background jobs with SIGINT ignored, and an ignored signal never reaches sigwait. SIGTERM does.
        _ = WorkerThread {
            var set = watched.withLock { $0 }
            var count = 0
            while true {
                var number: Int32 = 0
                guard sigwait(&set, &number) == 0 else { return }
                count += 1
                handle(number, count)
            }
        }
    }
}
