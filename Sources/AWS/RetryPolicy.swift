import Synchronization

/// Why a request is made again.
package enum RetryReason: Sendable, CaseIterable {
    /// The service wants less load.
    case throttled
    /// The service failed by its own account.
    case serverError
    /// There was no whole answer.
    case connection
    /// The answer did not come in time, or moved too slowly.
    case timeout
    /// The answer's checksum is another one.
    case checksum
    /// The answer is not what the protocol says.
    case malformedReply
    /// The clocks differed; the server's is used from now on.
    case clockSkew
    /// The credentials had ended; there are new ones.
    case expiredCredentials
}

/// A request that is about to be made again.
package struct RetryEvent: Sendable {
    package let action: String
    package let reason: RetryReason
    /// Requests made for the call so far.
    package let attempts: Int
    /// How long the call waits now.
    package let delay: Duration
}

/// How often and after which waits failed requests are made again.
///
/// Waits are a random part of a limit that doubles with each attempt. Throttles are waited out as long as any call of the
/// client succeeds now and then; other failures count.
package struct RetryPolicy: Sendable {
    /// Retries of one call after failures other than throttles. The AWS SDKs take 10 for DynamoDB.
    package var maximumRetries: Int
    /// Limit of the first wait; the SDKs take 50 ms for DynamoDB.
    package var firstDelay: Duration
    /// Largest limit of a wait.
    package var maximumDelay: Duration
    /// How long throttles are waited out while no call succeeds.
    package var patience: Duration
    /// Retries of replies that cannot be parsed though their checksum is right.
    package var maximumMalformedReplies: Int
    /// Retries while no request was ever answered: the endpoint is probably mistyped.
    package var maximumRetriesUnanswered: Int
    /// Retries after answers that did not come in time: each has cost the time-out already.
    package var maximumTimeouts: Int
    /// Uniformly distributed from 0 up to 1, from any thread.
    package var random: @Sendable () -> Double

    package init(
        maximumRetries: Int = 10, firstDelay: Duration = .milliseconds(50), maximumDelay: Duration = .seconds(20),
        patience: Duration = .seconds(600), maximumMalformedReplies: Int = 3, maximumRetriesUnanswered: Int = 3,
        maximumTimeouts: Int = 3,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.maximumRetries = maximumRetries
        self.firstDelay = firstDelay
        self.maximumDelay = maximumDelay
        self.patience = patience
        self.maximumMalformedReplies = maximumMalformedReplies
        self.maximumRetriesUnanswered = maximumRetriesUnanswered
        self.maximumTimeouts = maximumTimeouts
        self.random = random
    }

    /// The wait before the next attempt, when `failures` attempts have failed.
    ///
    /// - Parameter isBudgetSpent: Then the limit is a twentieth of the largest at least: a service that fails one request
    ///   in three for hours is asked more slowly, and still asked.
    func delay(afterFailures failures: Int, isBudgetSpent: Bool) -> Duration {
        let doublings = min(max(failures - 1, 0), 30)
        let least = isBudgetSpent ? maximumDelay / 20 : .zero
        return max(min(firstDelay * (1 << doublings), maximumDelay), least) * random()
    }
}

/// Retries that all calls of a client share, so that a service in trouble is not asked ever more often.
///
/// Sizes are those of the SDKs' standard retry mode. Where an SDK fails at once when the tokens are spent, a migration of
/// hours waits: it then takes longer waits.
final class RetryBudget: Sendable {
    private static let capacity = 500
    private static let cost = 5

    private let tokens = Mutex(capacity)

    /// Takes the tokens of one retry.
    ///
    /// - Returns: `false` if there are not enough; none is taken then.
    func takeRetry() -> Bool {
        tokens.withLock { tokens in
            guard tokens >= Self.cost else { return false }
            tokens -= Self.cost
            return true
        }
    }

    /// Gives back what the last retry of a call that succeeded had cost, or one token if it needed none.
    func succeeded(afterRetry: Bool) {
        tokens.withLock { $0 = min($0 + (afterRetry ? Self.cost : 1), Self.capacity) }
    }
}
