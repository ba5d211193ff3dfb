import HTTPClient
import Synchronization

extension JSONServiceClient {
    /// One call through all its attempts.
    struct Call {
        let action: String
        /// When it began, as the clock counts.
        let started: Duration
        var attempts = 0
        var status: Int?
        var requestID: String?
        /// The keys of the latest attempt.
        var keys: Credentials?
        /// Keys that the service says have ended.
        var rejected: Credentials?
        /// How far the server's clock is ahead of what the latest attempt was signed with.
        var skew: Int?
        var hasCorrectedClock = false
        var failures = 0
        var countedFailures = 0
        var malformedReplies = 0
        var timeouts = 0

        init(action: String, started: Duration) {
            self.action = action
            self.started = started
        }
    }

    /// The keys to sign with: the provider's, or others once these were refused as ended.
    func currentKeys(_ call: inout Call) throws(AWSError) -> Credentials {
        let keys: Credentials
        do throws(CredentialsError) {
            if let rejected = call.rejected {
                keys = try credentials.credentials(replacing: rejected)
            } else {
                keys = try credentials.credentials()
            }
        } catch {
            let code: AWSError.Code = call.rejected == nil ? .credentials : .expiredCredentials
            throw AWSError(code: code, message: error.description)
        }
        if let rejected = call.rejected, rejected.accessKeyID == keys.accessKeyID,
            rejected.sessionToken == keys.sessionToken
        {
            throw AWSError(
                code: .expiredCredentials,
                message: "the credentials from \(rejected.source) have ended, and there are no newer ones")
        }
        call.keys = keys
        return keys
    }

    /// Notes what the answer says of the server's time.
    func noteDate(of response: HTTPResponse, _ call: inout Call) {
        let isFirst = shared.withLock { shared in
            shared.hasAnswered = true
            return shared.observedOffset == nil
        }
        call.skew = nil
        let isSuccess = (200..<300).contains(response.status)
        guard isFirst || !isSuccess, let date = response.headers["Date"].flatMap(Timestamp.init(http:)) else { return }
        let ahead = date.seconds - time.now().seconds
        call.skew = shared.withLock { shared in
            shared.observedOffset = ahead
            return ahead - shared.signingOffset
        }
    }

    func succeeded(_ call: Call) {
        let now = time.elapsed()
        shared.withLock { $0.lastSuccess = now }
        budget.succeeded(afterRetry: call.failures > 0)
    }

    /// Waits before the next attempt.
    ///
    /// - Throws: The failure's error if there is to be no other attempt.
    func prepareRetry(after failure: ServiceFailure, _ call: inout Call) throws(AWSError) {
        guard let reason = failure.reason else { throw failure.error }
        try checkCancellation()
        guard mayRetry(reason, &call) else { throw failure.error }
        call.failures += 1
        var delay = Duration.zero
        if reason != .clockSkew && reason != .expiredCredentials {
            delay = policy.delay(afterFailures: call.failures, isBudgetSpent: !budget.takeRetry())
        }
        onRetry(RetryEvent(action: call.action, reason: reason, attempts: call.attempts, delay: delay))
        if delay > .zero { time.wait(delay, isCancelled) }
        try checkCancellation()
    }

    private func checkCancellation() throws(AWSError) {
        guard !isCancelled() else { throw AWSError(code: .cancelled, message: "cancelled between attempts") }
    }

    private func mayRetry(_ reason: RetryReason, _ call: inout Call) -> Bool {
        switch reason {
        case .throttled:
            let progress = shared.withLock { $0.lastSuccess }.map { max($0, call.started) } ?? call.started
            return time.elapsed() - progress < policy.patience
        case .clockSkew:
            guard !call.hasCorrectedClock, let skew = call.skew, abs(skew) >= Self.leastSkew else { return false }
            call.hasCorrectedClock = true
            shared.withLock { $0.signingOffset = $0.observedOffset ?? $0.signingOffset }
            return true
        case .expiredCredentials:
            guard call.rejected == nil, let keys = call.keys else { return false }
            call.rejected = keys
            return true
        case .malformedReply:
            call.malformedReplies += 1
            return call.malformedReplies <= policy.maximumMalformedReplies
        case .timeout:
            call.timeouts += 1
            return call.timeouts <= min(policy.maximumTimeouts, policy.maximumRetries)
        case .connection, .serverError, .checksum:
            call.countedFailures += 1
            let hasAnswered = shared.withLock { $0.hasAnswered }
            let maximum = hasAnswered ? policy.maximumRetries : policy.maximumRetriesUnanswered
            return call.countedFailures <= min(maximum, policy.maximumRetries)
        }
    }

    /// The error with everything that is known of the call.
    func finished(_ error: AWSError, _ call: Call) -> AWSError {
        var error = error
        error.action = call.action
        error.region = service.region
        error.credentialsSource = call.keys?.source
        error.status = call.status
        error.requestID = call.requestID
        error.attempts = call.attempts
        return error
    }
}
