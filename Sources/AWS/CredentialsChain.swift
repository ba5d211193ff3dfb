import HTTPClient
import Synchronization

/// Finds keys where Vault's stock backends do, in their order: the configuration block, the environment, the shared files,
/// a web identity, a container's agent, the instance metadata. Keys that end are renewed before they do.
///
/// A place that is set up and fails ends the search with its error: going on would sign with keys nobody meant.
package final class CredentialsChain: CredentialsProvider {
    /// Keys of the configuration block; empty where it says nothing.
    package struct Fixed: Sendable {
        package var accessKey: String
        package var secretKey: String
        package var sessionToken: String

        package init(accessKey: String = "", secretKey: String = "", sessionToken: String = "") {
            self.accessKey = accessKey
            self.secretKey = secretKey
            self.sessionToken = sessionToken
        }
    }

    /// Keys are renewed this long before they end, in seconds.
    static let renewalLead = 5 * 60
    /// After a renewal that failed the next one waits this long, in seconds, as long as the old keys live.
    static let renewalPause = 30

    private struct State {
        var current: Credentials?
        var noRenewalBefore = Timestamp(seconds: .min)
    }

    private let fixed: Fixed
    private let region: String
    private let environment: [String: String]
    private let time: TimeSource
    private let isCancelled: @Sendable () -> Bool
    private let localHTTP: HTTPClient
    private let http: HTTPClient
    private let state = Mutex(State())
    /// Held while keys are fetched, so that only one thread does.
    private let renewal = Mutex(())

    /// - Parameters:
    ///   - region: Of the token service, unless the environment names its endpoint.
    ///   - environment: `HOME` among it.
    package init(
        fixed: Fixed = Fixed(), region: String, environment: [String: String], time: TimeSource = .system,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.fixed = fixed
        self.region = region
        self.environment = environment
        self.time = time
        self.isCancelled = isCancelled
        let trusted = TrustedCertificates(environment: environment)
        // Services of the own machine answer at once or are not there.
        var local = HTTPConfiguration(
            connectTimeout: .seconds(1), requestTimeout: .seconds(1), maximumBodyBytes: 64 << 10, usesProxies: false)
        trusted.apply(to: &local)
        localHTTP = HTTPClient(local)
        var remote = HTTPConfiguration(
            connectTimeout: .seconds(5), requestTimeout: .seconds(15), maximumBodyBytes: 1 << 20)
        trusted.apply(to: &remote)
        http = HTTPClient(remote)
    }

    package func credentials() throws(CredentialsError) -> Credentials {
        let now = time.now()
        let (current, mayRenew) = state.withLock { ($0.current, $0.noRenewalBefore <= now) }
        guard let current else { return try renewed { $0 == nil } }
        guard let expiry = current.expiry, expiry.seconds - now.seconds <= Self.renewalLead else { return current }
        // The keys end soon. While they live, one thread renews them and the others go on; a failure can wait.
        guard expiry > now else { return try renewed { $0?.expiry == expiry } }
        guard mayRenew else { return current }
        let renewedInTime = renewal.withLockIfAvailable { _ -> Credentials? in
            do throws(CredentialsError) {
                let found = try search()
                state.withLock { $0.current = found }
                return found
            } catch {
                state.withLock { $0.noRenewalBefore = Timestamp(seconds: now.seconds + Self.renewalPause) }
                return nil
            }
        }
        return (renewedInTime ?? nil) ?? current
    }

    package func credentials(replacing rejected: Credentials) throws(CredentialsError) -> Credentials {
        try renewed { current in
            guard let current else { return true }
            return current.accessKeyID == rejected.accessKeyID && current.sessionToken == rejected.sessionToken
        }
    }

    /// Fetches keys, or takes those that another thread fetched meanwhile: if `isOutdated` no longer says that the ones at
    /// hand are.
    private func renewed(_ isOutdated: (Credentials?) -> Bool) throws(CredentialsError) -> Credentials {
        let result = renewal.withLock { _ -> Result<Credentials, CredentialsError> in
            let current = state.withLock { $0.current }
            if let current, !isOutdated(current) { return .success(current) }
            do throws(CredentialsError) {
                let found = try search()
                state.withLock { $0 = State(current: found) }
                return .success(found)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Goes through all places.
    private func search() throws(CredentialsError) -> Credentials {
        var tried: [String] = []
        if let keys = try fixedKeys() { return keys }
        tried.append("access_key and secret_key of the configuration (not set)")
        let environmentKeys = self.environmentKeys
        if let environmentKeys { return environmentKeys }
        tried.append("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment (not both set)")
        let local = LocalCredentials(
            environment: environment, http: localHTTP, time: time, isCancelled: isCancelled)
        if let keys = try profileKeys(local, &tried) { return keys }
        if let arn = variable("AWS_ROLE_ARN"), let path = variable("AWS_WEB_IDENTITY_TOKEN_FILE") {
            let role = SecurityTokenService.Role(arn: arn, sessionName: variable("AWS_ROLE_SESSION_NAME"))
            return try tokenService().assume(role, withTokenIn: path)
        }
        tried.append("a web identity (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE are not both set)")
        if local.hasContainer { return try local.containerCredentials() }
        tried.append("container credentials (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set)")
        if let refusal = local.metadataRefusal {
            tried.append("instance metadata (\(refusal))")
        } else {
            do throws(CredentialsError) {
                return try local.metadataCredentials()
            } catch {
                tried.append("instance metadata (\(error.description))")
            }
        }
        throw CredentialsError(
            "No AWS credentials were found. Looked at: \(tried.joined(separator: "; ")). Set access_key and secret_key in "
                + "the configuration, export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with "
                + "AWS_PROFILE.")
    }

    private func variable(_ name: String) -> String? {
        environment.nonEmpty(name)
    }

    private func fixedKeys() throws(CredentialsError) -> Credentials? {
        switch (fixed.accessKey.isEmpty, fixed.secretKey.isEmpty) {
        case (true, true): return nil
        case (false, false):
            return Credentials(
                accessKeyID: fixed.accessKey, secretAccessKey: fixed.secretKey, sessionToken: fixed.sessionToken,
                source: "access_key and secret_key of the configuration")
        default:
            // The words of the stock backend, which scripts look for.
            throw CredentialsError(
                "static AWS client credentials haven't been properly configured (the access key or secret key were "
                    + "provided but not both)")
        }
    }

    private var environmentKeys: Credentials? {
        guard let id = variable("AWS_ACCESS_KEY_ID") ?? variable("AWS_ACCESS_KEY"),
            let secret = variable("AWS_SECRET_ACCESS_KEY") ?? variable("AWS_SECRET_KEY")
        else { return nil }
        return Credentials(
            accessKeyID: id, secretAccessKey: secret, sessionToken: variable("AWS_SESSION_TOKEN"), source: "environment"
        )
    }

    private func profileKeys(
        _ local: LocalCredentials, _ tried: inout [String]
    ) throws(CredentialsError) -> Credentials? {
        let configuration = SharedConfiguration(environment: environment)
        let name = environment.profileName
        var remarks = configuration.remarks
        if configuration.profiles[name] == nil {
            remarks.append("there is no such profile in the shared credentials and configuration files")
        } else {
            let profile = ProfileCredentials(
                configuration: configuration, local: local, environmentKeys: environmentKeys,
                tokenService: tokenService)
            do throws(CredentialsError) {
                if let keys = try profile.credentials(of: name) { return keys }
                remarks.append("it has no keys")
            } catch  where variable("AWS_PROFILE") == nil {
                // Nobody asked for the default profile; what it cannot give may be elsewhere.
                remarks.append(error.description)
            }
        }
        tried.append("profile \"\(shown(name.utf8))\" (\(remarks.joined(separator: ", ")))")
        return nil
    }

    private func tokenService() throws(CredentialsError) -> SecurityTokenService {
        let configured = ConfiguredEndpoint(service: "sts", environment: environment)
        guard
            let endpoint = configured.map({ ServiceEndpoint($0.text) })
                ?? ServiceEndpoint(service: "sts", region: region)
        else {
            throw CredentialsError(
                configured.map {
                    "The token service has no address: \"\($0.shownText)\", which \($0.source) gives, is no URL of a service."
                } ?? "The token service has no address: there is none in region \(shown(region.utf8)).")
        }
        return SecurityTokenService(
            endpoint: endpoint, region: region, http: http, time: time, isCancelled: isCancelled)
    }
}

/// Neither keys nor the environment are shown by `dump`.
extension CredentialsChain: CustomReflectable {
    package var customMirror: Mirror { Mirror(self, children: ["region": region]) }
}

extension CredentialsChain.Fixed: CustomStringConvertible, CustomReflectable {
    package var description: String { accessKey.isEmpty && secretKey.isEmpty ? "no keys" : "keys" }

    package var customMirror: Mirror { Mirror(self, children: []) }
}
