/// A call of a service failed for good: retries, where they could help, are behind it.
package struct AWSError: Error, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The credentials are known, but may not do this.
        case accessDenied
        /// There are no credentials, or the service does not take them.
        case credentials
        /// The credentials have ended and could not be renewed.
        case expiredCredentials
        case noSuchResource
        /// The request itself is refused; it would be each time.
        case validation
        /// The service refuses load, and nothing has been done for the longest time that is waited.
        case throttled
        /// A condition of a conditional write does not hold.
        case conditionFailed
        case resourceInUse
        case limitExceeded
        /// The service fails by its own account.
        case server
        /// There was no answer.
        case network
        /// There was an answer, but not what the protocol says.
        case malformedReply
        case cancelled
        /// An exception without a code of its own.
        case other(exception: String)
    }

    package var code: Code
    /// What went wrong: the server's own text, escaped and shortened, or ours.
    package var message: String
    /// The service's name for it, such as `AccessDeniedException`; `nil` if it did not answer.
    package var exception: String?
    /// Names the request to AWS's support.
    package var requestID: String?
    /// The operation, such as `Scan`.
    package var action: String
    package var region: String
    /// Where the credentials come from, if there were any.
    package var credentialsSource: String?
    package var status: Int?
    /// Requests made for the call, all failed.
    package var attempts: Int

    init(
        code: Code, message: String, exception: String? = nil, requestID: String? = nil, action: String = "",
        region: String = "", credentialsSource: String? = nil, status: Int? = nil, attempts: Int = 0
    ) {
        self.code = code
        self.message = message
        self.exception = exception
        self.requestID = requestID
        self.action = action
        self.region = region
        self.credentialsSource = credentialsSource
        self.status = status
        self.attempts = attempts
    }

    /// What to do about it, one sentence; `nil` where only the caller can know.
    package var remedy: String? {
        switch code {
        case .accessDenied: "Allow the action to whoever these credentials belong to, or use others."
        case .credentials where credentialsSource != nil:
            "Look whether these credentials are the right ones and whole, and the clock and the region too."
        case .expiredCredentials: "Renew these credentials and run again."
        case .throttled: "Give the table more capacity, or ask for less at a time."
        case .server: "Run again; if it stays, tell AWS's support the request id."
        case .network: "Look whether the endpoint and the region are right and can be reached from here."
        case .malformedReply: "Look whether a proxy changes answers, and whether the endpoint is the right one."
        default: nil
        }
    }

    /// What, where, with which credentials, how often, and what to do.
    package var description: String {
        var text = "\(action) in region \(region): "
        if let exception, !message.hasPrefix(exception) { text += "\(exception): " }
        text += message
        var details: [String] = []
        if let credentialsSource { details.append("credentials from \(credentialsSource)") }
        if let status { details.append("HTTP status \(status)") }
        if let requestID { details.append("request id \(requestID)") }
        if attempts > 1 { details.append("\(attempts) attempts") }
        if !details.isEmpty { text += " (\(details.joined(separator: ", ")))" }
        guard let remedy else { return text }
        return "\(text)\(text.hasSuffix(".") ? "" : ".") \(remedy)"
    }
}

/// Text of a server, fit for a message of one line: control and odd characters escaped, at most 300 of them.
func shown(_ text: some Collection<UInt8>) -> String {
    let maximum = 300
    var shown = ""
    var count = 0
    for scalar in String(decoding: text.prefix(maximum * 4), as: UTF8.self).unicodeScalars {
        guard count < maximum else { return shown + "…" }
        count += 1
        let isPlain = scalar.value >= 0x20 && scalar.value < 0x7f || scalar.properties.isAlphabetic
        shown += isPlain ? String(scalar) : scalar.escaped(asASCII: true)
    }
    return shown
}
