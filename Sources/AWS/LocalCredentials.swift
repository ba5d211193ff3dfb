import HTTPClient
import JSON

/// Keys from services that only the machine itself can reach: a container's agent and the instance metadata (IMDSv2).
struct LocalCredentials {
    private static let maximumAttempts = 3
    private static let maximumToken = 64 << 10
    /// Where agents of containers answer over plain HTTP, besides the loopback addresses (AWS SDKs and Tools Reference
    /// Guide, "Container credential provider").
    private static let agents = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]

    let environment: [String: String]
    let http: HTTPClient
    let time: TimeSource
    let isCancelled: @Sendable () -> Bool

    private func variable(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether the environment says that there is a container's agent.
    var hasContainer: Bool {
        variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != nil
            || variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") != nil
    }

    /// Keys of the container's role.
    func containerCredentials() throws(CredentialsError) -> Credentials {
        let url: String
        if let path = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            url = "http://169.254.170.2" + path
        } else {
            url = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") ?? ""
            try checkContainerURL(url)
        }
        let source = "container credentials at \(HTTPRequest(method: "GET", url: url).shownURL)"
        var headers: [(name: String, value: String)] = []
        if let token = try containerToken() { headers.append(("Authorization", token)) }
        let answer = try get(HTTPRequest(method: "GET", url: url, headers: headers), source)
        guard answer.status == 200 else {
            throw CredentialsError("There are no \(source): it answers HTTP status \(answer.status).")
        }
        return try Self.credentials(in: answer.body, source: source)
    }

    private func containerToken() throws(CredentialsError) -> String? {
        guard let path = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") else {
            return variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        }
        do throws(SmallFileError) {
            guard var token = try readSmallFile(path, maximum: Self.maximumToken) else {
                throw SmallFileError(reason: "there is no such file")
            }
            while let last = token.last, last == 0x0a || last == 0x0d { token.removeLast() }
            return String(decoding: token, as: UTF8.self)
        } catch {
            throw CredentialsError(
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names \(shown(path.utf8)), which cannot be read: \(error.reason)."
            )
        }
    }

    /// Keys go over plain HTTP only to the machine itself or its agents.
    private func checkContainerURL(_ url: String) throws(CredentialsError) {
        let query = url.firstIndex(of: "?") ?? url.endIndex
        guard let endpoint = ServiceEndpoint(String(url[..<query])), url.contains("://") else {
            throw CredentialsError("AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL.")
        }
        let name =
            endpoint.host.hasSuffix("]")
            ? endpoint.host : String(endpoint.host.prefix { $0 != ":" || endpoint.host.hasPrefix("[") })
        let host = name.hasPrefix("[") ? String(name.prefix { $0 != "]" }) + "]" : name
        let octets = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        let isLoopback =
            host == "localhost" || host == "[::1]" || octets.count == 4 && !octets.contains(nil) && octets[0] == 127
        guard endpoint.scheme == "https" || isLoopback || Self.agents.contains(host) else {
            throw CredentialsError(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI names \(shown(host.utf8)), which is neither this machine nor a "
                    + "container agent; over plain HTTP only these are asked. Use https.")
        }
    }

    /// Why the instance metadata is not asked; `nil` if it may be.
    var metadataRefusal: String? {
        asciiLowercased(variable("AWS_EC2_METADATA_DISABLED") ?? "") == "true"
            ? "AWS_EC2_METADATA_DISABLED is true" : nil
    }

    /// Keys of the instance's role (EC2 User Guide, "Use the Instance Metadata Service").
    func metadataCredentials() throws(CredentialsError) -> Credentials {
        var base = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? ""
        if base.isEmpty {
            let isVersion6 = asciiLowercased(variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE") ?? "") == "ipv6"
            base = isVersion6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
        }
        while base.hasSuffix("/") { base.removeLast() }
        let place = "instance metadata at \(HTTPRequest(method: "GET", url: base).shownURL)"
        let token = try get(
            HTTPRequest(
                method: "PUT", url: "\(base)/latest/api/token",
                headers: [("X-aws-ec2-metadata-token-ttl-seconds", "21600")]), place)
        guard token.status == 200 else {
            throw CredentialsError("The \(place) gives no session token: HTTP status \(token.status).")
        }
        let headers = [(name: "X-aws-ec2-metadata-token", value: String(decoding: token.body, as: UTF8.self))]
        let roles = "\(base)/latest/meta-data/iam/security-credentials/"
        let listed = try get(HTTPRequest(method: "GET", url: roles, headers: headers), place)
        let role = String(decoding: listed.body.prefix { $0 != 0x0a && $0 != 0x0d }, as: UTF8.self)
        guard listed.status == 200, !role.isEmpty else {
            throw CredentialsError("The \(place) knows no role of this instance.")
        }
        var encoded: [UInt8] = []
        appendPercentEncoded(Array(role.utf8)[...], to: &encoded)
        let keys = try get(
            HTTPRequest(method: "GET", url: roles + String(decoding: encoded, as: UTF8.self), headers: headers), place)
        guard keys.status == 200 else {
            throw CredentialsError("The \(place) gives no credentials: HTTP status \(keys.status).")
        }
        return try Self.credentials(in: keys.body, source: "instance metadata role \(shown(role.utf8))")
    }

    private func get(
        _ request: HTTPRequest, _ place: String
    ) throws(CredentialsError) -> (status: Int, body: [UInt8]) {
        var attempts = 0
        while true {
            attempts += 1
            do throws(HTTPError) {
                let response = try http.perform(request, isCancelled: isCancelled)
                if response.status < 500 || attempts == Self.maximumAttempts {
                    return (response.status, response.withBody { Array($0) })
                }
            } catch {
                guard attempts < Self.maximumAttempts, error.code != .cancelled, error.code != .other else {
                    throw CredentialsError("There is no answer of \(place): \(error.message)")
                }
            }
            time.wait(.milliseconds(50 << attempts), isCancelled)
        }
    }

    /// Both services answer with the same JSON object.
    private static func credentials(in body: [UInt8], source: String) throws(CredentialsError) -> Credentials {
        do {
            let parser = try JSONParser()
            let found = try body.withUnsafeBytes { bytes -> Credentials? in
                let root = try parser.parse(bytes)
                guard let id = root["AccessKeyId"]?.text, let secret = root["SecretAccessKey"]?.text, !id.isEmpty else {
                    return nil
                }
                return Credentials(
                    accessKeyID: id, secretAccessKey: secret, sessionToken: root["Token"]?.text,
                    expiry: root["Expiration"]?.text.flatMap(Timestamp.init(extended:)), source: source)
            }
            if let found { return found }
        } catch {
            // What cannot be parsed is told like what lacks its members: the text may hold secrets.
        }
        throw CredentialsError("The answer for \(source) has no credentials in it.")
    }
}
