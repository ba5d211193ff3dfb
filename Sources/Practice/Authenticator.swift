import HTTPServer
import Synchronization

/// Looks at who signed a request.
final class Authenticator: Sendable {
    /// Different credentials remembered for the fault that lets them expire.
    private static let maximumRemembered = 1024

    private let credentials: PracticeCredentials?
    private let expiresAfter: Int?
    private let expired = Mutex<Set<String>>([])

    /// - Parameters:
    ///   - credentials: `nil` takes any, as long as the request carries some.
    ///   - expiresAfter: Requests after which the credentials used so far are no longer taken.
    init(_ credentials: PracticeCredentials?, expiresAfter: Int?) {
        self.credentials = credentials
        self.expiresAfter = expiresAfter
    }

    /// - Throws: The service's error for a request without, or with the wrong, credentials.
    func check(_ request: HTTPServerRequest, _ number: Int) throws(ServiceError) {
        guard let header = request.header("authorization"), header.hasPrefix("AWS4-") else {
            throw .common("MissingAuthenticationTokenException", "Request is missing Authentication Token")
        }
        let keyID = header.split(separator: "Credential=").dropFirst().first?.prefix { $0 != "/" && $0 != "," } ?? ""
        try checkExpiry(String(keyID) + " " + (request.header("x-amz-security-token") ?? ""), number)
    }

    private func checkExpiry(_ identity: String, _ number: Int) throws(ServiceError) {
        guard let expiresAfter else { return }
        let isExpired = expired.withLock { expired in
            if number <= expiresAfter {
                if expired.count < Self.maximumRemembered { expired.insert(identity) }
                return false
            }
            return expired.contains(identity)
        }
        if isExpired {
            throw .common("ExpiredTokenException", "The security token included in the request is expired")
        }
    }
}
