import Storage
import Workers

/// Sends one request after the other on a thread of its own, while the next one is put together.
final class RequestSender: Sendable {
    private struct State {
        var next: [UInt8]?
        var isBusy = false
        var isEnded = false
        var isAbandoned = false
        var failure: StorageError?
    }

    private let state = Monitor(State())

    init(_ client: ClusterClient) throws(StorageError) {
        do throws(ThreadFailure) {
            let state = state
            _ = try WorkerThread { Self.run(client, state) }
        } catch {
            throw StorageError(.io, "\(error)")
        }
    }

    private static func run(_ client: ClusterClient, _ state: Monitor<State>) {
        while true {
            let request: [UInt8]? = state.wait { state in
                if state.isAbandoned { return (nil, wakes: nil) }
                guard let next = state.next else { return state.isEnded ? (nil, wakes: nil) : nil }
                state.next = nil
                state.isBusy = true
                return (next, wakes: nil)
            }
            guard let request else { return }
            var failure: StorageError?
            do throws(StorageError) {
                let answer = try client.perform(
                    "POST", "sealift/commands", body: request, isCancelled: { state.read { $0.isAbandoned } })
                _ = try RaftClusterBackend.index(answer)
            } catch {
                failure = error
            }
            state.change { state in
                state.isBusy = false
                state.failure = state.failure ?? failure
            }
        }
    }

    /// Takes a request, waiting until the one before is on its way.
    ///
    /// - Throws: What an earlier one threw.
    func send(_ request: [UInt8]) throws(StorageError) {
        let failure: StorageError? = state.wait { state in
            if let failure = state.failure { return (failure, wakes: nil) }
            guard state.next == nil else { return nil }
            state.next = request
            return (nil, wakes: 0)
        }
        if let failure { throw failure }
    }

    /// Waits until everything is acknowledged.
    func finish() throws(StorageError) {
        state.change { $0.isEnded = true }
        let failure: StorageError? = state.wait { state in
            state.failure == nil && (state.isBusy || state.next != nil) ? nil : (state.failure, wakes: nil)
        }
        if let failure { throw failure }
    }

    func abandon() {
        state.change { $0.isAbandoned = true }
    }
}
