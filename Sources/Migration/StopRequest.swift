import Storage
import Synchronization
import Workers

/// What the stores of a run ask whether to stop: when the run is told to, but not while it cleans up behind itself.
///
/// Without it, a store that asks would refuse to take the migration marker back in the very run that was interrupted.
final class StopRequest: Sendable {
    /// How long cleaning up may wait for a store that does not answer, once the run was told to stop.
    private static let patience = Duration.seconds(30)

    private let cancellation: CancellationToken
    /// Until when cancellation is not heard.
    private let deafUntil = Mutex<ContinuousClock.Instant?>(nil)

    init(_ cancellation: CancellationToken) {
        self.cancellation = cancellation
    }

    /// Whether to stop now.
    var isSet: Bool {
        guard cancellation.isCancelled else { return false }
        return deafUntil.withLock { $0.map { ContinuousClock().now >= $0 } ?? true }
    }

    /// Runs what has to be done although the run is told to stop.
    func whileCleaning<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        deafUntil.withLock { $0 = ContinuousClock().now + Self.patience }
        defer { deafUntil.withLock { $0 = nil } }
        return try body()
    }
}
