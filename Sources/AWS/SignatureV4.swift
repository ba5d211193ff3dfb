package import Digest

/// Signature Version 4 of one thread: hashers and the signing keys of the day. Not for two threads at once.
package final class SignatureV4 {
    /// Signing keys kept; more than the keys and days of any one run.
    private static let maximumKeys = 16

    static let algorithm = "AWS4-HMAC-SHA256"
    /// The digest that stands for a body that is not signed.
    static let unsignedPayload = "UNSIGNED-PAYLOAD"

    private struct KeyName: Hashable {
        let secret: String
        let day: String
        let region: String
        let service: String
    }

    private let hasher: SHA256Hasher
    private let mac: HMACSHA256
    private var keys: [KeyName: [UInt8]] = [:]

    package init() throws(DigestError) {
        hasher = try SHA256Hasher()
        mac = try HMACSHA256()
    }

    /// Adds `X-Amz-Date`, for temporary keys `X-Amz-Security-Token`, and `Authorization`, which covers every header that
    /// the request then has. `Host` must be among them, as it will be sent.
    package func sign(
        _ request: inout SignableRequest, body: UnsafeRawBufferPointer, credentials: Credentials, at time: Timestamp,
        region: String, service: String
    ) throws(DigestError) {
        let date = time.basic
        request.headers.append(("X-Amz-Date", date))
        if let token = credentials.sessionToken { request.headers.append(("X-Amz-Security-Token", token)) }
        let signed = Set(request.headers.map { asciiLowercased($0.name) }).sorted()
        let signature = try signature(
            of: request, signed: signed, bodyDigest: digest(of: body), secret: credentials.secretAccessKey, date: date,
            region: region, service: service)
        let scope = Self.scope(day: String(date.prefix(8)), region: region, service: service)
        request.headers.append(
            (
                "Authorization",
                "\(Self.algorithm) Credential=\(credentials.accessKeyID)/\(scope), "
                    + "SignedHeaders=\(signed.joined(separator: ";")), Signature=\(signature)"
            ))
    }

    /// The signature in lower-case hexadecimal.
    ///
    /// - Parameters:
    ///   - signed: Lower-case names of the headers to sign, in ascending order.
    ///   - date: In the form of `X-Amz-Date`.
    func signature(
        of request: SignableRequest, signed: [String], bodyDigest: String, secret: String, date: String,
        region: String, service: String
    ) throws(DigestError) -> String {
        let day = String(date.prefix(8))
        let canonical = CanonicalRequest.bytes(request, signed: signed, bodyDigest: bodyDigest)
        let lines = [
            Self.algorithm, date, Self.scope(day: day, region: region, service: service), try digest(of: canonical),
        ]
        let key = try signingKey(KeyName(secret: secret, day: day, region: region, service: service))
        return hexadecimal(try mac.code(key: key, message: Array(lines.joined(separator: "\n").utf8)))
    }

    /// SHA-256 in lower-case hexadecimal.
    func digest(of bytes: UnsafeRawBufferPointer) throws(DigestError) -> String {
        try hasher.update(bytes)
        return try hasher.finish().hexadecimal
    }

    private func digest(of bytes: [UInt8]) throws(DigestError) -> String {
        try bytes.withUnsafeBufferPointer { bytes throws(DigestError) in try digest(of: UnsafeRawBufferPointer(bytes)) }
    }

    private static func scope(day: String, region: String, service: String) -> String {
        "\(day)/\(region)/\(service)/aws4_request"
    }

    private func signingKey(_ name: KeyName) throws(DigestError) -> [UInt8] {
        if let key = keys[name] { return key }
        var key = Array("AWS4\(name.secret)".utf8)
        for part in [name.day, name.region, name.service, "aws4_request"] {
            key = try mac.code(key: key, message: Array(part.utf8))
        }
        if keys.count >= Self.maximumKeys { keys.removeAll() }
        keys[name] = key
        return key
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        bytes.withUnsafeBytes { appendHexadecimal($0, to: &text) }
        return String(decoding: text, as: UTF8.self)
    }
}

/// The keys by which signing keys are found are secret.
extension SignatureV4: CustomReflectable {
    package var customMirror: Mirror { Mirror(self, children: []) }
}
