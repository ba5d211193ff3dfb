package import Digest

/// Who signed a request.
package struct RequestSigner: Hashable, Sendable {
    package let accessKeyID: String
    package let region: String
    package let service: String

    package init(accessKeyID: String, region: String, service: String) {
        self.accessKeyID = accessKeyID
        self.region = region
        self.service = service
    }
}

/// Why a request's signature is not taken.
package struct SignatureRefusal: Error, Sendable {
    package enum Code: Sendable {
        /// There is no `Authorization` header, or not one of Signature Version 4.
        case missing
        /// The header or the date cannot be read, or what must be signed is not.
        case malformed
        /// Nobody has that access key id.
        case unknownKey
        /// The request's date is more than 15 minutes away from the server's.
        case expired
        /// The signature is another one.
        case mismatch
        /// The system's digests fail.
        case failure
    }

    package let code: Code
    /// One sentence, without anything of the keys.
    package let message: String
}

/// Checks the signatures of received requests, as a service does. Not for two threads at once.
package final class SignatureVerifier {
    /// How far the clocks of both sides may differ, in seconds; what AWS allows.
    package static let maximumSkew = 15 * 60
    /// Longest `Authorization` header and most signed headers that are looked at.
    private static let maximumHeader = 8192
    private static let maximumSignedHeaders = 64

    private let signature: SignatureV4
    private let secret: (String) -> String?

    /// - Parameter secret: Gives the secret key of an access key id, `nil` if there is none.
    package init(secret: @escaping (String) -> String?) throws(DigestError) {
        signature = try SignatureV4()
        self.secret = secret
    }

    /// Checks the signature of one request.
    ///
    /// - Parameters:
    ///   - request: As received, with every header.
    ///   - now: The server's time.
    /// - Returns: Who signed it, for which region and service; whether these fit is the caller's to judge.
    package func verify(
        _ request: SignableRequest, body: UnsafeRawBufferPointer, now: Timestamp
    ) throws(SignatureRefusal) -> RequestSigner {
        guard let header = Self.value(of: "authorization", in: request) else {
            throw SignatureRefusal(code: .missing, message: "The request has no Authorization header.")
        }
        let parts = try Self.parse(header)
        guard let date = Self.value(of: "x-amz-date", in: request), let time = Timestamp(basic: date) else {
            throw SignatureRefusal(
                code: .malformed, message: "The request has no X-Amz-Date in the form that is signed.")
        }
        guard date.hasPrefix(parts.day) else {
            throw SignatureRefusal(code: .malformed, message: "The credential's day is not that of X-Amz-Date.")
        }
        guard parts.signed.contains("host"), parts.signed.contains("x-amz-date") else {
            throw SignatureRefusal(code: .malformed, message: "Host and X-Amz-Date must be signed.")
        }
        guard let secret = secret(parts.signer.accessKeyID) else {
            throw SignatureRefusal(code: .unknownKey, message: "The access key id is not known here.")
        }
        guard abs(time.seconds - now.seconds) <= Self.maximumSkew else {
            throw SignatureRefusal(
                code: .expired, message: "The request was signed at \(time); the time here is \(now).")
        }
        let expected: String
        do throws(DigestError) {
            expected = try signature.signature(
                of: request, signed: parts.signed, bodyDigest: bodyDigest(request, body), secret: secret, date: date,
                region: parts.signer.region, service: parts.signer.service)
        } catch {
            throw SignatureRefusal(code: .failure, message: error.description)
        }
        guard equalInConstantTime(Array(expected.utf8), Array(parts.signature.utf8)) else {
            throw SignatureRefusal(
                code: .mismatch, message: "The signature does not match the request, or the secret key is another one.")
        }
        return parts.signer
    }

    /// The body's own digest always, so that a changed body is noticed, unless the request says that it is not signed.
    private func bodyDigest(
        _ request: SignableRequest, _ body: UnsafeRawBufferPointer
    ) throws(DigestError) -> String {
        let stated = Self.value(of: "x-amz-content-sha256", in: request)
        return stated == SignatureV4.unsignedPayload ? SignatureV4.unsignedPayload : try signature.digest(of: body)
    }

    private struct Parts {
        let signer: RequestSigner
        let day: String
        let signed: [String]
        let signature: String
    }

    private static func value(of name: String, in request: SignableRequest) -> String? {
        request.headers.first { asciiLowercased($0.name) == name }?.value
    }

    private static func parse(_ header: String) throws(SignatureRefusal) -> Parts {
        guard header.hasPrefix("\(SignatureV4.algorithm) ") else {
            throw SignatureRefusal(code: .missing, message: "The Authorization header is not \(SignatureV4.algorithm).")
        }
        let malformed = SignatureRefusal(
            code: .malformed,
            message: "The Authorization header does not have one Credential, SignedHeaders and Signature each.")
        guard header.utf8.count <= maximumHeader else { throw malformed }
        var fields: [Substring: Substring] = [:]
        for field in header.dropFirst(SignatureV4.algorithm.count).split(separator: ",") {
            let field = field.drop { $0 == " " }
            guard let cut = field.firstIndex(of: "="), fields[field[..<cut]] == nil else { throw malformed }
            fields[field[..<cut]] = field[field.index(after: cut)...]
        }
        guard let credential = fields["Credential"], let signed = fields["SignedHeaders"],
            let signature = fields["Signature"]
        else { throw malformed }
        // An access key id has no slash, a region and a service neither.
        let scope = credential.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let names = signed.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
        guard scope.count == 5, scope[4] == "aws4_request", scope[1].utf8.count == 8, !scope.contains(""),
            names.count <= maximumSignedHeaders, names == Set(names).sorted()
        else { throw malformed }
        let signer = RequestSigner(accessKeyID: scope[0], region: scope[2], service: scope[3])
        return Parts(signer: signer, day: scope[1], signed: names, signature: String(signature))
    }
}
