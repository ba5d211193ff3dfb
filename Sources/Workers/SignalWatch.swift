import Glibc
import Synchronization

/// Turns the signals that would end the process into calls on a thread of its own: a run then ends in good order,
/// whoever wants it to end: a user, a shell that is closed, a job system, a limit of processor time.
///
/// Must be made before other threads start: it blocks the signals in the calling thread, and threads inherit that.
package final class SignalWatch: Sendable {
    /// Starts watching.
    ///
    /// - Parameter handle: Called with the signal's number and how many came so far, this one included.
    /// - Throws: If there is no thread to watch from; then the signals are as they were.
    package init(_ handle: @escaping @Sendable (_ signal: Int32, _ count: Int) -> Void) throws(ThreadFailure) {
        let signals = Self.watched()
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, [signals], &before)
        let watched = Mutex(signals)
        do throws(ThreadFailure) {
            _ = try WorkerThread {
                var set = watched.withLock { $0 }
                var count = 0
                while true {
                    var number: Int32 = 0
                    guard sigwait(&set, &number) == 0 else { return }
                    count += 1
                    handle(number, count)
                }
            }
        } catch {
            pthread_sigmask(SIG_SETMASK, &before, nil)
            throw error
        }
    }

    /// Everything that comes from outside and ends a process that does not care. Faults of the process itself are left
    /// alone, and what `nohup` and the like had the process ignore stays ignored.
    private static func watched() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        // A shell starts background jobs with SIGINT ignored; whoever sends it to one by hand means it.
        for number in [SIGINT, SIGTERM] { sigaddset(&signals, number) }
        let ending = [
            SIGHUP, SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1, SIGUSR2, SIGXCPU, SIGIO, SIGPWR, SIGSTKFLT,
        ]
        for number in ending
            + Array(__libc_current_sigrtmin()...max(__libc_current_sigrtmin(), __libc_current_sigrtmax()))
        where !isIgnored(number) {
            sigaddset(&signals, number)
        }
        return signals
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
