import HTTPClient

/// The two calls of AWS's Security Token Service that give temporary keys (API version 2011-06-15, query protocol).
struct SecurityTokenService {
    /// Largest web identity token that is read, in bytes.
    static let maximumToken = 64 << 10
    private static let maximumAttempts = 3

    let endpoint: ServiceEndpoint
    let region: String
    let http: HTTPClient
    let time: TimeSource
    let isCancelled: @Sendable () -> Bool

    /// The role to play and under which name.
    struct Role {
        var arn: String
        var sessionName: String?
        var externalID: String?
        /// Seconds, as text.
        var duration: String?
    }

    /// AssumeRole, signed with the keys of whoever may.
    func assume(_ role: Role, with credentials: Credentials) throws(CredentialsError) -> Credentials {
        var fields = Self.fields("AssumeRole", role)
        if let id = role.externalID { fields.append(("ExternalId", id)) }
        return try call(
            fields, signedWith: credentials, source: "role \(shown(role.arn.utf8)) assumed with \(credentials.source)")
    }

    /// AssumeRoleWithWebIdentity with the token in a file, which is read anew each time since others renew it.
    func assume(_ role: Role, withTokenIn path: String) throws(CredentialsError) -> Credentials {
        let shownPath = shown(path.utf8)
        var token: [UInt8]
        do throws(SmallFileError) {
            guard let bytes = try readSmallFile(path, maximum: Self.maximumToken) else {
                throw SmallFileError(reason: "there is no such file")
            }
            token = bytes
        } catch {
            throw CredentialsError("The web identity token \(shownPath) cannot be read: \(error.reason).")
        }
        while let last = token.last, last <= 0x20 { token.removeLast() }
        let fields =
            Self.fields("AssumeRoleWithWebIdentity", role)
            + [("WebIdentityToken", String(decoding: token, as: UTF8.self))]
        return try call(
            fields, signedWith: nil, source: "web identity role \(shown(role.arn.utf8)) with the token in \(shownPath)")
    }

    private static func fields(_ action: String, _ role: Role) -> [(String, String)] {
        var fields = [
            ("Action", action), ("Version", "2011-06-15"), ("RoleArn", role.arn),
            ("RoleSessionName", role.sessionName ?? "sealift"),
        ]
        if let duration = role.duration { fields.append(("DurationSeconds", duration)) }
        return fields
    }

    private func call(
        _ fields: [(String, String)], signedWith credentials: Credentials?, source: String
    ) throws(CredentialsError) -> Credentials {
        var body: [UInt8] = []
        for (name, value) in fields {
            if !body.isEmpty { body.append(UInt8(ascii: "&")) }
            body += Array("\(name)=".utf8)
            appendPercentEncoded(Array(value.utf8)[...], to: &body)
        }
        var attempts = 0
        while true {
            attempts += 1
            let reply = try send(body, signedWith: credentials)
            switch reply {
            case .success(let text):
                guard let keys = Self.credentials(in: text, source: source) else {
                    throw CredentialsError("The answer of \(endpoint) for \(source) has no credentials in it.")
                }
                return keys
            case .failure(let failure):
                guard failure.mayHeal, attempts < Self.maximumAttempts, !isCancelled() else {
                    throw CredentialsError("There are no credentials from \(source): \(failure.text)")
                }
                time.wait(.milliseconds(100 << attempts), isCancelled)
            }
        }
    }

    private struct Failure: Error {
        var text: String
        var mayHeal: Bool
    }

    private func send(
        _ body: [UInt8], signedWith credentials: Credentials?
    ) throws(CredentialsError) -> Result<[UInt8], Failure> {
        var request = SignableRequest(
            method: "POST", path: endpoint.path,
            headers: [
                ("Host", endpoint.host), ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ])
        if let credentials {
            do {
                try body.withUnsafeBytes {
                    try SignatureV4().sign(
                        &request, body: $0, credentials: credentials, at: time.now(), region: region, service: "sts")
                }
            } catch {
                throw CredentialsError("Requests cannot be signed: \(error)")
            }
        }
        let whole = HTTPRequest(method: "POST", url: endpoint.description, headers: request.headers)
        do throws(HTTPError) {
            let response = try body.withUnsafeBufferPointer { body throws(HTTPError) in
                try http.perform(whole, body: UnsafeRawBufferPointer(body), isCancelled: isCancelled)
            }
            let text = response.withBody { Array($0) }
            if response.status == 200 { return .success(text) }
            let code = Self.text(of: "Code", in: text).map { shown($0.utf8) } ?? "HTTP status \(response.status)"
            let message = Self.text(of: "Message", in: text).map { ": \(shown($0.utf8))" } ?? ""
            let mayHeal = response.status >= 500 || response.status == 429 || code == "Throttling"
            let foreign = ForeignAnswer(response, to: whole).map { ": \($0.message)" } ?? message
            return .failure(Failure(text: "\(endpoint) answers \(code)\(foreign).", mayHeal: mayHeal))
        } catch {
            return .failure(Failure(text: error.message, mayHeal: error.code != .tls && error.code != .cancelled))
        }
    }

    private static func credentials(in text: [UInt8], source: String) -> Credentials? {
        guard let id = self.text(of: "AccessKeyId", in: text), let secret = self.text(of: "SecretAccessKey", in: text),
            let token = self.text(of: "SessionToken", in: text),
            let expiry = self.text(of: "Expiration", in: text).flatMap(Timestamp.init(extended:)), !id.isEmpty
        else { return nil }
        return Credentials(
            accessKeyID: id, secretAccessKey: secret, sessionToken: token, expiry: expiry, source: source)
    }

    /// The text of the first element of that name: only characters and the five named entities, as STS writes them.
    static func text(of name: String, in document: [UInt8]) -> String? {
        guard let start = position(of: Array("<\(name)>".utf8), in: document[...]) else { return nil }
        let rest = document[(start + name.utf8.count + 2)...]
        guard let end = rest.firstIndex(of: UInt8(ascii: "<")), rest[end...].starts(with: "</\(name)>".utf8) else {
            return nil
        }
        let entities = ["&lt;": "<", "&gt;": ">", "&quot;": "\"", "&apos;": "'", "&amp;": "&"]
        var text = ""
        var content = rest[..<end]
        while let entity = content.firstIndex(of: UInt8(ascii: "&")) {
            text += String(decoding: content[..<entity], as: UTF8.self)
            guard let last = content[entity...].prefix(7).firstIndex(of: UInt8(ascii: ";")),
                let character = entities[String(decoding: content[entity...last], as: UTF8.self)]
            else { return nil }
            text += character
            content = content[(last + 1)...]
        }
        return text + String(decoding: content, as: UTF8.self)
    }

    private static func position(of needle: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        var rest = bytes
        while let candidate = rest.firstIndex(of: UInt8(ascii: "<")) {
            if rest[candidate...].starts(with: needle) { return candidate }
            rest = rest[(candidate + 1)...]
        }
        return nil
    }
}
