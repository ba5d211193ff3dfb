import AWS
import Digest
import HTTPServer
import Synchronization

/// Looks at who signed a request.
final class Authenticator: Sendable {
    /// Different credentials remembered for the fault that lets them expire.
    private static let maximumRemembered = 1024
    private static let maximumIdleVerifiers = 16

    // Unchecked: owned by the request that took it.
    private struct Verifier: @unchecked Sendable {
        let verifier: SignatureVerifier
    }

    private let credentials: PracticeCredentials?
    private let expiresAfter: Int?
    private let expired = Mutex<Set<String>>([])
    private let idle = Mutex<[Verifier]>([])
    private let clock: @Sendable () -> Int

    /// - Parameters:
    ///   - credentials: `nil` takes any, as long as the request carries some.
    ///   - expiresAfter: Requests after which the credentials used so far are no longer taken.
    ///   - clock: Seconds since 1970.
    init(
        _ credentials: PracticeCredentials?, expiresAfter: Int?, clock: @escaping @Sendable () -> Int = wallSeconds
    ) {
        self.credentials = credentials
        self.expiresAfter = expiresAfter
        self.clock = clock
    }

    /// - Throws: The service's error for a request without, or with the wrong, credentials.
    func check(_ request: HTTPServerRequest, _ number: Int) throws(ServiceError) {
        guard let header = request.header("authorization"), header.hasPrefix("AWS4-") else {
            throw .common("MissingAuthenticationTokenException", "Request is missing Authentication Token")
        }
        if let credentials { try verify(request, credentials) }
        let keyID = header.split(separator: "Credential=").dropFirst().first?.prefix { $0 != "/" && $0 != "," } ?? ""
        try checkExpiry(String(keyID) + " " + (request.header("x-amz-security-token") ?? ""), number)
    }

    private func verify(_ request: HTTPServerRequest, _ credentials: PracticeCredentials) throws(ServiceError) {
        let verifier = try takeVerifier(credentials)
        defer {
            idle.withLock { idle in
                if idle.count < Self.maximumIdleVerifiers { idle.append(Verifier(verifier: verifier)) }
            }
        }
        let signable = SignableRequest(
            method: request.method, path: request.path, query: request.query, headers: request.headers)
        let now = Timestamp(seconds: clock())
        let signer: RequestSigner
        do throws(SignatureRefusal) {
            signer = try request.body.withUnsafeBufferPointer { body throws(SignatureRefusal) in
                try verifier.verify(signable, body: UnsafeRawBufferPointer(body), now: now)
            }
        } catch {
            throw Self.translate(error, request, now)
        }
        guard signer.service == "dynamodb" else {
            throw .common(
                "InvalidSignatureException", "Credential should be scoped to correct service: 'dynamodb'. ")
        }
    }

    private func takeVerifier(_ credentials: PracticeCredentials) throws(ServiceError) -> SignatureVerifier {
        if let known = idle.withLock({ $0.popLast() }) { return known.verifier }
        do throws(DigestError) {
            return try SignatureVerifier { credentials.secrets[$0] }
        } catch {
            throw .internalError
        }
    }

    private static func translate(
        _ refusal: SignatureRefusal, _ request: HTTPServerRequest, _ now: Timestamp
    ) -> ServiceError {
        switch refusal.code {
        case .missing:
            return .common("MissingAuthenticationTokenException", "Request is missing Authentication Token")
        case .malformed: return .common("IncompleteSignatureException", refusal.message)
        case .unknownKey:
            return .common(
                "UnrecognizedClientException", "The security token included in the request is invalid.")
        case .expired:
            let date = request.header("x-amz-date") ?? ""
            let skew = SignatureVerifier.maximumSkew
            let isEarly = Timestamp(basic: date).map { $0 > now } ?? false
            let bound = Timestamp(seconds: isEarly ? now.seconds + skew : now.seconds - skew).basic
            return .common(
                "InvalidSignatureException",
                isEarly
                    ? "Signature not yet current: \(date) is still later than \(bound) (\(now.basic) + 15 min.)"
                    : "Signature expired: \(date) is now earlier than \(bound) (\(now.basic) - 15 min.)")
        case .mismatch:
            return .common(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                    + "Access Key and signing method. Consult the service documentation for details.")
        case .failure: return .internalError
        }
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
