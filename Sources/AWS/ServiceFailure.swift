import HTTPClient
import JSON

/// One attempt that failed: the error it would end the call with, and why it may be made again, if it may.
struct ServiceFailure {
    var reason: RetryReason?
    var error: AWSError

    /// There was no answer.
    init(_ failure: HTTPError) {
        let (code, reason): (AWSError.Code, RetryReason?) =
            switch failure.code {
            case .cannotResolve, .cannotConnect, .connectionLost: (.network, .connection)
            case .timedOut: (.network, .timeout)
            case .tls, .other: (.network, nil)
            case .tooLarge: (.malformedReply, nil)
            case .cancelled: (.cancelled, nil)
            }
        self.reason = reason
        error = AWSError(code: code, message: failure.message)
    }

    init(_ reason: RetryReason, _ code: AWSError.Code, _ message: String) {
        self.reason = reason
        error = AWSError(code: code, message: message)
    }

    /// An answer that is no success, with the name of the exception and the text in its body, if it has any.
    init(status: Int, errorType: String?, body: JSONNode?) {
        var exception = (body?["__type"]?.text ?? body?["code"]?.text ?? errorType).map(Self.plainName)
        if exception == "" { exception = nil }
        let text = (body?["message"] ?? body?["Message"])?.bytes
        let message = text.map { shown($0) } ?? "the answer has status \(status) and says nothing more"
        let (code, reason) = Self.meaning(of: exception, status: status)
        self.reason = reason
        error = AWSError(code: code, message: message, exception: exception, status: status)
    }

    /// The name without the namespace before it (`com.amazonaws.dynamodb.v20120810#X`) and the URL behind it (`X:http…`).
    static func plainName(_ name: String) -> String {
        let local = name.split(separator: "#").last ?? ""
        return shown((local.split(separator: ":").first ?? "").utf8.prefix(100))
    }

    /// What an exception means and whether trying again may help (DynamoDB Developer Guide, "Error handling"; AWS SDKs
    /// and Tools Reference Guide, "Retry behavior").
    private static func meaning(of exception: String?, status: Int) -> (AWSError.Code, RetryReason?) {
        switch exception {
        case "ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "ThrottledException",
            "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException",
            "SlowDown", "BandwidthLimitExceeded":
            (.throttled, .throttled)
        case "InternalServerError", "InternalServerErrorException", "InternalFailure", "ServiceUnavailable",
            "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException":
            (.server, .serverError)
        case "ExpiredTokenException", "ExpiredToken", "TokenRefreshRequired": (.expiredCredentials, .expiredCredentials)
        case "RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture", "InvalidSignatureException",
            "SignatureDoesNotMatch":
            (.credentials, .clockSkew)
        case "AccessDeniedException", "AccessDenied", "OptInRequired": (.accessDenied, nil)
        case "UnrecognizedClientException", "InvalidClientTokenId", "IncompleteSignature",
            "IncompleteSignatureException",
            "MissingAuthenticationToken", "MissingAuthenticationTokenException", "NotAuthorized":
            (.credentials, nil)
        case "ResourceNotFoundException": (.noSuchResource, nil)
        case "ValidationException", "ValidationError", "SerializationException": (.validation, nil)
        case "ConditionalCheckFailedException": (.conditionFailed, nil)
        case "ResourceInUseException": (.resourceInUse, nil)
        case "LimitExceededException", "ItemCollectionSizeLimitExceededException": (.limitExceeded, nil)
        default: meaning(of: status, exception)
        }
    }

    private static func meaning(of status: Int, _ exception: String?) -> (AWSError.Code, RetryReason?) {
        if status == 429 { return (.throttled, .throttled) }
        if status >= 500 { return (.server, .serverError) }
        return (.other(exception: exception ?? "HTTP \(status)"), nil)
    }
}
