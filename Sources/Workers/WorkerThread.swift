import Glibc

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
    package init(_ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, 1 << 20)
        let context = Unmanaged.passRetained(Body(body)).toOpaque()
        let failure = pthread_create(
            &handle, &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context)
        pthread_attr_destroy(&attributes)
        precondition(failure == 0, "the system gives no further thread (pthread_create: error \(failure))")
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

/// Runs `body` on `count` threads of their own and waits for all of them.
///
/// - Throws: The first error any of them threw; `onError` is called with it at once, so that the others can be stopped.
package func withWorkers(
    _ count: Int, onError: @escaping @Sendable (any Error) -> Void = { _ in },
    _ body: @escaping @Sendable (Int) throws -> Void
) throws {
    let first = Monitor<(any Error)?>(nil)
    let threads = (0..<count).map { index in
        WorkerThread {
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
    }
    for thread in threads { thread.join() }
    if let error = first.read({ $0 }) { throw error }
}
