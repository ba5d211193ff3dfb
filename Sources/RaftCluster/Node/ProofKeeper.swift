import Synchronization
import Workers

/// Computes a node's digest on a thread of its own, of what there was at one command.
final class ProofKeeper: Sendable {
    private struct State {
        var proof: KeyspaceProof?
        var running: UInt64 = 0
        var isStopped = false
    }

    private let state = Mutex(State())
    private let failed: @Sendable (ClusterError) -> Void

    /// - Parameter failed: Called if what the node holds cannot be read, or is not what it counted.
    init(failed: @escaping @Sendable (ClusterError) -> Void) {
        self.failed = failed
    }

    /// The newest digest there is.
    var proof: KeyspaceProof? { state.withLock { $0.proof } }

    func stop() { state.withLock { $0.isStopped = true } }

    /// Begins; what is looked at is fixed on return. A digest that is being computed is given up for the newer one.
    func begin(_ store: StateStore) {
        let number = state.withLock { state in
            state.running += 1
            return state.running
        }
        let isFixed = Monitor(false)
        do throws(ThreadFailure) {
            _ = try WorkerThread { [self] in
                defer { isFixed.change { $0 = true } }
                do throws(ClusterError) {
                    let proof = try store.digest(
                        isCancelled: { state.withLock { $0.isStopped || $0.running != number } },
                        begun: { isFixed.change { $0 = true } })
                    state.withLock { if $0.running == number { $0.proof = proof } }
                } catch {
                    if error.code != .unavailable { failed(error) }
                }
            }
        } catch {
            return failed(ClusterError(.io, "\(error)"))
        }
        isFixed.wait { $0 ? ((), wakes: nil) : nil }
    }

    /// What was proven before does not hold of another state machine.
    func forget() {
        state.withLock { state in
            state.running += 1
            state.proof = nil
        }
    }
}
