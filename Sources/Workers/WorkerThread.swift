import Glibc

/// The system gives no further thread.
package struct ThreadFailure: Error, CustomStringConvertible {
    /// The system's error number.
    let number: Int32

    package var description: String {
        "the system gives no further thread (\(String(cString: strerror(number)))). Raise the limits on processes and on "
            + "address space (ulimit -u, ulimit -v), or ask for less at once (-max-parallel)."
    }
}

/// A system thread that runs one body and can be waited for.
// Unchecked: the handle is written once, before any other thread can see the object, and read by `join`.
package final class WorkerThread: @unchecked Sendable {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private var handle = pthread_t()
    private let isJoined = Monitor(false)

    /// Starts the thread. Stacks are 1 MiB: nothing here recurses deeply.
    package init(_ body: @escaping @Sendable () -> Void) throws(ThreadFailure) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 1 << 20)
        let context = Unmanaged.passRetained(Body(body))
        let failure = pthread_create(
            &handle, &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard failure == 0 else {
            context.release()
            throw ThreadFailure(number: failure)
        }
    }

    /// Waits for the body to end. Repeated calls return at once.
    package func join() {
        let isFirst = isJoined.change { joined in
            defer { joined = true }
            return !joined
        }
        if isFirst { pthread_join(handle, nil) }
    }
}

/// Starts threads that share one work, so that fewer of them do as well.
///
/// - Returns: As many as the system gives, up to `count`; one at least.
/// - Throws: If it gives none.
package func startThreads(
    _ count: Int, _ body: @escaping @Sendable () -> Void
) throws(ThreadFailure) -> [WorkerThread] {
    var threads = [try WorkerThread(body)]
    while threads.count < count, let next = try? WorkerThread(body) { threads.append(next) }
    return threads
}

/// Runs `body` once for each number below `count`, each on a thread of its own as far as the system gives threads, the
/// others one after the other on the calling thread, and waits for all of them.
///
/// - Throws: The first error any of them threw; `onError` is called with it at once, so that the others can be stopped.
package func withWorkers(
    _ count: Int, onError: @escaping @Sendable (any Error) -> Void = { _ in },
    _ body: @escaping @Sendable (Int) throws -> Void
) throws {
    let first = Monitor<(any Error)?>(nil)
    let work: @Sendable (Int) -> Void = { index in
        do {
            try body(index)
        } catch {
            let isFirst = first.change { first in
                defer { first = first ?? error }
                return first == nil
            }
            if isFirst { onError(error) }
        }
    }
    var threads: [WorkerThread] = []
    while threads.count < count {
        let index = threads.count
        guard let thread = try? WorkerThread({ work(index) }) else { break }
        threads.append(thread)
    }
    for index in threads.count..<max(count, threads.count) { work(index) }
    for thread in threads { thread.join() }
    if let error = first.read({ $0 }) { throw error }
}
