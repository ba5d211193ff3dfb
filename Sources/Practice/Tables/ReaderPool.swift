import Storage
import Workers

/// Sessions that read: a number of connections to a file, or the writer's own to a database in memory.
final class ReaderPool: Sendable {
    /// Connections at once; further readers wait.
    private static let maximumSessions = 16

    private struct State {
        var idle: [StoreSession] = []
        var opened = 0
        var isClosed = false
    }

    private let state = Monitor(State())
    private let shared: StoreSession?
    private let open: @Sendable () throws(StorageError) -> StoreSession

    /// - Parameter shared: The only session there is, where a second connection would see another database.
    init(_ shared: StoreSession?, open: @escaping @Sendable () throws(StorageError) -> StoreSession) {
        self.shared = shared
        self.open = open
        if let shared {
            state.change { state in
                state.idle = [shared]
                state.opened = Self.maximumSessions
            }
        }
    }

    /// Runs `body` with a session nobody else uses.
    func withSession<Result>(
        _ body: (StoreSession) throws(ServiceError) -> Result
    ) throws(ServiceError) -> Result {
        let session = try take()
        defer { give(session) }
        return try body(session)
    }

    /// Runs `body` with nobody using the writer's session.
    func withWriter<Result>(_ body: () -> Result) -> Result {
        guard shared != nil, let session = try? take() else { return body() }
        defer { give(session) }
        return body()
    }

    private func take() throws(ServiceError) -> StoreSession {
        let found: StoreSession? = try state.wait { state -> (Result<StoreSession?, ServiceError>, wakes: Int?)? in
            if state.isClosed { return (.failure(.internalError), wakes: nil) }
            if let idle = state.idle.popLast() { return (.success(idle), wakes: nil) }
            guard state.opened < Self.maximumSessions else { return nil }
            state.opened += 1
            return (.success(nil), wakes: nil)
        }.get()
        if let found { return found }
        do throws(StorageError) {
            return try open()
        } catch {
            state.change { $0.opened -= 1 }
            throw .database(error)
        }
    }

    private func give(_ session: StoreSession) {
        state.changeWaking { state in
            if !state.isClosed { state.idle.append(session) }
            return ((), wakes: 0)
        }
    }

    /// Closes idle sessions now, others when they come back.
    func close() {
        state.change { state in
            state.idle = []
            state.isClosed = true
        }
    }
}
